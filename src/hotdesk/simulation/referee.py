"""Watches a simulated store after every call, and says what must never be.

It keeps its own account from the events alone and compares it with the records, so
that neither can be wrong unseen.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import anyio

from hotdesk.desks import (
    Delivery,
    Desk,
    Interrupt,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Json,
)
from hotdesk.lifecycle import LEASE, Limits
from hotdesk.ports import Backend
from hotdesk.simulation.accounts import Accounts, demand
from hotdesk.simulation.process import SimulatedProcess

QUEUE_MAX = 1000
# On its own machine a death is noticed by the next sweep; the disk may be full till then.
DEAD_MAX = timedelta(minutes=10)


class Referee:
    """Checks the invariants of the protocol."""

    def __init__(self, store: Backend, limits: Limits, *, has_kept_clocks: bool = True) -> None:
        """Look at the store through a connection of its own.

        Unless ``has_kept_clocks``, any lease may end early: the taker's clock is ahead.
        """
        self._has_kept_clocks = has_kept_clocks
        self._store = store
        self._limits = limits
        self._cursor = ""
        self._digest = hashlib.sha256()
        self._accounts = Accounts(limits, is_excused=self._is_excused, clock=anyio.current_time)
        self.processes: dict[str, SimulatedProcess] = {}
        self.jobs = self._accounts.jobs
        self.desks = self._accounts.desks
        self.seen: Counter[str] = Counter()

    @property
    def digest(self) -> str:
        """A fingerprint of every event so far: equal for equal runs."""
        return self._digest.hexdigest()

    async def look(self) -> None:
        """Take account of what happened since the last look, and check the desks concerned."""
        desks, jobs = set(), set()
        while events := await self._store.events(after=self._cursor):
            policies: dict[str, InterruptPolicy] = {}
            if any(event.kind == "JobSubmitted" for event in events):
                newest = await self._store.jobs(limit=QUEUE_MAX)
                policies = {job.id: job.interrupt for job in newest}
            for event in events:
                self.seen[event.kind] += 1
                self._digest.update(repr(event).encode())
                self._accounts.take(event, policies)
                desks.add(event.desk)
                jobs.add(event.job_id)
            self._cursor = events[-1].cursor
        for key in sorted(desks - {""}):
            await self._check(Desk.from_key(key))
        for job_id in sorted(jobs - {""}):
            await self._check_job(job_id)

    @contextmanager
    def watching(self, delivery: Delivery, process: SimulatedProcess) -> Iterator[None]:
        """A handler runs *delivery* within the block, in *process*."""
        desk, job = self.desks[delivery.job.desk.key], delivery.job
        generation = delivery.claim.generation
        demand(generation not in desk.running, f"two handlers run in generation {generation}")
        if generation == desk.generation:
            self._check_delivery(delivery)
        desk.running.add(generation)
        try:
            yield
        finally:
            desk.running.discard(generation)
            if generation < desk.generation and not process.is_dead:
                # Nobody tells a worker that was cut off: it sees for itself, within a lease.
                since = max(desk.claimed_at, process.thaws_at)
                late = timedelta(seconds=anyio.current_time() - since)
                demand(
                    late <= (LEASE if self._may_be_late(process) else timedelta(0)),
                    f"{job.id} ran on for {late} after its claim was lost",
                )

    def note_stop(
        self, delivery: Delivery, interrupt: Interrupt, process: SimulatedProcess
    ) -> None:
        """A handler obeys *interrupt*; there must be a reason for it."""
        if delivery.claim.generation != self.desks[delivery.job.desk.key].generation:
            return
        running = self.jobs[delivery.job.id]
        running.stopped_in = delivery.claim.generation
        newer = self.jobs.get(interrupt.by)
        is_told = process.is_told_to_end or delivery.claim.worker_id in self._accounts.draining
        is_meant = {
            InterruptReason.CANCEL: running.is_cancel_asked,
            InterruptReason.DRAIN: is_told,
            InterruptReason.PREEMPT: newer is not None
            and self._accounts.may_preempt(newer, running),
        }[interrupt.reason]
        demand(is_meant, f"{delivery.job.id} stops for {interrupt}, which is not meant for it")

    def note_cancel(self, job_id: str) -> None:
        """Somebody was told that a job is cancelled."""
        job = self.jobs[job_id]
        is_heard = job.is_cancel_asked or job.state is JobState.CANCELLED
        demand(is_heard, f"{job_id}: a cancel was answered, and nothing came of it")

    def note_published(self, delivery: Delivery) -> None:
        """What a handler did is public."""
        job, generation = delivery.job, delivery.claim.generation
        fence = self.desks[job.desk.key].fences.get(job.thread, 0)
        demand(generation >= fence, f"{job.id} is published behind the fence of {fence}")
        self.jobs[job.id].published_in = generation

    def note_saved(self, delivery: Delivery, partial: int) -> None:
        """A handler was told that *partial* is durable."""
        job = self.jobs[delivery.job.id]
        job.saved = max(job.saved, partial)

    def check_the_dead(self) -> None:
        """Whoever is dead holds no desk for long, whatever else goes wrong."""
        for key, desk in self.desks.items():
            holder = self.processes.get(desk.holder)
            if holder is not None and holder.is_dead:
                held = timedelta(seconds=anyio.current_time() - holder.died_at)
                demand(held < DEAD_MAX, f"{key} is held by {desk.holder}, dead for {held}")

    def check_answers(self, taken: Counter[str], *, repeats_max: int) -> None:
        """Each outcome was answered by one mail; the same one went out again at worst."""
        sent: Counter[str] = Counter()
        for job_id, job in self.jobs.items():
            owed = job.outcomes if job.is_by_mail else 0
            demand(len(job.answers) == owed, f"{job_id}: {job.answers} for {owed} outcomes")
            sent.update(job.answers)
        demand(set(sent) == set(taken), f"{set(taken)} were taken, {set(sent)} sent")
        demand(not sent or max(sent.values()) == 1, "two outcomes have one answer")
        repeats = taken.total() - len(taken)
        demand(repeats <= repeats_max, f"{repeats} answers went out again, not {repeats_max}")

    async def is_quiet(self) -> bool:
        """Whether no worker is registered any more."""
        return not await self._store.workers()

    async def conclude(self) -> None:
        """Check that nothing is left behind."""
        await self.look()
        for key, account in self.desks.items():
            desk = await self._store.desk(Desk.from_key(key))
            demand(desk.pending == 0, f"{key}: {desk.pending} jobs are pending")
            demand(not desk.owner, f"{key}: {desk.owner} still holds the desk")
            demand(desk.lease_until is None, f"{key}: a lease is left")
            demand(not desk.active_job, f"{key}: {desk.active_job} is still active")
            demand(not account.running, f"{key}: a handler still runs")
        for job_id, job in self.jobs.items():
            demand(job.state.is_ended, f"{job_id} has no outcome")
            await self._check_job(job_id)
        demand(not await self._store.workers(), "a worker is still registered")

    # ------------------------------------------------------------- against the records

    def _is_excused(self, worker_id: str) -> bool:
        process = self.processes.get(worker_id)
        return not self._has_kept_clocks or process is None or process.was_troubled

    def _may_be_late(self, process: SimulatedProcess) -> bool:
        """Whether a worker may still run a job although another one holds the desk."""
        return process.was_frozen or not self._has_kept_clocks

    def _check_delivery(self, delivery: Delivery) -> None:
        """What is handed over is all that the thread still owes, with the work that was saved."""
        job = delivery.job
        owed = self.desks[job.desk.key].owed[job.thread] - {job.id}
        expected = sorted(owed, key=lambda each: self.jobs[each].order)
        folded = [each.job_id for each in delivery.folded]
        demand(folded == expected, f"{job.id}: {folded}, owed {expected}")
        for job_id, partial in (
            (job.id, job.partial),
            *((f.job_id, f.partial) for f in delivery.folded),
        ):
            saved = self.jobs[job_id].saved
            demand(_steps(partial) >= saved, f"{job_id}: {partial} is left of {saved} saved steps")

    async def _check(self, desk: Desk) -> None:
        account, status = self.desks[desk.key], await self._store.desk(desk)
        queue = await self._store.queue(desk, limit=QUEUE_MAX)
        demand(status.generation == account.generation, f"{desk}: {status.generation}")
        demand(status.owner == account.holder, f"{desk}: {status.owner}, not {account.holder}")
        demand(status.active_job == account.active, f"{desk}: active is {status.active_job}")
        demand(status.is_paused == account.is_paused, f"{desk}: paused is {status.is_paused}")
        demand(status.pending == len(queue), f"{desk}: {status.pending}, not {len(queue)}")
        live = [each for each in account.jobs if not self.jobs[each].state.is_ended]
        live.sort(key=lambda each: self.jobs[each].place)
        # Whoever runs is the first in the order of hand-over; nobody overtakes.
        demand([job.id for job in queue] == live, f"{desk}: {queue} is not {live}")
        running = [job.id for job in queue if job.state is JobState.RUNNING]
        demand(running == ([account.active] if account.active else []), f"{desk}: {running} run")
        demand(running == live[: len(running)], f"{desk}: {running} before {live}")

    async def _check_job(self, job_id: str) -> None:
        limits, job, account = self._limits, await self._store.job(job_id), self.jobs[job_id]
        demand(job.state is account.state, f"{job_id} is {job.state}, not {account.state}")
        demand(job.attempt <= limits.attempts_max, f"{job_id}: attempt {job.attempt}")
        demand(job.preemptions <= limits.preemptions_max, f"{job_id}: {job.preemptions}")
        if job.given_back < limits.given_back_max:
            demand(
                job.attempt == account.attempt, f"{job_id}: {job.attempt}, not {account.attempt}"
            )
        demand(
            _steps(job.partial) >= account.saved, f"{job_id}: {account.saved} saved steps are lost"
        )


def _steps(partial: Json) -> int:
    return partial if isinstance(partial, int) else 0
