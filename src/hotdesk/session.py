"""One claim while it is served: its lease, its jobs one after another, its end.

Every timer and consumer of a claim is a child of ``Session.serve`` and ends with
it. A session that meets another generation, or could not renew before its lease
ended, stops the run and writes nothing.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import anyio
import anyio.lowlevel

from hotdesk.attempt import AttemptContext, Stop
from hotdesk.desks import (
    Claim,
    Delivery,
    DeskView,
    Interrupt,
    InterruptReason,
    Outcome,
    Result,
    storable,
)
from hotdesk.errors import DISK_FULL, AttemptFailed, ClaimLost, NotAllowed, Rejected, Unavailable
from hotdesk.lifecycle import EXTEND_BY, EXTEND_EVERY, LEASE
from hotdesk.ports import Backend, Clock, Protection, Runner

T = TypeVar("T")

# Heartbeats in a lease: two may be lost.
BEATS_PER_LEASE = 3
# The least that a span can tell: what is left of a lease is never rounded down to nothing.
MOMENT = timedelta(microseconds=1)
FLUSH_EVERY = timedelta(milliseconds=300)
FAREWELL = timedelta(seconds=10)
RETRY_FIRST = timedelta(milliseconds=100)
RETRY_MAX = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """The spans of a worker.

    It heartbeats three times in a ``lease``; stays with an idle desk for
    ``linger``; leaves a desk with jobs pending after ``session_max`` when others
    wait and no worker is free. An attempt has ``job_time`` in all, ``grace`` to
    stop after an interrupt, and ``keep_time`` to save what it has done. A worker that
    has had no desk for ``idle_exit`` leaves for good; ``None`` means never.
    """

    lease: timedelta = LEASE
    linger: timedelta = timedelta(minutes=5)
    session_max: timedelta = timedelta(minutes=30)
    job_time: timedelta = timedelta(hours=4)
    grace: timedelta = timedelta(seconds=30)
    keep_time: timedelta = timedelta(seconds=60)
    idle_exit: timedelta | None = None

    @property
    def heartbeat(self) -> timedelta:
        """How often the lease is renewed: every 30 s with the usual lease."""
        return self.lease / BEATS_PER_LEASE


class Session:
    """Serves one desk from its claim until it is left or lost."""

    def __init__(
        self,
        claim: Claim,
        *,
        lease_ends: float,
        backend: Backend,
        runner: Runner,
        clock: Clock,
        limits: WorkerLimits,
        protection: Protection,
        on_stuck: Callable[[], None],
    ) -> None:
        """``lease_ends`` is on this process's monotonic clock."""
        self._claim = claim
        self._lease_ends = lease_ends
        self._backend = backend
        self._runner = runner
        self._clock = clock
        self._limits = limits
        self._protection = protection
        self._on_stuck = on_stuck
        self._running: anyio.CancelScope | None = None
        self._unfenced = set(claim.unfenced)
        self._delivery: Delivery | None = None
        self._context: AttemptContext | None = None
        self._logged = anyio.Event()
        self._heard = ""
        self._is_draining = False

    async def serve(self) -> None:
        """Serve the desk; returns when it was released, given way or lost."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_claim)
                tasks.start_soon(self._heed_interrupts)
                tasks.start_soon(self._flush_logs)
                await self._work()
                tasks.cancel_scope.cancel()
        except* ClaimLost as lost:
            # Whoever holds the desk now goes on from what is durable.
            await self._give_up(max(_seen(lost)))
        finally:
            with anyio.move_on_after(FAREWELL.total_seconds(), shield=True):
                # What cannot be removed now is left to whoever tidies up.
                with suppress(OSError):
                    await self._runner.leave(self._claim)

    async def _give_up(self, seen: int) -> None:
        """End a claim that the record may still call ours; the attempt under way counts.

        It does when only the runner says that the claim is lost: because the record is
        older than the branches, as after restoring a backup, or by a mistake. Left alive,
        the same claim would come with the same attempt, without end.
        """
        with suppress(Unavailable):
            await self._backend.catch_up(self._claim, seen, now=self._clock.now())

    def drain(self) -> None:
        """Stop the running job and take no more."""
        self._is_draining = True
        if self._delivery is not None:
            send_id = self._delivery.job.send_id
            self._interrupt(Interrupt(reason=InterruptReason.DRAIN, send_id=send_id))

    def _interrupt(self, interrupt: Interrupt) -> None:
        """Stop the running job if the interrupt is meant for its send; others are ignored."""
        running, context = self._delivery, self._context
        if running is not None and context is not None and interrupt.send_id == running.job.send_id:
            context.interrupted.ask(interrupt)

    def _logged_something(self) -> None:
        self._logged.set()

    async def _confirm(self) -> None:
        """Renew the lease until that was answered, or it has ended."""
        pause = RETRY_FIRST
        while await self._beat() is None:
            await self._clock.sleep(pause)
            pause = min(pause * 2, RETRY_MAX)

    # ------------------------------------------------------------- beside the jobs

    async def _keep_claim(self) -> None:
        """Heartbeat every third of the lease; extend the message every 50 minutes."""
        next_extension = self._clock.monotonic() + EXTEND_EVERY.total_seconds()
        extended: Delivery | None = None
        while True:
            # Cut off, it must stop when its lease ends, and not at the heartbeat behind that.
            left = timedelta(seconds=max(0.0, self._lease_ends - self._clock.monotonic()))
            await self._clock.sleep(min(self._limits.heartbeat, left + MOMENT))
            if self._is_stuck():
                self._on_stuck()
                raise ClaimLost(self._claim.desk.key, self._claim.generation)
            if self._delivery is not extended:
                extended = self._delivery
                next_extension = self._clock.monotonic() + EXTEND_EVERY.total_seconds()
            await self._beat()
            if extended is not None and self._clock.monotonic() >= next_extension:
                await self._extend(extended)
                next_extension = self._clock.monotonic() + EXTEND_EVERY.total_seconds()

    def _is_stuck(self) -> bool:
        """Whether the attempt goes on although it was cancelled long ago.

        Only a handler that swallows its cancellation does. Its desk must not wait for it.
        """
        if self._running is None:
            return False
        given_up_at = self._running.deadline + self._limits.keep_time.total_seconds()
        return anyio.current_time() > given_up_at

    async def _beat(self) -> DeskView | None:
        """Renew the lease; heed what the desk's record says. ``None`` if nobody answered.

        Raises:
            ClaimLost: Another generation holds the desk, or may hold it: cut off,
                nobody can tell us, so it is assumed when the lease has ended.
        """
        delivery = self._delivery
        now, mark = self._clock.now(), self._clock.monotonic()
        try:
            view = await self._backend.beat(
                self._claim, delivery, lease=self._limits.lease, now=now
            )
        except Unavailable:
            self._check_lease()
            return None
        except ClaimLost:
            if self._delivery is delivery:
                raise
            # The job was settled while the heartbeat waited for the lock.
            return None
        self._lease_ends = mark + self._limits.lease.total_seconds()
        if view.interrupt is not None:
            self._interrupt(view.interrupt)
        if view.is_draining:
            self._is_draining = True
        return view

    def _check_lease(self) -> None:
        if self._clock.monotonic() >= self._lease_ends:
            raise ClaimLost(self._claim.desk.key, self._claim.generation)

    async def _extend(self, delivery: Delivery) -> None:
        try:
            await self._backend.extend(delivery, span=EXTEND_BY, now=self._clock.now())
        except Unavailable:
            # Ten minutes are left of the former extension; the lease tells if it is serious.
            return

    async def _heed_interrupts(self) -> None:
        async for interrupt in self._backend.interrupts(self._claim.worker_id):
            # It may be meant for a send whose hand-over is just being answered.
            self._heard = interrupt.send_id
            await self._check_interrupt()

    async def _check_interrupt(self) -> None:
        """Ask the desk's record about an interrupt that was heard: the message proves nothing.

        It may be late or doubled, and what sent it may have been cancelled since.
        """
        if self._delivery is not None and self._heard == self._delivery.job.send_id:
            self._heard = ""
            await self._beat()

    async def _flush_logs(self) -> None:
        while True:
            await self._logged.wait()
            # What is logged meanwhile shares the write.
            await self._clock.sleep(FLUSH_EVERY)
            self._logged = anyio.Event()
            if self._context is not None:
                await self._context.flush()

    # ---------------------------------------------------------------- job after job

    async def _work(self) -> None:
        """Serve the desk until it is left."""
        for thread in sorted(self._unfenced):
            try:
                await self._fence(thread)
            except (AttemptFailed, Rejected, OSError):
                # Nothing runs on that thread before it is fenced; others need not wait.
                continue
        ends = self._session_ends()
        delivery = await self._next()
        while delivery is not None:
            # A handler may never wait; heartbeats and interrupts have their turn all the same.
            await anyio.lowlevel.checkpoint()
            is_over = self._clock.monotonic() >= ends
            with self._protection.during_job():
                delivery = await self._run_and_settle(delivery, and_next=not is_over)
            if is_over:
                view = await self._beat()
                if view is not None and view.is_wanted_elsewhere and await self._leave(view):
                    return
                ends = self._session_ends()
            delivery = delivery or await self._next()

    def _session_ends(self) -> float:
        return self._clock.monotonic() + self._limits.session_max.total_seconds()

    async def _next(self) -> Delivery | None:
        """The next job to run, or ``None`` once the desk has been left."""
        idle_until = self._clock.monotonic() + self._limits.linger.total_seconds()
        left, is_idle = self._limits.linger, True
        while True:
            # What waits out a backoff is waited for, however little is left to linger.
            wait = min(left, self._limits.heartbeat) if is_idle else self._limits.heartbeat
            found = await self._insist(partial(self._try_next, wait))
            if isinstance(found, Delivery):
                return found
            left = timedelta(seconds=max(0.0, idle_until - self._clock.monotonic()))
            is_idle = not found.has_pending
            is_tired = is_idle and not left
            if (
                is_tired or found.is_draining or found.is_leaving_asked or found.is_wanted_elsewhere
            ) and await self._leave(found):
                return None

    async def _try_next(self, wait: timedelta) -> Delivery | DeskView:
        if self._is_draining:
            # The mark may not have reached the store; nothing more is taken all the same.
            return DeskView(is_draining=True)
        return await self._backend.next_job(self._claim, wait=wait, now=self._clock.now())

    async def _leave(self, view: DeskView) -> bool:
        """Release the desk, or give way; ``False`` if a job came meanwhile and we go on."""
        claim = self._claim
        if await self._insist(lambda: self._backend.release(claim, now=self._clock.now())):
            return True
        if not (view.is_draining or view.is_leaving_asked or view.has_pending):
            return False
        await self._insist(lambda: self._backend.give_way(claim, now=self._clock.now()))
        return True

    async def _fence(self, thread: str) -> None:
        """Shut former owners out of the branch of *thread*, once per claim.

        Raises:
            AttemptFailed: The origin cannot be reached now.
        """
        await self._runner.take_over(self._claim, thread)
        await self._insist(lambda: self._backend.fenced(self._claim, thread, now=self._clock.now()))
        self._unfenced.discard(thread)

    # ---------------------------------------------------------------------- one job

    async def _run_and_settle(self, delivery: Delivery, *, and_next: bool) -> Delivery | None:
        """Carry out one job and record its outcome; the next one may come with the answer."""
        outcome = await self._attempt(delivery)
        following = await self._insist(
            lambda: self._backend.settle(
                delivery,
                outcome,
                and_next=and_next and not self._is_draining,
                now=self._clock.now(),
            ),
        )
        self._delivery = self._context = None
        return following

    async def _attempt(self, delivery: Delivery) -> Outcome:
        ends = anyio.current_time() + self._limits.job_time.total_seconds()
        scope = anyio.CancelScope(deadline=ends)
        context = AttemptContext(
            delivery,
            Stop(scope, self._limits.grace),
            self._backend,
            self._clock,
            on_log=self._logged_something,
            confirm=self._confirm,
        )
        self._delivery, self._context = delivery, context
        if self._is_draining:
            # This one was handed over by a settlement that was on its way when it was asked.
            self.drain()
        try:
            await self._check_interrupt()
            return await self._run(delivery, context, scope)
        except AttemptFailed as failure:
            stop = context.interrupted.reason
            if stop is not None and failure.is_retryable:
                # It broke while it was stopping: that is how it stopped.
                outcome = Outcome.interrupted(stop.reason)
            else:
                outcome = _outcome_of(failure)
        except Unavailable as error:
            # The store is to blame, and not the job.
            stop = context.interrupted.reason
            text = storable(str(error))
            outcome = Outcome.given_back(text) if stop is None else Outcome.interrupted(stop.reason)
        except Rejected as error:
            # A person must mend something: an empty repository, a setting.
            outcome = Outcome.failed(storable(str(error)))
        except OSError as error:
            # Without the path: this text is the answer to the job.
            text = f"the worker's system: {error.strerror}"
            is_full = error.errno in DISK_FULL
            outcome = Outcome.given_back(text) if is_full else Outcome.attempt_failed(text)
        except _Stopped as stopped:
            outcome = Outcome.interrupted(stopped.reason)
        finally:
            await context.flush()
        await self._keep(delivery, context)
        return outcome

    async def _run(
        self,
        delivery: Delivery,
        context: AttemptContext,
        scope: anyio.CancelScope,
    ) -> Outcome:
        if delivery.job.thread in self._unfenced:
            await self._fence(delivery.job.thread)
        result: Result | None = None
        self._running = scope
        try:
            with scope:
                result = await self._runner.run(delivery, context)
        finally:
            self._running = None
        stop = context.interrupted.reason
        if result is None and stop is not None:
            raise _Stopped(stop.reason)
        if scope.cancelled_caught:
            raise AttemptFailed(f"not finished within {self._limits.job_time}")
        result = result or Result()
        if self._runner.publishes:
            await self._seal(delivery)
            result = await self._runner.publish(delivery, result, context)
        return Outcome.succeeded(result)

    async def _seal(self, delivery: Delivery) -> None:
        """Renew the lease once more, conditionally; from here no cancel is accepted."""
        mark = self._clock.monotonic()
        try:
            await self._insist(
                lambda: self._backend.seal(
                    delivery, lease=self._limits.lease, now=self._clock.now()
                ),
            )
        except NotAllowed:
            raise _Stopped(InterruptReason.CANCEL) from None
        self._lease_ends = mark + self._limits.lease.total_seconds()

    async def _keep(self, delivery: Delivery, context: AttemptContext) -> None:
        """Save what a stopped or failed attempt has done, within bounds."""
        with anyio.move_on_after(self._limits.keep_time.total_seconds()):
            try:
                await self._runner.keep(delivery, context)
            except (AttemptFailed, Rejected, Unavailable, OSError) as error:
                await context.log(f"[partial work could not be saved: {error}]\n")
        await context.flush()

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat *call* while the backend is unavailable and the lease runs.

        Every verb may be called again: it finishes what an earlier call began.
        """
        pause = RETRY_FIRST
        while True:
            try:
                return await call()
            except Unavailable:
                self._check_lease()
            await self._clock.sleep(pause)
            pause = min(pause * 2, RETRY_MAX)


class _Stopped(Exception):
    """The attempt was asked to stop, and did."""

    def __init__(self, reason: InterruptReason) -> None:
        super().__init__(reason)
        self.reason = reason


def _seen(group: BaseExceptionGroup[ClaimLost]) -> Iterator[int]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _seen(error)
        else:
            yield error.seen


def _outcome_of(failure: AttemptFailed) -> Outcome:
    reason = storable(failure.reason)
    if failure.is_given_back:
        return Outcome.given_back(reason)
    if failure.is_retryable:
        return Outcome.attempt_failed(reason)
    return Outcome.failed(reason)
