"""What people look at, and what is kept beside the desks, on the same file."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from hotdesk.backends.seeking import last_before
from hotdesk.backends.sqlite import claiming, figuring, listing
from hotdesk.backends.sqlite.bell import Bell
from hotdesk.backends.sqlite.file import DatabaseFile, Row, Transaction, from_us, to_us
from hotdesk.backends.sqlite.listing import number_of
from hotdesk.backends.sqlite.rows import (
    desk_status_of,
    event_of,
    interrupted_of,
    job_of,
    worker_status_of,
)
from hotdesk.desks import Desk, DeskStatus, Interrupted, Job, JobState, WorkerStatus
from hotdesk.errors import NotFound, Unavailable
from hotdesk.events import AnswerFailed, AnswerSent, Event, StoredEvent
from hotdesk.ports import Answer, Counts, LogChunk, Page, ThreadView, Trend

T = TypeVar("T")

CURSOR_MAX = 2**63 - 1  # Of an INTEGER of SQLite.


class SqliteRecords:
    """``Records`` on one file; ``SqliteBackend`` adds the verbs of the protocol."""

    def __init__(self, file: DatabaseFile, bell: Bell) -> None:
        """Own *file* and *bell* until ``close``."""
        self._file = file
        self._bell = bell

    async def job(self, job_id: str) -> Job:
        """One job as it stands."""
        row = self._file.read(lambda tx: tx.one("job_by_id", job=job_id))
        if row is None:
            raise NotFound("job", job_id)
        return job_of(row)

    async def jobs(
        self,
        *,
        desk: Desk | None = None,
        thread: str | None = None,
        state: JobState | None = None,
        limit: int = 100,
        before: str = "",
    ) -> Page[Job]:
        """Jobs, newest first."""
        start = number_of(before) if before else None
        return self._file.read(
            lambda tx: listing.jobs(
                tx, desk=desk, thread=thread, state=state, limit=limit, before=start
            )
        )

    async def queue(self, desk: Desk, *, limit: int = 100) -> list[Job]:
        """The pending jobs of a desk in the order of their hand-over, the running one first."""

        def work(tx: Transaction) -> list[Row]:
            row = tx.one("desk_by_key", key=desk.key)
            return [] if row is None else tx.all("jobs_pending", desk=row["id"], limit=limit)

        return [job_of(row) for row in self._file.read(work)]

    async def position(self, job: Job) -> int:
        """How many jobs of its desk are handed over before this pending one; 0 is next."""
        row = self._file.read(lambda tx: tx.row("ahead_of", key=job.desk.key, place=job.place))
        return int(row["ahead"])

    async def desks(
        self, *, waiting: bool = False, limit: int = 100, before: str = ""
    ) -> Page[DeskStatus]:
        """Desks that have an owner or pending jobs, then the others; or only the waiting ones."""
        return self._file.read(
            lambda tx: listing.desks(tx, waiting=waiting, limit=limit, before=before)
        )

    async def desk(self, desk: Desk) -> DeskStatus:
        """One desk."""
        row = self._file.read(lambda tx: tx.one("desk_by_key", key=desk.key))
        if row is None:
            raise NotFound("desk", str(desk))
        return desk_status_of(row)

    async def workers(self) -> list[WorkerStatus]:
        """The registered workers, in the order in which they started."""
        return [worker_status_of(row) for row in self._file.read(lambda tx: tx.all("workers"))]

    async def threads(
        self, *, desk: Desk | None = None, limit: int = 100, before: str = ""
    ) -> Page[ThreadView]:
        """Conversations, the latest first, among the newest 10,000 jobs, or those of *desk*."""
        start = number_of(before) if before else None
        return self._file.read(lambda tx: listing.threads(tx, desk=desk, limit=limit, before=start))

    async def interrupted(self, desk: Desk, thread: str) -> list[Interrupted]:
        """What the next job of the thread will be handed, oldest first."""
        rows = self._file.read(lambda tx: tx.all("owed", key=desk.key, thread=thread))
        return [interrupted_of(row) for row in rows]

    async def append_log(self, job_id: str, attempt: int, text: str, *, now: datetime) -> None:
        """Keep a piece of a job's output."""

        def work(tx: Transaction) -> None:
            number = tx.row("last_chunk", job=job_id)["number"] + 1
            tx.run("insert_log", job=job_id, number=number, attempt=attempt, at=tx.at, text=text)

        await self._write(work, now)

    async def log(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[LogChunk]:
        """The output of a job behind chunk number *after*."""
        rows = self._file.read(lambda tx: tx.all("log_after", job=job_id, after=after, limit=limit))
        return [_chunk(row) for row in rows]

    async def last_output(self, job_ids: Sequence[str]) -> dict[str, LogChunk]:
        """The newest piece of output of each of these jobs that has any."""
        found = self._file.read(lambda tx: {each: tx.one("log_end", job=each) for each in job_ids})
        return {name: _chunk(row) for name, row in found.items() if row is not None}

    async def record(self, events: Sequence[Event], *, now: datetime) -> None:
        """Store events that no verb of ``Desks`` makes true."""

        def work(tx: Transaction) -> None:
            for event in events:
                tx.emit(event)

        await self._write(work, now)

    async def events(
        self, *, after: str = "", job_id: str | None = None, limit: int = 1000
    ) -> list[StoredEvent]:
        """Events behind the cursor *after*, oldest first; those of one job on demand."""
        cursor = number_of(after) if after else 0
        if job_id is None:
            rows = self._file.read(lambda tx: tx.all("events_after", after=cursor, limit=limit))
        else:
            rows = self._file.read(
                lambda tx: tx.all("events_of_job", job=job_id, after=cursor, limit=limit)
            )
        return [event_of(row) for row in rows]

    async def latest_events(self, *, limit: int = 100, before: str = "") -> list[StoredEvent]:
        """The newest events, the latest first, older than *before*."""
        cursor = number_of(before) if before else CURSOR_MAX
        rows = self._file.read(lambda tx: tx.all("latest_events", limit=limit, before=cursor))
        return [event_of(row) for row in rows]

    async def counts(self) -> Counts:
        """How much there is now."""
        return self._file.read(figuring.counts)

    async def trend(self, *, since: datetime) -> Trend:
        """What happened from the step of *since* on, up to now."""
        return self._file.read(lambda tx: figuring.trend(tx, since))

    async def latest_cursor(self) -> str:
        """The cursor of the newest event."""
        return str(self._file.read(lambda tx: tx.row("last_cursor"))["cursor"])

    async def cursor_before(self, at: datetime) -> str:
        """The cursor of the last event before *at*."""

        async def newest(cursor: int) -> tuple[int, datetime] | None:
            found = await self.latest_events(limit=1, before=str(cursor + 1))
            return (int(found[0].cursor), found[0].at) if found else None

        last = int(await self.latest_cursor())
        return str(await last_before(at, last, newest) or "")

    async def changed(self, seen: int | None, *, wait: timedelta) -> int:
        """Wait until something was written after the mark *seen*, at most *wait*."""
        for _ in range(max(1, math.ceil(wait / self._bell.poll))):
            mark = self._file.change_mark()
            if mark != seen:
                return mark
            await self._bell.listen(min(self._bell.poll, wait))
        return self._file.change_mark()

    async def thread_of_mail(self, message_id: str, desk: Desk) -> str | None:
        """The thread that a mail belongs to at a desk, sent or received."""
        row = self._file.read(
            lambda tx: tx.one("thread_of_mail", message_id=message_id, desk=desk.key)
        )
        return None if row is None else row["thread"]

    async def due_answers(
        self, *, job_id: str | None = None, limit: int, now: datetime
    ) -> list[Answer]:
        """Answers that should be sent now, oldest first; those of one job on demand."""

        def work(tx: Transaction) -> list[Answer]:
            if job_id is None:
                rows = tx.all("due_answers", now=tx.at, limit=limit)
            else:
                rows = tx.all("due_answers_of", job=job_id, now=tx.at, limit=limit)
            return [
                Answer(
                    job=job_of(tx.row("job_by_id", job=row["job"])),
                    number=row["number"],
                    state=JobState(row["state"]),
                    created_at=from_us(row["created_at"]),
                    tries=row["tries"],
                )
                for row in rows
            ]

        return self._file.read(work, now=now)

    async def hold_answer(self, answer: Answer, *, until: datetime, now: datetime) -> bool:
        """Keep a due answer from everybody else before *until*."""

        def work(tx: Transaction) -> bool:
            return bool(
                tx.run(
                    "hold_answer",
                    job=answer.job.id,
                    number=answer.number,
                    until=to_us(until),
                    now=tx.at,
                )
            )

        return await self._write(work, now)

    async def answer_sent(self, answer: Answer, message_id: str, *, now: datetime) -> None:
        """The relay took it."""
        job = answer.job

        def work(tx: Transaction) -> None:
            tx.run("answer_sent", job=job.id, number=answer.number, now=tx.at)
            tx.run(
                "remember_mail",
                message_id=message_id,
                desk=job.desk.key,
                thread=job.thread,
                at=tx.at,
            )
            tx.emit(AnswerSent(desk=job.desk.key, job_id=job.id, message_id=message_id))

        await self._write(work, now)

    async def answer_failed(
        self, answer: Answer, reason: str, *, retry_at: datetime | None, now: datetime
    ) -> None:
        """The relay did not take it; without *retry_at* it is kept as failed."""
        job = answer.job

        def work(tx: Transaction) -> None:
            due_at = None if retry_at is None else to_us(retry_at)
            if tx.run(
                "answer_failed", job=job.id, number=answer.number, due_at=due_at, error=reason
            ):
                tx.emit(
                    AnswerFailed(
                        desk=job.desk.key, job_id=job.id, reason=reason, is_final=due_at is None
                    )
                )

        await self._write(work, now)

    async def back_up(self, target: Path) -> None:
        """Copy the file to *target* while others go on writing."""
        self._file.back_up(target)

    async def close(self) -> None:
        """Close the file and stop being reachable."""
        self._bell.shut()
        self._file.close()

    async def _write(self, work: Callable[[Transaction], T], now: datetime) -> T:
        value, rings = await self._file.write(work, now=now)
        unreachable = {
            worker_id for worker_id, interrupt in rings if not self._bell.ring(worker_id, interrupt)
        }
        self._bell.ring_listeners()
        for worker_id in unreachable:
            # Bounded: burying forgets the worker, so that nobody rings for it again. A
            # failure here is left to the sweep, since the commit above stands.
            try:
                await self._bury(worker_id, now)
            except Unavailable:
                break
        return value

    async def _bury(self, worker_id: str, now: datetime) -> None:
        """Free what a dead worker held."""
        await self._write(lambda tx: claiming.bury(tx, worker_id), now)
        self._bell.forget(worker_id)


def _chunk(row: Row) -> LogChunk:
    return LogChunk(
        number=row["number"], attempt=row["attempt"], at=from_us(row["at"]), text=row["text"]
    )
