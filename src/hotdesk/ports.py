"""What the engine needs of the outside: desks, records, a runner, a clock.

``Desks`` has the verbs of the claim protocol. Every verb that takes ``now`` is
idempotent or conditional, may stop between two of its steps, and finishes them
when it is called again. A verb that takes ``wait`` may return early and empty:
the caller calls again with a fresh ``now``. Each call answers, or raises
``Unavailable``, well within a third of a lease.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from hotdesk.desks import (
    Claim,
    Delivery,
    Desk,
    DeskStatus,
    DeskView,
    Interrupt,
    Interrupted,
    Job,
    JobState,
    Json,
    NewJob,
    Outcome,
    Result,
    WorkerStatus,
)
from hotdesk.events import Event, StoredEvent


class Clock(Protocol):
    """The only source of time. Simulation puts its own in place."""

    def now(self) -> datetime:
        """The instant, aware and in UTC; it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring this process's own spans."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Return after *span*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCard:
    """What a worker says of itself when it registers. ``pinned`` serves that desk only."""

    id: str
    pid: int
    pinned: Desk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What one sweep found and did, in counts."""

    lapsed_owners: int = 0
    dead_workers: int = 0
    jobs_removed: int = 0
    desks_waiting: int = 0


class Desks(Protocol):
    """The verbs of the claim protocol; see ``docs/protocol.md`` for their steps."""

    async def register(self, card: WorkerCard, *, now: datetime) -> None:
        """Make a worker known, so that it can be woken, interrupted and drained."""
        ...

    async def deregister(self, worker_id: str, *, now: datetime) -> None:
        """Forget a worker that holds no desk."""
        ...

    async def submit(self, jobs: Sequence[NewJob], *, now: datetime) -> list[Job]:
        """Announce, ask and send: durable on return, all in one commit.

        A job whose id is known is returned as it stands, and nothing is changed.

        Raises:
            Rejected: A known id belongs to another desk.
            Unavailable: See ``committed``; submitting again with the same ids is safe.
        """
        ...

    async def claim(
        self, worker_id: str, *, wait: timedelta, lease: timedelta, now: datetime
    ) -> Claim | None:
        """Take the due desk that has been longest without an owner; recover what was left.

        Waits up to *wait* for one; ``None`` means call again. A worker that holds
        a desk already, because the answer was lost, is given that claim again.

        Raises:
            NotAllowed: The worker is draining.
            NotFound: The worker is not registered, or was taken for dead.
        """
        ...

    async def next_job(
        self, claim: Claim, *, wait: timedelta, now: datetime
    ) -> Delivery | DeskView:
        """Hand over the oldest send: register, count the attempt, decide.

        Without one, waits up to *wait* and returns the desk as it stands.

        Raises:
            ClaimLost: A later generation exists.
        """
        ...

    async def beat(
        self, claim: Claim, delivery: Delivery | None, *, lease: timedelta, now: datetime
    ) -> DeskView:
        """Move the end of the lease to ``now + lease`` and keep the running job alive.

        Returns the desk as it stands, so that a lost interrupt is noticed here.

        Raises:
            ClaimLost: A later generation exists, or the send is over.
            Unavailable: The backend did not answer. The old lease still runs.
        """
        ...

    async def extend(self, delivery: Delivery, *, span: timedelta, now: datetime) -> None:
        """Keep the message of the running job invisible for *span* more, where there is one.

        Raises:
            ClaimLost: A later generation exists.
        """
        ...

    async def save_partial(
        self, delivery: Delivery, partial: Json, commit: str, *, now: datetime
    ) -> None:
        """Make partial work durable; an empty *commit* keeps the one saved before.

        Raises:
            ClaimLost: A later generation exists, or the send is over.
        """
        ...

    async def seal(self, delivery: Delivery, *, lease: timedelta, now: datetime) -> None:
        """Mark the running job as ending, and renew the lease: publishing follows.

        Raises:
            ClaimLost: A later generation exists, or the send is over.
            NotAllowed: The job was cancelled meanwhile.
        """
        ...

    async def settle(
        self, delivery: Delivery, outcome: Outcome, *, and_next: bool, now: datetime
    ) -> Delivery | None:
        """Record the outcome and clear its traces; the answer is due with it.

        With ``and_next`` a backend may hand over the desk's next job in the same
        commit. Settling the same delivery again changes nothing.

        Raises:
            ClaimLost: A later generation exists, or the send is over.
        """
        ...

    async def fenced(self, claim: Claim, thread: str, *, now: datetime) -> None:
        """Note that former owners can no longer push to the branch of *thread*."""
        ...

    async def catch_up(self, claim: Claim, generation: int, *, now: datetime) -> None:
        """Go on behind *generation*, which was met on a branch although the record is older.

        That happens when the store was restored from a backup. The desk is left as
        after a death, and its next claim has a later generation than any before.
        Nothing happens when the claim does not hold.
        """
        ...

    async def release(self, claim: Claim, *, now: datetime) -> bool:
        """Leave the desk if nothing is pending; ``False`` means go on serving.

        Raises:
            ClaimLost: A later generation exists.
        """
        ...

    async def give_way(self, claim: Claim, *, now: datetime) -> None:
        """Leave the desk although jobs are pending; another worker may claim it.

        An active job becomes the next to be handed over; its attempt counts.

        Raises:
            ClaimLost: A later generation exists.
        """
        ...

    def interrupts(self, worker_id: str) -> AsyncIterator[Interrupt]:
        """The stream of interrupts for this worker; may repeat, come late or be lost."""
        ...

    async def cancel(self, job_id: str, *, now: datetime) -> Job:
        """End a queued job now, or ask its owner to stop it.

        Raises:
            NotFound: No such job.
            NotAllowed: It has ended, or has begun to publish.
        """
        ...

    async def retry(self, job_id: str, *, now: datetime) -> Job:
        """Send an ended job again, as the newest of its desk, with attempts at zero.

        Raises:
            NotFound: No such job.
            NotAllowed: It has not ended, succeeded, or was preempted while a job
                of its thread is pending.
        """
        ...

    async def discard(self, job_id: str, *, now: datetime) -> None:
        """Remove a dead or failed job.

        Raises:
            NotFound: No such job.
            NotAllowed: It is neither dead nor failed.
        """
        ...

    async def pause(self, desk: Desk, *, now: datetime) -> None:
        """Stop serving the desk once its running job is over."""
        ...

    async def resume(self, desk: Desk, *, now: datetime) -> None:
        """Serve a paused desk again."""
        ...

    async def ask_release(self, desk: Desk, *, now: datetime) -> None:
        """Ask the owner to leave the desk after its running job."""
        ...

    async def drain(self, worker_id: str, *, now: datetime) -> None:
        """Ask a worker to hand back what it has and take no more."""
        ...

    async def retire(self, worker_id: str, *, now: datetime) -> bool:
        """Drain a worker only if it holds no desk; whether it does now."""
        ...

    async def pin(self, desks: Iterable[Desk], *, now: datetime) -> None:
        """Reserve exactly these desks for workers that are pinned to them."""
        ...

    async def sweep(self, *, retention: timedelta | None, now: datetime) -> SweepReport:
        """The guarantee behind the fast path: free what the dead left, wake who can help.

        With *retention*, also remove what ended longer ago than that.
        """
        ...


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
    ) -> list[Job]:
        """Jobs, newest first."""
        ...

    async def queue(self, desk: Desk, *, limit: int = 100) -> list[Job]:
        """The pending jobs of a desk in the order of their hand-over, the running one first."""
        ...

    async def position(self, job: Job) -> int:
        """How many jobs of its desk are handed over before this pending one; 0 is next."""
        ...

    async def desks(self, *, waiting: bool = False, limit: int = 100) -> list[DeskStatus]:
        """Desks that have an owner or pending jobs first; only the waiting ones on demand."""
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

    async def threads(self, *, desk: Desk | None = None, limit: int = 100) -> list[ThreadView]:
        """Conversations, the latest first."""
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

    async def changed(self, seen: int | None, *, wait: timedelta) -> int:
        """Wait until something was written after the mark *seen*, at most *wait*.

        Returns a mark for the next call; at once without *seen*. Take the mark
        first and look then, so that nothing is missed.
        """
        ...

    async def thread_of_mail(self, message_id: str) -> tuple[Desk, str] | None:
        """The desk and thread that a mail belongs to, sent or received."""
        ...

    async def due_answers(self, *, limit: int, now: datetime) -> list[Answer]:
        """Answers that should be sent now, oldest first."""
        ...

    async def answer_sent(self, answer: Answer, message_id: str, *, now: datetime) -> None:
        """The relay took it: never send it again; *message_id* belongs to the thread now."""
        ...

    async def answer_failed(
        self, answer: Answer, reason: str, *, retry_at: datetime | None, now: datetime
    ) -> None:
        """The relay did not take it; without *retry_at* it is kept as failed."""
        ...


class Backend(Desks, Records, Protocol):
    """Both, on one store."""

    async def close(self) -> None:
        """Give back what this process holds of the store."""
        ...


class Context(Protocol):
    """What a handler or runner is given beside its job."""

    @property
    def interrupted(self) -> Interruption:
        """Set when the attempt should stop: test ``is_set()`` or ``await wait()``."""
        ...

    @property
    def folded(self) -> tuple[Interrupted, ...]:
        """The interrupted jobs of the thread that this one continues, oldest first."""
        ...

    @property
    def partial(self) -> Json:
        """What an earlier attempt of this same job saved last, or ``None``."""
        ...

    async def save_partial(self, partial: Json = None, *, commit: str = "") -> None:
        """Make partial work durable; it survives whatever happens next.

        Raises:
            ClaimLost: Another worker holds the desk; stop.
        """
        ...

    async def log(self, text: str) -> None:
        """Add to the job's log. Beyond the log's bound the text is dropped, with a note."""
        ...

    async def confirm(self) -> None:
        """Prove, by renewing it, that the claim still holds; just before a change outside.

        Raises:
            ClaimLost: Another worker holds the desk, or may hold it; stop.
        """
        ...


class Interruption(Protocol):
    """Whether, and why, an attempt should stop."""

    @property
    def reason(self) -> Interrupt | None:
        """The interrupt, once it came."""
        ...

    def is_set(self) -> bool:
        """Whether the attempt should stop, without waiting."""
        ...

    async def wait(self) -> None:
        """Return once the attempt should stop."""
        ...


class Runner(Protocol):
    """How an attempt is carried out; the worker calls the phases in this order.

    ``take_over`` once per claim whose desk the former owner left uncleanly, then
    for each job ``run``, and either ``publish`` (finished) or ``keep`` (stopped,
    failed, or out of time), and ``leave`` when the claim ends.
    """

    @property
    def publishes(self) -> bool:
        """Whether ``publish`` changes anything outside; the job is sealed before it."""
        ...

    async def take_over(self, claim: Claim, thread: str) -> None:
        """End what the former owner left running and fence the branch of *thread*.

        Raises:
            ClaimLost: A later generation has been there.
            AttemptFailed: The origin cannot be reached; try again later.
        """
        ...

    async def run(self, delivery: Delivery, context: Context) -> Result | None:
        """Carry out the job. A ``Result`` says that it is finished, even if interrupted.

        ``None`` after an interrupt says that it stopped early. Cancelled when it
        ignores the interrupt for the grace time, or at the job's time limit; then
        it ends every process that it started.

        Raises:
            AttemptFailed: It came to nothing.
        """
        ...

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Save what a stopped attempt has done so far."""
        ...

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Make the finished work visible; from here the outcome stands.

        Raises:
            ClaimLost: A later generation has been there; nothing was published.
            AttemptFailed: It could not be published.
        """
        ...

    async def leave(self, claim: Claim) -> None:
        """Give back what the runner holds for this claim."""
        ...


class Process(Protocol):
    """A started worker, as the pool sees it."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    async def wait(self) -> int:
        """Its exit status, once it has ended; negative for a signal."""
        ...

    def terminate(self) -> None:
        """Ask it to drain."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...


class Launcher(Protocol):
    """Starts workers."""

    async def start(self, worker_id: str, pinned: Desk | None) -> Process:
        """Start one worker.

        Raises:
            OSError: It cannot be started.
        """
        ...
