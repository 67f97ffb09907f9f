"""The pool: starts, scales, replaces and drains the workers of one deployment.

How many there should be is decided in ``placement.py``; this carries it out, and
sees that no process outlives the pool.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import anyio
from anyio.abc import TaskGroup

from hotdesk.desks import Desk
from hotdesk.errors import HotdeskError
from hotdesk.lifecycle import LEASE
from hotdesk.placement import PoolLimits, PoolPlan, plan, pool_worker
from hotdesk.ports import Backend, Clock, Launcher, Process

# The pool looks at once when something was written, but not more often than this.
LOOK_AT_MOST = timedelta(milliseconds=50)
LOOK_AT_LEAST = timedelta(seconds=5)
# A process that ends sooner than this has not worked: the next one waits.
STARTS_WELL = timedelta(seconds=5)
PAUSE_MAX = timedelta(seconds=30)
DESKS_MAX = 1000


class Pool:
    """Keeps the right workers running until it is cancelled; then drains them all."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        launcher: Launcher,
        limits: PoolLimits,
        *,
        new_id: Callable[[], str],
        decides_pins: bool = True,
        stop_time: timedelta = timedelta(seconds=100),
        look_every: timedelta = LOOK_AT_LEAST,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``stop_time`` is how long workers have to drain; after it they are killed.

        The pool looks when something was written, and ``look_every`` in any case.

        With ``decides_pins`` the desks that *limits* pin are pinned, and no others; a
        pool that runs beside another one leaves that alone.

        ``on_error`` is told, in a sentence, when a worker ends by itself or the
        backend cannot be asked; the pool goes on.
        """
        self._backend = backend
        self._clock = clock
        self._launcher = launcher
        self._limits = limits
        self._new_id = new_id
        self._decides_pins = decides_pins
        self._stop_time = stop_time
        self._look_every = look_every
        self._on_error = on_error
        self._processes: dict[str, Process] = {}
        self._pinned: dict[str, Desk] = {}
        self._ended = anyio.Event()
        self._failures = 0
        self._may_start_at = 0.0

    async def run(self) -> None:
        """Run until cancelled. Every worker has ended when this returns."""
        if self._decides_pins:
            pinned = [each.desk for each in self._limits.pinned]
            await self._backend.pin(pinned, now=self._clock.now())
        async with anyio.create_task_group() as tasks:
            try:
                await self._keep(tasks)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._stop_all()
                tasks.cancel_scope.cancel()

    async def _keep(self, tasks: TaskGroup) -> None:
        mark: int | None = None
        while True:
            try:
                mark = await self._backend.changed(mark, wait=timedelta(0))
                await self._carry_out(await self._look(), tasks)
                mark = await self._await_reason(mark)
            except* HotdeskError as errors:
                # The database may be back at the next look; workers go on meanwhile. Waiting
                # in a task group makes a group of what went wrong.
                self._on_error(f"the pool could not look: {_first(errors)}")
                await self._clock.sleep(LOOK_AT_LEAST)
            await self._clock.sleep(LOOK_AT_MOST)

    async def _await_reason(self, mark: int) -> int:
        """Wait until something was written, a worker ended, or it is time to look."""
        ended = self._ended
        async with anyio.create_task_group() as tasks:

            async def until_ended() -> None:
                await ended.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_ended)
            mark = await self._backend.changed(mark, wait=self._look_every)
            tasks.cancel_scope.cancel()
        if ended.is_set():
            self._ended = anyio.Event()
            # What the dead held is freed at once, not when its lease ends.
            await self._backend.sweep(retention=None, now=self._clock.now())
        return mark

    async def _look(self) -> PoolPlan:
        known = {w.id: w for w in await self._backend.workers()}
        waiting = [
            d
            for d in await self._backend.desks(waiting=True, limit=DESKS_MAX)
            if not d.is_paused and (d.due_at is None or d.due_at <= self._clock.now())
        ]
        silent_before = self._clock.now() - LEASE
        workers = [
            pool_worker(each, known.get(each), self._pinned.get(each), silent_before=silent_before)
            for each in self._processes
        ]
        return plan(
            workers,
            sum(not d.is_pinned for d in waiting),
            [d.desk for d in waiting if d.is_pinned],
            self._limits,
            now=self._clock.now(),
        )

    async def _carry_out(self, wanted: PoolPlan, tasks: TaskGroup) -> None:
        for worker_id in wanted.retire:
            await self._backend.retire(worker_id, now=self._clock.now())
        if self._clock.monotonic() < self._may_start_at:
            return
        for desk in wanted.start_pinned:
            await self._start(tasks, desk)
        for _ in range(wanted.start):
            await self._start(tasks, None)

    async def _start(self, tasks: TaskGroup, pinned: Desk | None) -> None:
        worker_id = self._new_id()
        try:
            process = await self._launcher.start(worker_id, pinned)
        except OSError as error:
            self._note_failure(f"a worker could not be started: {error}")
            return
        self._processes[worker_id] = process
        if pinned is not None:
            self._pinned[worker_id] = pinned
        tasks.start_soon(self._watch, worker_id, process)

    async def _watch(self, worker_id: str, process: Process) -> None:
        """See one worker to its end."""
        started = self._clock.monotonic()
        status = await process.wait()
        del self._processes[worker_id]
        self._pinned.pop(worker_id, None)
        lasted = self._clock.monotonic() - started
        if status != 0:
            self._note_failure(
                f"worker {worker_id} ended with status {status} after {lasted:.0f} s",
                is_early=lasted < STARTS_WELL.total_seconds(),
            )
        else:
            self._failures = 0
        self._ended.set()

    def _note_failure(self, what: str, *, is_early: bool = True) -> None:
        self._on_error(what)
        if is_early:
            # A worker that cannot start must not be started a thousand times a second.
            self._failures += 1
            pause = min(2 ** min(self._failures, 10), PAUSE_MAX.total_seconds())
            self._may_start_at = self._clock.monotonic() + pause
        else:
            self._failures = 0

    async def _stop_all(self) -> None:
        processes = list(self._processes.values())
        for process in processes:
            process.terminate()
        await self._await_all(processes, self._stop_time)
        if not self._processes:
            return
        for process in processes:
            process.kill()
        await self._await_all(processes, STARTS_WELL)
        # Those could not say good-bye; nobody else may be there to bury them.
        with suppress(HotdeskError):
            await self._backend.sweep(retention=None, now=self._clock.now())

    async def _await_all(self, processes: Sequence[Process], span: timedelta) -> None:
        with anyio.move_on_after(span.total_seconds()):
            async with anyio.create_task_group() as tasks:
                for process in processes:
                    tasks.start_soon(process.wait)


def _first(errors: BaseException) -> BaseException:
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return errors
