"""The AWS backend: each verb of the protocol is one transaction, with messages around it."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Self, TypeVar

from hotdesk.backends.aws import (
    approving,
    asking,
    carrying,
    claiming,
    counting,
    figuring,
    registering,
    running,
    submitting,
    sweeping,
)
from hotdesk.backends.aws.address import stack_of
from hotdesk.backends.aws.bell import Bell
from hotdesk.backends.aws.blobs import Blobs
from hotdesk.backends.aws.bucket import Bucket
from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.aws.change import Apart, Change, change
from hotdesk.backends.aws.desk import DeskRecord
from hotdesk.backends.aws.inbox import Inbox
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.queues import POLL
from hotdesk.backends.aws.records import AwsRecords
from hotdesk.backends.aws.rows import worker_key
from hotdesk.backends.aws.table import Table
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
)
from hotdesk.errors import ClaimLost, Unavailable
from hotdesk.lifecycle import Limits
from hotdesk.ports import Clock, Held, SweepReport, WorkerCard

T = TypeVar("T")


class AwsBackend(AwsRecords):
    """A ``Backend`` on one stack that many machines share.

    An object belongs to one event loop. Close it with ``close``.
    """

    def __init__(
        self, calls: Calls, stack: str, clock: Clock, *, limits: Limits | None = None
    ) -> None:
        """Use the stack *stack*; own *calls* until ``close``."""
        self._calls = calls
        self._post = Post(calls, stack)
        self._bell = Bell(self._post.queues)
        self._limits = limits or Limits()
        self._done: dict[str, int] = {}
        # Tells this process from another one that runs, or ran, under a name of its workers.
        self._process = secrets.token_hex(8)
        self._registered: set[str] = set()
        blobs = Blobs(Bucket(calls, stack))
        super().__init__(Table(calls, f"{stack}-desks", blobs), clock)
        self._inbox = Inbox(self._table, self._post, self._limits)

    @classmethod
    def open(cls, url: str, clock: Clock, *, limits: Limits | None = None) -> Self:
        """Use the stack that ``aws://REGION/STACK`` names.

        Raises:
            ConfigError: It is not such a URL.
        """
        region, stack = stack_of(url)
        return cls(Calls(region), stack, clock, limits=limits)

    async def register(self, card: WorkerCard, *, now: datetime) -> None:
        """Make a worker known and reachable."""
        await registering.register(self._table, self._post, card, process=self._process, now=now)
        self._registered.add(card.id)

    async def deregister(self, worker_id: str, *, now: datetime) -> None:
        """Forget a worker; what it still holds is freed as after a death."""
        self._registered.discard(worker_id)
        await registering.deregister(
            self._table, self._post, worker_id, process=self._process, now=now
        )
        if self._bell.leave(worker_id):
            # It may have been the last worker: a pool at zero starts one for a request only.
            await claiming.ask_for_waiting(self._table, self._post, now)

    async def submit(self, jobs: Sequence[NewJob], *, now: datetime) -> list[Job]:
        """Announce, ask and send; more than a transaction holds in several of them."""
        submitted: list[Job] = []
        if len(jobs) > submitting.TOGETHER_MAX:
            # A job that is refused must be found before any other is written.
            await submitting.check(self._table, jobs)
        for start in range(0, len(jobs), submitting.TOGETHER_MAX):
            part = jobs[start : start + submitting.TOGETHER_MAX]
            submitted += await self._change(
                now,
                partial(submitting.submit, post=self._post, jobs=part, limits=self._limits),
            )
        return submitted

    async def claim(
        self, worker_id: str, *, wait: timedelta, lease: timedelta, now: datetime
    ) -> Claim | None:
        """Take a due desk, or wait for a claim request or a ring and return ``None``."""
        mine, worker = await self._change(
            now,
            lambda tx: claiming.own(tx, self._post, worker_id, process=self._process, lease=lease),
        )
        if mine is not None:
            return mine
        pinned = Desk.from_key(worker["pinned"]) if worker["pinned"] else None
        # The sweep tells of a desk with which something is wrong; here the others go on.
        apart = Apart()
        await claiming.expire_lapsed(self._table, self._post, self._limits, apart, now)
        waiting = await claiming.candidates(self._table, pinned)
        for each in waiting:
            claim = None
            if each.may_be_claimed(pinned, now):
                taken = partial(
                    claiming.take,
                    worker_id=worker_id,
                    pinned=pinned,
                    key=each.desk,
                    lease=lease,
                )
                with apart.one():
                    claim = await self._change(now, taken)
            if claim is not None:
                if pinned is None:
                    await self._bell.use_request(worker_id)
                return claim
        if not claiming.was_seen_lately(worker, now):
            await claiming.seen(self._table, worker_id, 0, now)
        # A backoff that is over is not waited for: something else keeps that desk.
        backoffs = [each.due_at for each in waiting if each.due_at and each.due_at > now]
        due = min(backoffs, default=now + POLL)
        # Not longer than a poll: whoever waits is also the one who looks for what was lost.
        span = min(wait, POLL, max(due - now, timedelta(0)))
        if span > timedelta(0):
            await self._bell.wait(worker_id, span, for_requests=pinned is None)
        return None

    async def next_job(
        self, claim: Claim, *, wait: timedelta, now: datetime
    ) -> Delivery | DeskView:
        """Hand over the oldest send, or wait for a ring and say how the desk stands."""
        found, desk, may_wait = await self._inbox.hand_over(claim, now)
        if found is not None:
            return found
        worker = await self._table.get(worker_key(claim.worker_id))
        view = await claiming.view(self._table, desk, worker, self._limits, now)
        is_leaving = view.is_leaving_asked or view.is_draining or view.is_wanted_elsewhere
        if view.has_pending and view.due_at is not None:
            wait = min(wait, max(view.due_at - now, timedelta(0)))
        if may_wait and not is_leaving and wait > timedelta(0):
            await self._bell.wait(claim.worker_id, min(wait, POLL))
        return view

    async def beat(
        self, claim: Claim, delivery: Delivery | None, *, lease: timedelta, now: datetime
    ) -> DeskView:
        """Renew the lease and the active record in one write."""
        desk = await claiming.beat(self._table, claim, delivery, lease=lease, now=now)
        if delivery is not None and desk.active is not None and not desk.active.is_ending:
            await self._tell_alive(desk, now)
        done = self._done.pop(claim.worker_id, 0)
        worker = await claiming.seen(self._table, claim.worker_id, done, now)
        return await claiming.view(self._table, desk, worker, self._limits, now)

    async def extend(self, delivery: Delivery, *, span: timedelta, now: datetime) -> None:
        """Keep the message of the running job invisible."""
        await self._change(now, lambda tx: running.keep_hidden(tx, self._post, delivery, span))

    async def save_partial(
        self, delivery: Delivery, partial: Json, commit: str, *, now: datetime
    ) -> None:
        """Make partial work durable."""
        await self._change(now, lambda tx: running.save_partial(tx, delivery, partial, commit))

    async def seal(self, delivery: Delivery, *, lease: timedelta, now: datetime) -> None:
        """Mark the running job as ending and renew the lease."""
        await self._change(now, lambda tx: running.seal(tx, delivery, lease=lease))

    async def settle(
        self, delivery: Delivery, outcome: Outcome, *, and_next: bool, now: datetime
    ) -> Delivery | None:
        """Delete the message and record the outcome; then hand over the next job if asked."""
        may_go_on = await self._change(
            now,
            lambda tx: running.settle(tx, self._post, delivery, outcome, self._limits),
        )
        worker_id = delivery.claim.worker_id
        self._done[worker_id] = self._done.get(worker_id, 0) + may_go_on
        if not (and_next and may_go_on):
            return None
        try:
            found, _, _ = await self._inbox.hand_over(delivery.claim, now)
        except ClaimLost:
            # The outcome stands; the next call says that the claim is lost.
            return None
        return found

    async def fenced(self, claim: Claim, thread: str, *, now: datetime) -> None:
        """Note that former owners can no longer push to the branch of *thread*."""
        await self._change(now, lambda tx: claiming.fenced(tx, claim, thread))

    async def catch_up(self, claim: Claim, generation: int, *, now: datetime) -> None:
        """Go on behind *generation*, which was met on a branch."""
        await self._change(now, lambda tx: claiming.catch_up(tx, self._post, claim, generation))

    async def release(self, claim: Claim, *, now: datetime) -> bool:
        """Leave the desk if nothing is pending."""
        done = self._done.pop(claim.worker_id, 0)
        return await self._change(
            now, lambda tx: claiming.release(tx, self._post, claim, done=done)
        )

    async def give_way(self, claim: Claim, *, now: datetime) -> None:
        """Leave the desk with jobs pending."""
        done = self._done.pop(claim.worker_id, 0)
        await self._change(now, lambda tx: claiming.give_way(tx, self._post, claim, done=done))

    async def interrupts(self, worker_id: str) -> AsyncIterator[Interrupt]:
        """The interrupts that come for this worker: a ring, and what the record says then."""
        async for _ in self._bell.rings(worker_id):
            try:
                worker = await self._table.get(worker_key(worker_id))
                if worker is None or not worker["desk"]:
                    continue
                desk = await self._record(Desk.from_key(str(worker["desk"])))
            except Unavailable:
                # The next heartbeat tells it.
                continue
            if desk is None or desk.owner != worker_id:
                continue
            found = claiming.interrupt_of(
                desk, is_draining=bool(worker["is_draining"]), limits=self._limits
            )
            if found is not None:
                yield found

    async def cancel(self, job_id: str, *, now: datetime) -> Job:
        """End a queued job, or ask its owner to stop it."""
        return await self._change(now, lambda tx: asking.cancel(tx, self._post, job_id))

    async def retry(self, job_id: str, *, now: datetime) -> Job:
        """Send an ended job again."""
        return await self._change(now, lambda tx: asking.retry(tx, self._post, job_id))

    async def discard(self, job_id: str, *, now: datetime) -> None:
        """Remove a dead or failed job."""
        await self._change(now, lambda tx: asking.discard(tx, job_id))
        await asking.forget_rest(self._table, job_id)

    async def pause(self, desk: Desk, *, now: datetime) -> None:
        """Stop serving the desk."""
        await self._change(now, lambda tx: asking.pause(tx, self._post, desk, is_paused=True))

    async def resume(self, desk: Desk, *, now: datetime) -> None:
        """Serve the desk again."""
        await self._change(now, lambda tx: asking.pause(tx, self._post, desk, is_paused=False))

    async def ask_release(self, desk: Desk, *, now: datetime) -> None:
        """Ask the owner to leave the desk after its job."""
        await self._change(now, lambda tx: asking.ask_release(tx, self._post, desk))

    async def drain(self, worker_id: str, *, now: datetime) -> None:
        """Ask a worker to finish and take no more."""
        await self._change(now, lambda tx: asking.drain(tx, self._post, worker_id))

    async def retire(self, worker_id: str, *, now: datetime) -> bool:
        """Drain a worker only if it holds no desk."""
        return await self._change(now, lambda tx: asking.retire(tx, self._post, worker_id))

    async def pin(self, desks: Iterable[Desk], *, now: datetime) -> None:
        """Reserve exactly these desks for pinned workers."""
        await asking.pin(self._table, desks, now)

    async def hold(self, job: NewJob, reason: str, *, now: datetime) -> None:
        """Keep a job until it is approved or dropped."""
        await approving.hold(self._table, job, reason, now)

    async def held(
        self, *, desk: Desk | None = None, thread: str | None = None, limit: int = 100
    ) -> list[Held]:
        """What waits, oldest first."""
        return await approving.held(self._table, desk, thread, limit)

    async def held_job(self, job_id: str) -> Held:
        """One of them."""
        return await approving.held_job(self._table, job_id)

    async def approve(
        self, job_id: str, *, interrupt: InterruptPolicy, by: str, now: datetime
    ) -> Job:
        """Submit what waits, or find it submitted."""
        return await self._change(
            now,
            partial(
                approving.approve,
                post=self._post,
                job_id=job_id,
                interrupt=interrupt,
                by=by,
                limits=self._limits,
            ),
        )

    async def drop_held(self, job_id: str, *, by: str, now: datetime) -> None:
        """Forget what waits, unless it is a job by now."""
        await self._change(now, lambda tx: approving.drop_held(tx, job_id, by))

    async def count(self, name: str, amount: int, *, now: datetime) -> None:
        """Add *amount* to the step of *now*."""
        await counting.count(self._table, name, amount, now)

    async def counted(self, name: str, *, since: datetime) -> int:
        """What was added from the step of *since* on."""
        return await counting.counted(self._table, name, since)

    async def sweep(self, *, retention: timedelta | None, now: datetime) -> SweepReport:
        """Free what the dead left, wake who can help, remove what is old."""
        apart = Apart()
        lapsed = await claiming.expire_lapsed(self._table, self._post, self._limits, apart, now)
        await carrying.finish_left(self._table, self._post, apart, now)
        waiting = await sweeping.wake_waiting(self._table, self._post, self._limits, apart, now)
        dead = await registering.bury_silent(self._table, self._post, self._registered, apart, now)
        await sweeping.finish_removals(self._table, self._post, now)
        await sweeping.cool_down(self._table, now)
        await figuring.count_events(self._table, self._history, now)
        removed = 0
        if retention is not None:
            await sweeping.remove_unsure_texts(self._table, now)
            removed = await sweeping.remove_old(self._table, self._history, retention, now)
        apart.tell()
        return SweepReport(
            lapsed_owners=lapsed, dead_workers=dead, jobs_removed=removed, desks_waiting=waiting
        )

    async def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    async def workflow_over(
        self, execution: str, desk: Desk, job_id: str, *, now: datetime
    ) -> None:
        """Go on with a job whose execution has ended without an outcome; nothing, if it has one.

        A stopped one cancels its job; a failed one is replaced, a few times.
        """
        carriage = await self._post.workflow.carriage(execution)
        await self._change(
            now,
            lambda tx: carrying.carry_on(
                tx, self._post, desk, job_id=job_id, execution=execution, carriage=carriage
            ),
        )

    async def _tell_alive(self, desk: DeskRecord, now: datetime) -> None:
        """Reset the watchdog of the running job; find out what became of one that is gone."""
        assert desk.active is not None
        try:
            is_waiting = await self._post.workflow.is_waiting(desk.active.token)
        except Unavailable:
            # The lease is renewed, which is what counts. The next beat tells it.
            return
        if not is_waiting:
            job_id = desk.active.job_id
            execution = desk.pending[job_id].execution
            await self.workflow_over(execution, desk.desk, job_id, now=now)

    async def _change(self, now: datetime, work: Callable[[Change], Awaitable[T]]) -> T:
        return await change(self._table, now, work)
