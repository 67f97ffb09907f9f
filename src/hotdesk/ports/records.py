"""What people look at, and what is kept beside the desks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from hotdesk.desks import Desk, DeskStatus, Interrupted, Job, JobState, WorkerStatus
from hotdesk.events import Event, StoredEvent

T = TypeVar("T")

LOOKED_THROUGH_MAX = 10_000
"""Records of a list that are looked through for one page of it."""


class Page(list[T]):
    """A part of a list, in its order. With ``next`` it may go on: ask again *before* that.

    A page may be short, or empty, and have one, because only so much is looked through.
    Whoever follows ``next`` until it is empty sees once each what stays as it is meanwhile.
    """

    def __init__(self, items: Iterable[T] = (), *, next: str = "") -> None:  # noqa: A002 - the word of the API
        """Hold *items*."""
        super().__init__(items)
        self.next = next


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is due: the outcome of a job that came by mail.

    ``number`` counts the outcomes of the job (a retry makes another one), so that
    job and number name one answer for ever. ``tries`` counts attempts to send it.
    """

    job: Job
    number: int
    state: JobState
    created_at: datetime
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadView:
    """A conversation as people see it."""

    desk: Desk
    thread: str
    jobs: int
    last_job: str
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """A piece of a job's output. ``number`` grows by one within the job."""

    number: int
    attempt: int
    at: datetime
    text: str


class Records(Protocol):
    """What people look at, and what is kept beside the desks."""

    async def job(self, job_id: str) -> Job:
        """One job as it stands.

        Raises:
            NotFound: No such job.
        """
        ...

    async def jobs(
        self,
        *,
        desk: Desk | None = None,
        thread: str | None = None,
        state: JobState | None = None,
        limit: int = 100,
        before: str = "",
    ) -> Page[Job]:
        """Jobs, newest first; those behind the page that gave *before*.

        Raises:
            Rejected: *before* is not one of ours.
        """
        ...

    async def queue(self, desk: Desk, *, limit: int = 100) -> list[Job]:
        """The pending jobs of a desk in the order of their hand-over, the running one first."""
        ...

    async def position(self, job: Job) -> int:
        """How many jobs of its desk are handed over before this pending one; 0 is next."""
        ...

    async def desks(
        self, *, waiting: bool = False, limit: int = 100, before: str = ""
    ) -> Page[DeskStatus]:
        """Desks that have an owner or pending jobs first; only the waiting ones on demand.

        Those behind the page that gave *before*.

        Raises:
            Rejected: *before* is not one of ours.
        """
        ...

    async def desk(self, desk: Desk) -> DeskStatus:
        """One desk.

        Raises:
            NotFound: No job was ever submitted for it.
        """
        ...

    async def workers(self) -> list[WorkerStatus]:
        """The registered workers, in the order in which they started."""
        ...

    async def threads(
        self, *, desk: Desk | None = None, limit: int = 100, before: str = ""
    ) -> Page[ThreadView]:
        """Conversations among the newest jobs, the latest first.

        Those behind the page that gave *before*.

        Raises:
            Rejected: *before* is not one of ours.
        """
        ...

    async def interrupted(self, desk: Desk, thread: str) -> list[Interrupted]:
        """What the next job of the thread will be handed, oldest first."""
        ...

    async def append_log(self, job_id: str, attempt: int, text: str, *, now: datetime) -> None:
        """Keep a piece of a job's output."""
        ...

    async def log(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[LogChunk]:
        """The output of a job behind chunk number *after*."""
        ...

    async def last_output(self, job_ids: Sequence[str]) -> dict[str, LogChunk]:
        """The newest piece of output of each of these jobs that has any."""
        ...

    async def record(self, events: Sequence[Event], *, now: datetime) -> None:
        """Store events that no verb of ``Desks`` makes true."""
        ...

    async def events(
        self, *, after: str = "", job_id: str | None = None, limit: int = 1000
    ) -> list[StoredEvent]:
        """Events behind the cursor *after*, oldest first; those of one job on demand.

        Raises:
            Rejected: The cursor is not one of ours.
        """
        ...

    async def latest_cursor(self) -> str:
        """The cursor of the newest event: from here on only what is new follows."""
        ...

    async def cursor_before(self, at: datetime) -> str:
        """The cursor of an event that happened before *at*, as near to it as clocks agree.

        Empty where none did. Found in few steps, however long the history is.
        """
        ...

    async def changed(self, seen: int | None, *, wait: timedelta) -> int:
        """Wait until something was written after the mark *seen*, at most *wait*.

        Returns a mark for the next call; at once without *seen*. Take the mark
        first and look then, so that nothing is missed.
        """
        ...

    async def thread_of_mail(self, message_id: str, desk: Desk) -> str | None:
        """The thread that a mail belongs to at a desk, sent or received.

        One mail may have gone to several desks.
        """
        ...

    async def due_answers(
        self, *, job_id: str | None = None, limit: int, now: datetime
    ) -> list[Answer]:
        """Answers that should be sent now, oldest first; those of one job on demand."""
        ...

    async def hold_answer(self, answer: Answer, *, until: datetime, now: datetime) -> bool:
        """Keep a due answer from everybody else before *until*, when it is due again.

        ``False`` means that it is not due any more: it was sent, or another one holds it.
        """
        ...

    async def answer_sent(self, answer: Answer, message_id: str, *, now: datetime) -> None:
        """The relay took it: never send it again; *message_id* belongs to the thread now."""
        ...

    async def answer_failed(
        self, answer: Answer, reason: str, *, retry_at: datetime | None, now: datetime
    ) -> None:
        """The relay did not take it; without *retry_at* it is kept as failed."""
        ...
