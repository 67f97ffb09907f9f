"""A program of the user's own: asked on its input, judged by its exit status.

It is no coding agent that we know: all that it writes is its log, and the end of it the
answer. What it keeps of a conversation is its own business.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path

from hotdesk.agents.dialect import (
    AgentSettings,
    Invocation,
    Problem,
    ProblemKind,
    Report,
    Said,
    Sign,
    Turn,
)

# Two of sysexits.h have a meaning; any other failure is worth another attempt.
CANNOT = 65  # EX_DATAERR: this instruction cannot be carried out; asking again is useless.
TRY_AGAIN = 75  # EX_TEMPFAIL: it may work later.
TEXT_CHARACTERS_MAX = 4000
REASON_LINES = 8
# Enough for the answer, however many of the characters are white space that is left out.
TAIL_CHARACTERS_MAX = 64_000


class Plain:
    """``Dialect``: the program of a project that names no agent."""

    guidance_files: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    model_url = ""

    def __init__(self, program: str) -> None:
        """Know it by the name of *program*, the first word of its command."""
        self.program = program
        self.name = Path(program).name

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Start it as it stands, with what it is asked on its input."""
        known = {
            "HOTDESK_MODEL": settings.model,
            "HOTDESK_MODEL_URL": settings.base_url,
            "HOTDESK_MODEL_KEY": settings.key,
        }
        env = {name: value for name, value in known.items() if value}
        return Invocation(argv=settings.program, env=env, stdin=turn.prompt.encode())

    def reader(self, turn: Turn) -> "PlainReader":
        """Make what reads one run."""
        del turn
        return PlainReader(self.name)

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Nothing that we could tell."""
        del session, session_id, mark
        return False


class PlainReader:
    """Passes on what the program *name* writes, and keeps the end of it."""

    has_ended = False

    def __init__(self, name: str) -> None:
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._tail = ""

    def feed(self, chunk: bytes) -> Iterator[Sign]:
        """Take the next piece of its output."""
        if text := self._decoder.decode(chunk):
            self._tail = (self._tail + text)[-TAIL_CHARACTERS_MAX:]
            yield Said(text=text)

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """Judge by the exit status, unless it was stopped."""
        if exit_code == 0 or was_stopped:
            return Report(text=_last(self._tail.strip()))
        lines = self._tail.strip().splitlines()
        last = "\n".join(lines[-REASON_LINES:])[-TEXT_CHARACTERS_MAX:]
        return Report(problem=self._problem(exit_code, last))

    def _problem(self, exit_code: int, last: str) -> Problem:
        if exit_code == CANNOT:
            reason = f"{self._name} cannot do this: {last}"
            return Problem(kind=ProblemKind.REFUSAL, reason=reason)
        kind, what = ProblemKind.BROKEN, "failed"
        if exit_code == TRY_AGAIN:
            kind, what = ProblemKind.API, "asks to be run again"
        reason = f"{self._name} {what} (exit status {exit_code}): {last}"
        return Problem(kind=kind, reason=reason)


def _last(text: str) -> str:
    """The end of the output, from the beginning of a line, as an answer."""
    if len(text) <= TEXT_CHARACTERS_MAX:
        return text
    return text[-TEXT_CHARACTERS_MAX:].partition("\n")[2]
