"""Submissions that are under way in one process at the same time: they share a commit.

Whoever comes first lets the other tasks run once, and takes along those that have come
to submit meanwhile. Each is answered after the commit that holds its jobs, and none can
spoil another one.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import anyio
import anyio.lowlevel

from hotdesk.backends.sqlite.file import Transaction
from hotdesk.desks import Job, NewJob
from hotdesk.errors import HotdeskError, Rejected

T = TypeVar("T")

# Submissions in one transaction: it keeps the lock, and the event loop, for some milliseconds.
TOGETHER_MAX = 100


class Write(Protocol):
    """Runs some work in one transaction that begins as of an instant."""

    def __call__(self, work: Callable[[Transaction], T], now: datetime) -> Awaitable[T]:
        """Commit, and answer with what *work* returned."""
        ...


@dataclass(slots=True, eq=False)
class _Submission:
    jobs: Sequence[NewJob]
    now: datetime
    answer: list[Job] | HotdeskError | None = None
    # Whether nobody waits for the answer any more.
    is_given_up: bool = False


class Submissions:
    """The submissions of one connection, in the order in which they came."""

    def __init__(
        self, write: Write, submit: Callable[[Transaction, Sequence[NewJob]], list[Job]]
    ) -> None:
        """``submit`` makes the jobs of one submission durable within a transaction."""
        self._write = write
        self._submit = submit
        self._waiting: list[_Submission] = []
        # Set when the commit under way, if there is one, is over.
        self._committed: anyio.Event | None = None

    async def add(self, jobs: Sequence[NewJob], now: datetime) -> list[Job]:
        """Submit *jobs* as of *now*; they are durable on return."""
        mine = _Submission(jobs, now)
        self._waiting.append(mine)
        try:
            # The other tasks run once: those that submit as well are taken along.
            await anyio.lowlevel.checkpoint()
            while mine.answer is None:
                if self._committed is None:
                    await self._commit_first()
                else:
                    await self._committed.wait()
        finally:
            if mine.answer is None:
                # Whoever commits, and may be waiting for the lock just now, leaves it out.
                mine.is_given_up = True
        if isinstance(mine.answer, HotdeskError):
            raise mine.answer
        return mine.answer

    async def _commit_first(self) -> None:
        first, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
        self._committed = anyio.Event()
        try:
            await self._commit(first)
        except Rejected:
            # One of them was, and nothing is committed: each goes by itself.
            for each in first:
                await self._commit_alone(each)
        except HotdeskError as error:
            for each in first:
                each.answer = error
        finally:
            # Only a cancelled one leaves any: another task commits them.
            left = [each for each in first if each.answer is None]
            self._waiting = [each for each in left + self._waiting if not each.is_given_up]
            self._committed.set()
            self._committed = None

    async def _commit_alone(self, submission: _Submission) -> None:
        try:
            await self._commit([submission])
        except HotdeskError as error:
            submission.answer = error

    async def _commit(self, submissions: Sequence[_Submission]) -> None:
        def work(tx: Transaction) -> list[list[Job]]:
            answers = []
            for each in submissions:
                tx.set_now(each.now)
                answers.append([] if each.is_given_up else self._submit(tx, each.jobs))
            return answers

        answers = await self._write(work, submissions[0].now)
        for each, answer in zip(submissions, answers, strict=True):
            each.answer = answer
