"""Watches a simulated store after every call, and says what must never be.

It keeps its own account from the events alone and compares it with the records, so
that neither can be wrong unseen.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import anyio

from hotdesk.desks import Delivery, Desk, JobState
from hotdesk.events import StoredEvent
from hotdesk.lifecycle import LEASE, Limits
from hotdesk.ports import Backend
from hotdesk.simulation.process import SimulatedProcess


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class JobAccount:
    """What the events have told of one job."""

    thread: str
    order: int
    state: JobState = JobState.QUEUED
    is_cancel_asked: bool = False


@dataclass(slots=True)
class DeskAccount:
    """What the events have told of one desk."""

    generation: int = 0
    claimed_at: float = 0.0
    holder: str = ""
    active: str = ""
    # Interrupted jobs of each thread since its last success.
    owed: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    # Who runs a handler now: generations, each once.
    running: set[int] = field(default_factory=set)


class Referee:
    """Checks the invariants of the protocol."""

    def __init__(self, store: Backend, limits: Limits) -> None:
        """Look at the store through a connection of its own."""
        self._store = store
        self._limits = limits
        self._cursor = ""
        self._digest = hashlib.sha256()
        self.processes: dict[str, SimulatedProcess] = {}
        self.jobs: dict[str, JobAccount] = {}
        self.desks: defaultdict[str, DeskAccount] = defaultdict(DeskAccount)
        self.seen: Counter[str] = Counter()

    @property
    def digest(self) -> str:
        """A fingerprint of every event so far: equal for equal runs."""
        return self._digest.hexdigest()

    async def look(self) -> None:
        """Take account of what happened since the last look, and check the desks concerned."""
        desks, jobs = set(), set()
        while events := await self._store.events(after=self._cursor):
            for event in events:
                self._take(event)
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
        _demand(generation not in desk.running, f"two handlers run in generation {generation}")
        owed = desk.owed[job.thread] - {job.id}
        expected = sorted(owed, key=lambda each: self.jobs[each].order)
        folded = [each.job_id for each in delivery.folded]
        is_current = generation == desk.generation
        _demand(not is_current or folded == expected, f"{job.id}: {folded}, owed {expected}")
        desk.running.add(generation)
        try:
            yield
        finally:
            desk.running.discard(generation)
            if generation < desk.generation and not process.is_dead:
                # Nobody tells a worker that was cut off: it sees for itself, within a lease.
                since = max(desk.claimed_at, process.thaws_at)
                late = timedelta(seconds=anyio.current_time() - since)
                _demand(late <= LEASE, f"{job.id} ran on for {late} after its claim was lost")

    async def is_quiet(self) -> bool:
        """Whether no worker is registered any more."""
        return not await self._store.workers()

    async def conclude(self) -> None:
        """Check that nothing is left behind."""
        await self.look()
        for key, account in self.desks.items():
            desk = await self._store.desk(Desk.from_key(key))
            _demand(desk.pending == 0, f"{key}: {desk.pending} jobs are pending")
            _demand(not desk.owner, f"{key}: {desk.owner} still holds the desk")
            _demand(desk.lease_until is None, f"{key}: a lease is left")
            _demand(not desk.active_job, f"{key}: {desk.active_job} is still active")
            _demand(not account.running, f"{key}: a handler still runs")
        for job_id, job in self.jobs.items():
            _demand(job.state.is_ended, f"{job_id} has no outcome")
            await self._check_job(job_id)
        _demand(not await self._store.workers(), "a worker is still registered")

    # ------------------------------------------------------------------ the account

    def _take(self, event: StoredEvent) -> None:
        self.seen[event.kind] += 1
        self._digest.update(repr(event).encode())
        if not event.desk:
            return
        desk = self.desks[event.desk]
        match event.kind:
            case "JobSubmitted":
                thread = str(event.details["thread"])
                self.jobs[event.job_id] = JobAccount(thread, int(event.cursor))
            case "DeskClaimed":
                _demand(not desk.holder, f"{event.desk} has two holders")
                _demand(event.generation == desk.generation + 1, f"{event} does not follow")
                desk.generation = event.generation
                desk.claimed_at = anyio.current_time()
                desk.holder = str(event.details["worker_id"])
            case "LeaseExpired" | "DeskReleased" | "DeskGivenWay":
                if event.kind == "LeaseExpired":
                    self._check_expiry(str(event.details["worker_id"]))
                _demand(event.generation == desk.generation, f"{event} is stale")
                if desk.active:
                    self.jobs[desk.active].state = JobState.QUEUED
                desk.holder = desk.active = ""
            case "CancelAsked":
                self.jobs[event.job_id].is_cancel_asked = True
            case "JobStarted":
                self._take_start(event, desk, self.jobs[event.job_id])
            case "JobEnded" | "JobPutBack" | "JobRetried" | "AttemptFailed" | "AttemptGivenBack":
                self._take_turn(event, desk, self.jobs[event.job_id])

    def _take_start(self, event: StoredEvent, desk: DeskAccount, job: JobAccount) -> None:
        _demand(job.state is JobState.QUEUED, f"{event} of a job that is {job.state}")
        _demand(event.details["worker_id"] == desk.holder, f"{event} is not the holder's")
        _demand(event.generation == desk.generation, f"{event} is stale")
        _demand(not desk.active, f"{event} while {desk.active} is active")
        desk.active, job.state = event.job_id, JobState.RUNNING

    def _take_turn(self, event: StoredEvent, desk: DeskAccount, job: JobAccount) -> None:
        is_retry = event.kind == "JobRetried"
        _demand(job.state.is_ended == is_retry, f"{event} of a job that is {job.state}")
        if desk.active == event.job_id:
            desk.active = ""
        ended = JobState(str(event.details["state"])) if event.kind == "JobEnded" else None
        job.state = ended or JobState.QUEUED
        if ended is not None and job.is_cancel_asked:
            _demand(ended is JobState.CANCELLED, f"{event}, although it was cancelled in time")
        owed = desk.owed[job.thread]
        if is_retry:
            job.order, job.is_cancel_asked = int(event.cursor), False
            owed.discard(event.job_id)
        elif ended is JobState.SUCCEEDED:
            owed.clear()
        elif ended is JobState.PREEMPTED:
            owed.add(event.job_id)

    # ------------------------------------------------------------- against the records

    def _check_expiry(self, worker_id: str) -> None:
        process = self.processes.get(worker_id)
        is_excused = process is None or process.was_troubled
        _demand(is_excused, f"the lease of {worker_id} ended, though nothing had happened to it")

    async def _check(self, desk: Desk) -> None:
        account, status = self.desks[desk.key], await self._store.desk(desk)
        queue = await self._store.queue(desk, limit=1000)
        _demand(status.generation == account.generation, f"{desk}: {status.generation}")
        _demand(status.owner == account.holder, f"{desk}: {status.owner}, not {account.holder}")
        _demand(status.active_job == account.active, f"{desk}: active is {status.active_job}")
        _demand(status.pending == len(queue), f"{desk}: {status.pending}, not {len(queue)}")
        running = [job.id for job in queue if job.state is JobState.RUNNING]
        _demand(running == ([account.active] if account.active else []), f"{desk}: {running} run")
        # Whoever runs is the first in the order of hand-over; nobody overtakes.
        _demand(queue[: len(running)] == [j for j in queue if j.id in running], f"{desk}: order")

    async def _check_job(self, job_id: str) -> None:
        limits, job = self._limits, await self._store.job(job_id)
        state = self.jobs[job_id].state
        _demand(job.state is state, f"{job_id} is {job.state}, not {state}")
        _demand(job.attempt <= limits.attempts_max, f"{job_id}: attempt {job.attempt}")
        _demand(job.preemptions <= limits.preemptions_max, f"{job_id}: {job.preemptions}")


def _demand(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise Violation(otherwise)
