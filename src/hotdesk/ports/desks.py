"""The verbs of the claim protocol.

Every verb that takes ``now`` is idempotent or conditional, may stop between two of
its steps, and finishes them when it is called again. A verb that takes ``wait`` may
return early and empty: the caller calls again with a fresh ``now``. Each call
answers, or raises ``Unavailable``, well within a third of a lease.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from hotdesk.desks import Claim, Delivery, Desk, DeskView, Interrupt, Job, Json, NewJob, Outcome


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
        """Make a worker known, so that it can be woken, interrupted and drained.

        What a worker of that name held that was killed is freed.

        Raises:
            Rejected: Its id is not a name.
            NotAllowed: A worker of that name is known to be alive.
        """
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
        after a death, and its next claim has a later generation than any before. With a
        *generation* that is not later than the claim's, only the claim ends.
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
