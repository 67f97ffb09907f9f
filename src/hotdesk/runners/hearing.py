"""Hearing one run of an agent: what it says is told on sign by sign, without secrets.

Also whether it has said its last word, so that a program that does not end is not waited for.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio

from hotdesk.agents.dialect import Began, Reader, Report, Said, Sign, Used
from hotdesk.runners.redaction import Redaction

# After its last word an agent writes down its conversation and goes: Claude Code in 20 to
# 40 ms. What hangs then, on a child or a socket of its own, has no more to say.
END_SECONDS_MAX = 10


class Ear:
    """Hears what a run says, without the secrets in it, and tells it on sign by sign."""

    def __init__(
        self, reader: Reader, redaction: Redaction, tell: Callable[[Sign], Awaitable[None]]
    ) -> None:
        """Give what *reader* understands to *tell*."""
        self.has_begun = False
        self.session_id = ""
        self._reader = reader
        self._redaction = redaction
        self._tell = tell
        self._is_closed = False
        self._changed = anyio.Event()

    @property
    def has_ended(self) -> bool:
        """Whether it has said its last word."""
        return self._reader.has_ended

    async def until_overdue(self) -> None:
        """Return when END_SECONDS_MAX have passed since its last word."""
        while True:
            with anyio.move_on_after(END_SECONDS_MAX if self.has_ended else None):
                await self._changed.wait()
                continue
            return

    def close(self) -> None:
        """Hear no more."""
        self._is_closed = True

    async def hear(self, chunk: bytes) -> None:
        """Take the next piece of its output."""
        await self._pass_on(self._redaction.pass_on(chunk))

    async def finish(self) -> None:
        """Take what was held back, once the output has ended."""
        await self._pass_on(self._redaction.finish())

    def cleaned(self, report: Report) -> Report:
        """The end of the run, without secrets."""
        whole, problem = self._redaction.whole, report.problem
        if problem is not None:
            problem = replace(problem, reason=whole(problem.reason))
        return replace(report, text=whole(report.text), problem=problem)

    async def _pass_on(self, said: bytes) -> None:
        had_ended = self.has_ended
        for sign in self._reader.feed(b"" if self._is_closed else said):
            if self._is_closed:
                return
            # Once more: JSON spells a secret in other bytes, and colours stand within it.
            match sign:
                case Began() if self.has_begun:
                    # It begins once, however often it says so.
                    continue
                case Began():
                    self.has_begun, self.session_id = True, sign.session_id
                    await self._tell(sign)
                case Said():
                    await self._tell(Said(text=self._redaction.whole(sign.text)))
                case Used():
                    tool, target = map(self._redaction.whole, (sign.tool, sign.target))
                    await self._tell(Used(tool=tool, target=target))
        if self.has_ended is not had_ended:
            self._changed.set()
            self._changed = anyio.Event()
