"""The SQLite backend: each verb of the protocol is one short transaction, then a ring."""

import math
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import anyio.lowlevel

from hotdesk.backends.sqlite import (
    approving,
    asking,
    claiming,
    figuring,
    running,
    submitting,
    sweeping,
)
from hotdesk.backends.sqlite.bell import Bell, SocketBell
from hotdesk.backends.sqlite.file import DatabaseFile, Transaction, from_us
from hotdesk.backends.sqlite.records import SqliteRecords
from hotdesk.backends.sqlite.submissions import Submissions
from hotdesk.desks import (
    Claim,
    Delivery,
    Desk,
    DeskView,
    Interrupt,
    InterruptPolicy,
    Job,
    Json,
    NewJob,
    Outcome,
    checked_name,
)
from hotdesk.events import WorkerStarted, WorkerStopped
from hotdesk.lifecycle import Limits
from hotdesk.ports import Clock, Held, SweepReport, WorkerCard, tally_step

# Batches of retention in one sweep: about a million rows a day at a sweep a minute.
RETENTION_BATCHES = 4
# Spans of events that one sweep counts: 200,000 of them, about 500 jobs a second.
COUNT_BATCHES = 100


class SqliteBackend(SqliteRecords):
    """A ``Backend`` on one file that many processes share.

    An object belongs to one event loop. Close it with ``close``.
    """

    def __init__(
        self, path: Path, clock: Clock, *, limits: Limits | None = None, bell: Bell | None = None
    ) -> None:
        """Open *path* and create it if it is missing.

        Raises:
            StoreError: It is damaged, not ours, or too new.
            Unavailable: It is locked, or the disk is full.
        """
        super().__init__(DatabaseFile(path, clock), bell or SocketBell(path))
        self._limits = limits or Limits()
        self._done: dict[str, int] = {}
        self._submissions = Submissions(
            self._write, partial(submitting.submit, limits=self._limits)
        )

    async def register(self, card: WorkerCard, *, now: datetime) -> None:
        """Make a worker known and reachable."""
        # It becomes the name of a socket.
        self._bell.open(checked_name("worker", card.id))

        def work(tx: Transaction) -> None:
            # A process of this name that was killed: what it ran counts, and it drains no more.
            claiming.bury(tx, card.id)
            pinned = card.pinned.key if card.pinned else None
            tx.run("register", worker=card.id, pid=card.pid, pinned=pinned, now=tx.at)
            tx.emit(WorkerStarted(worker_id=card.id))

        await self._write(work, now)

    async def deregister(self, worker_id: str, *, now: datetime) -> None:
        """Forget a worker; what it still holds is freed as after a death."""

        def work(tx: Transaction) -> None:
            for desk in tx.all("desks_of_worker", worker=worker_id):
                claiming.expire(tx, desk)
            if tx.run("forget_worker", worker=worker_id):
                tx.emit(WorkerStopped(worker_id=worker_id, is_clean=True))

        try:
            await self._write(work, now)
        finally:
            self._bell.close(worker_id)

    async def submit(self, jobs: Sequence[NewJob], *, now: datetime) -> list[Job]:
        """Announce, ask and send in one commit, together with others that come at once."""
        return await self._submissions.add(jobs, now)

    async def claim(
        self, worker_id: str, *, wait: timedelta, lease: timedelta, now: datetime
    ) -> Claim | None:
        """Take a due desk, or wait for the bell and return ``None``."""
        # Marked before looking, so that a write right after it is not waited for.
        mark = self._file.others_mark()
        claim = await self._write(
            lambda tx: claiming.claim(tx, worker_id, lease=lease, limits=self._limits), now
        )
        if claim is None and wait > timedelta(0):
            due = self._file.read(lambda tx: tx.row("next_due", now=tx.at), now=now)["due_at"]
            if due is not None:
                wait = min(wait, from_us(due) - now)
            await self._wait(worker_id, wait, mark, now)
        return claim

    async def next_job(
        self, claim: Claim, *, wait: timedelta, now: datetime
    ) -> Delivery | DeskView:
        """Hand over the oldest send, or wait for the bell and say how the desk stands."""
        mark = self._file.others_mark()
        found = await self._write(lambda tx: running.next_job(tx, claim, limits=self._limits), now)
        if isinstance(found, Delivery):
            return found
        is_leaving = found.is_leaving_asked or found.is_draining or found.is_wanted_elsewhere
        if found.has_pending and found.due_at is not None:
            wait = min(wait, max(found.due_at - now, timedelta(0)))
        elif found.has_pending:
            # More sends were dropped than one transaction takes.
            return found
        if not is_leaving and wait > timedelta(0):
            await self._wait(claim.worker_id, wait, mark, now)
        return found

    async def beat(
        self, claim: Claim, delivery: Delivery | None, *, lease: timedelta, now: datetime
    ) -> DeskView:
        """Renew the lease and the active record in one write."""
        done = self._done.pop(claim.worker_id, 0)
        return await self._write(
            lambda tx: claiming.beat(
                tx, claim, delivery, lease=lease, done=done, limits=self._limits
            ),
            now,
        )

    async def extend(self, delivery: Delivery, *, span: timedelta, now: datetime) -> None:
        """Check the claim; there is no message here whose visibility could end."""
        del span
        self._file.read(lambda tx: claiming.held_active(tx, delivery), now=now)

    async def save_partial(
        self, delivery: Delivery, partial: Json, commit: str, *, now: datetime
    ) -> None:
        """Make partial work durable."""
        await self._write(lambda tx: running.save_partial(tx, delivery, partial, commit), now)

    async def seal(self, delivery: Delivery, *, lease: timedelta, now: datetime) -> None:
        """Mark the running job as ending and renew the lease."""
        await self._write(lambda tx: running.seal(tx, delivery, lease=lease), now)

    async def settle(
        self, delivery: Delivery, outcome: Outcome, *, and_next: bool, now: datetime
    ) -> Delivery | None:
        """Record the outcome; the next job of the desk shares its commit."""
        following = await self._write(
            lambda tx: running.settle(
                tx, delivery, outcome, and_next=and_next, limits=self._limits
            ),
            now,
        )
        worker_id = delivery.claim.worker_id
        self._done[worker_id] = self._done.get(worker_id, 0) + 1
        return following

    async def fenced(self, claim: Claim, thread: str, *, now: datetime) -> None:
        """Note that former owners can no longer push to the branch of *thread*."""
        await self._write(lambda tx: claiming.fenced(tx, claim, thread), now)

    async def catch_up(self, claim: Claim, generation: int, *, now: datetime) -> None:
        """Go on behind *generation*, which was met on a branch."""
        await self._write(lambda tx: claiming.catch_up(tx, claim, generation), now)

    async def release(self, claim: Claim, *, now: datetime) -> bool:
        """Leave the desk if nothing is pending."""
        done = self._done.pop(claim.worker_id, 0)
        return await self._write(lambda tx: claiming.release(tx, claim, done=done), now)

    async def give_way(self, claim: Claim, *, now: datetime) -> None:
        """Leave the desk with jobs pending."""
        done = self._done.pop(claim.worker_id, 0)
        await self._write(lambda tx: claiming.give_way(tx, claim, done=done), now)

    def interrupts(self, worker_id: str) -> AsyncIterator[Interrupt]:
        """The interrupts that ring for this worker."""
        return self._bell.interrupts(worker_id)

    async def cancel(self, job_id: str, *, now: datetime) -> Job:
        """End a queued job, or ask its owner to stop it."""
        return await self._write(lambda tx: asking.cancel(tx, job_id), now)

    async def retry(self, job_id: str, *, now: datetime) -> Job:
        """Send an ended job again."""
        return await self._write(lambda tx: asking.retry(tx, job_id), now)

    async def discard(self, job_id: str, *, now: datetime) -> None:
        """Remove a dead or failed job."""
        await self._write(lambda tx: asking.discard(tx, job_id), now)

    async def pause(self, desk: Desk, *, now: datetime) -> None:
        """Stop serving the desk."""
        await self._write(lambda tx: asking.pause(tx, desk, is_paused=True), now)

    async def resume(self, desk: Desk, *, now: datetime) -> None:
        """Serve the desk again."""
        await self._write(lambda tx: asking.pause(tx, desk, is_paused=False), now)

    async def ask_release(self, desk: Desk, *, now: datetime) -> None:
        """Ask the owner to leave the desk after its job."""
        await self._write(lambda tx: asking.ask_release(tx, desk), now)

    async def drain(self, worker_id: str, *, now: datetime) -> None:
        """Ask a worker to finish and take no more."""
        await self._write(lambda tx: asking.drain(tx, worker_id), now)

    async def retire(self, worker_id: str, *, now: datetime) -> bool:
        """Drain a worker only if it holds no desk."""
        return await self._write(lambda tx: asking.retire(tx, worker_id), now)

    async def pin(self, desks: Iterable[Desk], *, now: datetime) -> None:
        """Reserve exactly these desks for pinned workers."""
        wanted = list(desks)
        await self._write(lambda tx: asking.pin(tx, wanted), now)

    async def hold(self, job: NewJob, reason: str, *, now: datetime) -> None:
        """Keep a job until it is approved or dropped."""
        await self._write(lambda tx: approving.hold(tx, job, reason), now)

    async def held(
        self, *, desk: Desk | None = None, thread: str | None = None, limit: int = 100
    ) -> list[Held]:
        """What waits, oldest first."""
        return self._file.read(lambda tx: approving.held(tx, desk, thread, limit))

    async def held_job(self, job_id: str) -> Held:
        """One of them."""
        return self._file.read(lambda tx: approving.held_job(tx, job_id))

    async def approve(
        self, job_id: str, *, interrupt: InterruptPolicy, by: str, now: datetime
    ) -> Job:
        """Submit what waits, or find it submitted."""
        return await self._write(
            lambda tx: approving.approve(
                tx, job_id, interrupt=interrupt, by=by, limits=self._limits
            ),
            now,
        )

    async def drop_held(self, job_id: str, *, by: str, now: datetime) -> None:
        """Forget what waits, unless it is a job by now."""
        await self._write(lambda tx: approving.drop_held(tx, job_id, by), now)

    async def count(self, name: str, amount: int, *, now: datetime) -> None:
        """Add *amount* to the step of *now*."""
        step = tally_step(now)
        await self._write(lambda tx: tx.run("count", tally=name, step=step, amount=amount), now)

    async def counted(self, name: str, *, since: datetime) -> int:
        """What was added from the step of *since* on."""
        step = tally_step(since)
        return int(self._file.read(lambda tx: tx.row("counted", tally=name, since=step))["amount"])

    async def sweep(self, *, retention: timedelta | None, now: datetime) -> SweepReport:
        """Free what the dead left, wake who can help, remove what is old."""
        dead = [w.id for w in await self.workers() if not self._bell.is_alive(w.id)]
        for worker_id in dead:
            await self._bury(worker_id, now)
        self._bell.tidy()
        lapsed, waiting = await self._write(lambda tx: sweeping.free_lapsed(tx, self._limits), now)
        await self._count_events(now)
        removed = 0 if retention is None else await self._remove_old(retention, now)
        return SweepReport(
            lapsed_owners=lapsed,
            dead_workers=len(dead),
            jobs_removed=removed,
            desks_waiting=waiting,
        )

    async def _count_events(self, now: datetime) -> None:
        for _ in range(COUNT_BATCHES):
            found = self._file.read(figuring.uncounted)
            if found.is_all and not found.steps:
                # The few events that are read again by the next sweep are worth no write.
                return
            # Nobody is woken: who looks was shown these events before they were counted.
            is_counted, _ = await self._file.write(partial(figuring.count, found=found), now=now)
            if found.is_all or not is_counted:
                return
            await anyio.lowlevel.checkpoint()

    async def _remove_old(self, retention: timedelta, now: datetime) -> int:
        removed = 0
        for _ in range(RETENTION_BATCHES):
            batch = await self._write(lambda tx: sweeping.remove_old(tx, retention), now)
            removed += batch
            if batch < sweeping.BATCH:
                break
        return removed

    async def _wait(self, worker_id: str, span: timedelta, mark: int, now: datetime) -> None:
        """Wait for a ring, a death, or a write that nobody rang for, at most *span*."""
        others = self._file.read(lambda tx: tx.all("other_workers", worker=worker_id))
        self._bell.watch((row["id"], row["pid"]) for row in others)
        dead = [row["id"] for row in others if not self._bell.is_alive(row["id"])]
        if not dead:
            for _ in range(max(1, math.ceil(span / self._bell.poll))):
                if await self._bell.wait(worker_id, min(self._bell.poll, span)):
                    break
                if self._file.others_mark() != mark:
                    return
            dead = [each for each in self._bell.take_dead() if not self._bell.is_alive(each)]
        for each in dead:
            await self._bury(each, now)
