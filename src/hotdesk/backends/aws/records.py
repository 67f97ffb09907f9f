"""What people look at, and what is kept beside the desks, in the same table."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import anyio

from hotdesk.backends.aws import figuring, listing, submitting, waking
from hotdesk.backends.aws.blobs import Kept
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.change import Change, change
from hotdesk.backends.aws.desk import DeskRecord, key_of
from hotdesk.backends.aws.handing import owed_jobs
from hotdesk.backends.aws.history import History
from hotdesk.backends.aws.rows import (
    DUE,
    StoredJob,
    interrupted_of,
    job_key,
    stored_event,
    worker_status,
)
from hotdesk.backends.aws.table import Key, Table
from hotdesk.backends.aws.values import Item, instant_of, serial, stamp
from hotdesk.desks import Desk, DeskStatus, Interrupted, Job, JobState, WorkerStatus
from hotdesk.errors import NotFound, Unavailable
from hotdesk.events import AnswerFailed, AnswerSent, Event, StoredEvent
from hotdesk.ports import Answer, Clock, Counts, LogChunk, Page, ThreadView, Trend

LOOK_SECONDS = 1
RECORD_MAX = 50
LOG_TRIES_MAX = 10


class AwsRecords:
    """``Records`` on one table; ``AwsBackend`` adds the verbs of the protocol."""

    def __init__(self, table: Table, clock: Clock) -> None:
        """Read and write *table*."""
        self._table = table
        self._clock = clock
        self._history = History(table, clock)

    async def job(self, job_id: str) -> Job:
        """One job as it stands."""
        for job in await self._jobs([job_key(job_id)]):
            return job
        raise NotFound("job", job_id)

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
        return await listing.jobs(
            self._table, desk=desk, thread=thread, state=state, limit=limit, before=before
        )

    async def queue(self, desk: Desk, *, limit: int = 100) -> list[Job]:
        """The pending jobs of a desk in the order of their hand-over, the running one first."""
        record = await self._record(desk)
        if record is None:
            return []
        return await self._jobs([job_key(each.entry.job_id) for each in record.in_order()[:limit]])

    async def position(self, job: Job) -> int:
        """How many jobs of its desk are handed over before this pending one; 0 is next."""
        record = await self._record(job.desk)
        return sum(each.place < job.place for each in record.pending.values()) if record else 0

    async def desks(
        self, *, waiting: bool = False, limit: int = 100, before: str = ""
    ) -> Page[DeskStatus]:
        """Desks that have an owner or pending jobs, then the others; or only the waiting ones."""
        return await listing.desks(self._table, waiting=waiting, limit=limit, before=before)

    async def desk(self, desk: Desk) -> DeskStatus:
        """One desk."""
        record = await self._record(desk)
        if record is None:
            raise NotFound("desk", str(desk))
        return record.status()

    async def workers(self) -> list[WorkerStatus]:
        """The registered workers, in the order in which they started."""
        known = await waking.workers(self._table)
        keys = [key_of(Desk.from_key(each["desk"])) for each in known if each["desk"]]
        items = await self._table.get_all(keys)
        active: dict[str, str] = {}
        held: set[str] = set()
        for item in items.values():
            record = DeskRecord.from_item(item)
            held.add(record.owner)
            active[record.owner] = record.active.job_id if record.active else ""
        statuses = [
            worker_status(each, active.get(each["sk"], ""), is_owner=each["sk"] in held)
            for each in known
        ]
        return sorted(statuses, key=lambda each: (each.started_at, each.id))

    async def threads(
        self, *, desk: Desk | None = None, limit: int = 100, before: str = ""
    ) -> Page[ThreadView]:
        """Conversations, the latest first, among the newest jobs.

        Those are 10,000 of *desk*, or 1,000 of every state.
        """
        return await listing.threads(self._table, desk=desk, limit=limit, before=before)

    async def interrupted(self, desk: Desk, thread: str) -> list[Interrupted]:
        """What the next job of the thread will be handed, oldest first."""
        record = await self._record(desk)
        if record is None:
            return []
        change = Change(self._table, self._clock.now())
        owed = await owed_jobs(change, record.threads.get(thread))
        states = (JobState.PREEMPTED, JobState.QUEUED)
        return [interrupted_of(job) for job in owed if job.state in states]

    async def append_log(self, job_id: str, attempt: int, text: str, *, now: datetime) -> None:
        """Keep a piece of a job's output."""
        kept: Kept = {}
        for _ in range(LOG_TRIES_MAX):
            newest = [
                item async for item in self._table.query(f"log {job_id}", limit=1, is_backward=True)
            ]
            number = int(str(newest[0]["sk"])) + 1 if newest else 1
            try:
                item: Item = {
                    "pk": f"log {job_id}",
                    "sk": serial(number),
                    "attempt": attempt,
                    "at": stamp(now),
                    "text": text,
                }
                item = await self._table.blobs.pack(job_id, item, kept)
                await self._table.put(item, condition="attribute_not_exists(pk)")
            except Refused:
                continue
            return
        raise Unavailable(f"too many others write the log of job {job_id}", committed=False)

    async def log(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[LogChunk]:
        """The output of a job behind chunk number *after*."""
        chunks: list[LogChunk] = []
        async for item in self._table.query(f"log {job_id}", after=serial(after), limit=limit):
            # It goes with its job.
            with suppress(Refused):
                chunks.append(await self._chunk(job_id, item))
        return chunks

    async def last_output(self, job_ids: Sequence[str]) -> dict[str, LogChunk]:
        """The newest piece of output of each of these jobs that has any."""
        found: dict[str, LogChunk] = {}
        for each in job_ids:
            async for item in self._table.query(f"log {each}", limit=1, is_backward=True):
                with suppress(Refused):
                    found[each] = await self._chunk(each, item)
        return found

    async def _chunk(self, job_id: str, item: Item) -> LogChunk:
        row: dict[str, Any] = await self._table.blobs.unpack(job_id, item, {})
        return LogChunk(
            number=int(row["sk"]),
            attempt=row["attempt"],
            at=instant_of(row["at"]),
            text=row["text"],
        )

    async def record(self, events: Sequence[Event], *, now: datetime) -> None:
        """Store events that no verb of ``Desks`` makes true."""
        for start in range(0, len(events), RECORD_MAX):
            part = events[start : start + RECORD_MAX]

            async def work(tx: Change, part: Sequence[Event] = part) -> None:
                for event in part:
                    tx.emit(event)

            await change(self._table, now, work)

    async def events(
        self, *, after: str = "", job_id: str | None = None, limit: int = 1000
    ) -> list[StoredEvent]:
        """Events behind the cursor *after*, oldest first; those of one job on demand."""
        cursor = listing.number_of(after) if after else 0
        if job_id is None:
            return await self._history.after(cursor, limit=limit)
        if not job_id:
            return []
        items = await self._table.found(
            f"events of {job_id}", index="by_group", after=serial(cursor), limit=limit
        )
        return [stored_event(item) for item in items]

    async def latest_events(self, *, limit: int = 100, before: str = "") -> list[StoredEvent]:
        """The newest events, the latest first, older than *before*."""
        below = serial(listing.number_of(before)) if before else ""
        return await self._history.newest(limit, below)

    async def counts(self) -> Counts:
        """How much there is now."""
        return await figuring.counts(self._table)

    async def trend(self, *, since: datetime) -> Trend:
        """What happened from the step of *since* on, up to now."""
        return await figuring.trend(self._table, self._history, since)

    async def latest_cursor(self) -> str:
        """The cursor of the newest event."""
        return str(await self._history.latest())

    async def cursor_before(self, at: datetime) -> str:
        """The cursor of about the last event before *at*."""
        return str(await self._history.before(at) or "")

    async def changed(self, seen: int | None, *, wait: timedelta) -> int:
        """Wait until something was reported after the mark *seen*, at most *wait*."""
        mark = await self._history.mark()
        with anyio.move_on_after(wait.total_seconds()):
            while mark == seen:
                await anyio.sleep(LOOK_SECONDS)
                mark = await self._history.mark()
        return mark

    async def thread_of_mail(self, message_id: str, desk: Desk) -> str | None:
        """The thread that a mail belongs to at a desk, sent or received."""
        item = await self._table.get((f"mail {message_id}", desk.key))
        return None if item is None else str(item["thread"])

    async def due_answers(
        self, *, job_id: str | None = None, limit: int, now: datetime
    ) -> list[Answer]:
        """Answers that should be sent now, oldest first; those of one job on demand."""
        rows: list[dict[str, Any]]
        if job_id is None:
            rows = await self._table.found(DUE, index="by_time", until=stamp(now), limit=limit)
        else:
            # Not by the index, which may be a moment behind the outcome.
            rows = [item async for item in self._table.query(f"job {job_id}", after="answer ")]
        # What the index names may have been sent, or be held, since.
        rows = [r for r in rows if r.get("time_kind") == DUE and str(r["time"]) <= stamp(now)]
        rows = rows[:limit]
        stored = await self._stored([job_key(row["job"]) for row in rows])
        jobs = {each.job.id: each.job for each in stored}
        return [
            Answer(
                job=jobs[row["job"]],
                number=row["number"],
                state=JobState(row["state"]),
                created_at=instant_of(row["created_at"]),
                tries=row["tries"],
            )
            for row in rows
            # Whoever removed the job may not have come to remove its answers.
            if row["job"] in jobs
        ]

    async def hold_answer(self, answer: Answer, *, until: datetime, now: datetime) -> bool:
        """Keep a due answer from everybody else before *until*."""
        try:
            await self._table.update(
                _answer_key(answer),
                "SET #time = :until",
                condition="#time_kind = :due AND #time <= :now",
                until=stamp(until),
                due=DUE,
                now=stamp(now),
            )
        except Refused:
            return False
        return True

    async def answer_sent(self, answer: Answer, message_id: str, *, now: datetime) -> None:
        """The relay took it."""
        job = answer.job

        async def work(tx: Change) -> None:
            if await tx.table.get(_answer_key(answer)) is not None:
                tx.update(
                    _answer_key(answer),
                    "SET #is_sent = :yes REMOVE #time_kind, #time ADD #tries :one",
                    "attribute_exists(pk)",
                    yes=True,
                    one=1,
                )
            await submitting.remember_mail(tx, message_id, job.desk, job.thread, set())
            tx.emit(AnswerSent(desk=job.desk.key, job_id=job.id, message_id=message_id))

        await change(self._table, now, work)

    async def answer_failed(
        self, answer: Answer, reason: str, *, retry_at: datetime | None, now: datetime
    ) -> None:
        """The relay did not take it; without *retry_at* it is kept as failed."""
        job = answer.job

        async def work(tx: Change) -> None:
            item = await tx.table.get(_answer_key(answer))
            # What was sent stays sent, whoever reports late.
            if item is None or item["is_sent"]:
                return
            due = "SET #error = :error REMOVE #time_kind, #time ADD #tries :one"
            values: dict[str, Any] = {"error": reason, "one": 1, "no": False}
            if retry_at is not None:
                due = "SET #error = :error, #time_kind = :due, #time = :at ADD #tries :one"
                values |= {"due": DUE, "at": stamp(retry_at)}
            condition = "attribute_exists(pk) AND #is_sent = :no"
            tx.update(_answer_key(answer), due, condition, **values)
            is_final = retry_at is None
            tx.emit(
                AnswerFailed(desk=job.desk.key, job_id=job.id, reason=reason, is_final=is_final)
            )

        await change(self._table, now, work)

    async def _record(self, desk: Desk) -> DeskRecord | None:
        item = await self._table.get(key_of(desk))
        return None if item is None else DeskRecord.from_item(item)

    async def _jobs(self, keys: Sequence[Key]) -> list[Job]:
        return [each.job for each in await self._stored(keys)]

    async def _stored(self, keys: Sequence[Key]) -> list[StoredJob]:
        return await listing.stored(self._table, keys)


def _answer_key(answer: Answer) -> tuple[str, str]:
    return f"job {answer.job.id}", f"answer {answer.number:06d}"
