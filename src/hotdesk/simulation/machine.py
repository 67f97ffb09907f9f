"""The simulated machine: opens the store for its processes, starts workers and kills them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import cast

import anyio
from anyio.abc import TaskGroup

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import Desk
from hotdesk.errors import Unavailable
from hotdesk.lifecycle import Limits
from hotdesk.ports import Backend, WorkerCard
from hotdesk.session import WorkerLimits
from hotdesk.simulation.bell import Exchange, VirtualBell
from hotdesk.simulation.fates import Fates
from hotdesk.simulation.faults import NO_FAULTS, FaultRates, FaultyBackend
from hotdesk.simulation.labour import Origin, SimulatedRunner
from hotdesk.simulation.process import SimulatedProcess
from hotdesk.simulation.referee import Referee
from hotdesk.worker import Worker

# SQLite's own default, more than any run fills.
PAGES_MAX = 1_073_741_823


class RunningWorker:
    """A worker in a process of its own; ``ports.Process``."""

    def __init__(self, process: SimulatedProcess, worker: Worker, owner: SimulatedProcess) -> None:
        """Run *worker* in *process* for *owner*."""
        self.process = process
        self._worker = worker
        self._owner = owner
        self._told = anyio.Event()
        self._ended = anyio.Event()
        self._status = -9

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def wait(self) -> int:
        """Its exit status, once it has ended; -9 when it was killed."""
        await self._ended.wait()
        return self._status

    def terminate(self) -> None:
        """Ask it to drain; a dead owner asks nothing."""
        if not self._owner.is_dead:
            self.drain()

    def kill(self) -> None:
        """End it now."""
        if not self._owner.is_dead:
            self.process.kill()

    def drain(self) -> None:
        """Drain, for whatever reason."""
        self.process.is_told_to_end = True
        self._told.set()

    async def live(self) -> None:
        """Work until it is drained or killed."""
        try:
            with self.process.scope:
                self._status = await self._outlast()
        finally:
            self._ended.set()

    async def _outlast(self) -> int:
        status = 0
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._drain_once_told)
                await self._worker.run()
                tasks.cancel_scope.cancel()
        except* Unavailable:
            status = 1
        return status

    async def _drain_once_told(self) -> None:
        await self._told.wait()
        await self._worker.drain()


class Machine:
    """Its clock, its disk, its bell and its processes."""

    def __init__(
        self,
        path: Path,
        tasks: TaskGroup,
        fates: Fates,
        *,
        skew_max: timedelta,
        has_kept_clocks: bool,
        limits: WorkerLimits,
    ) -> None:
        """Keep the store at *path*; processes are children of *tasks*."""
        self._path = path
        self._tasks = tasks
        self._fates = fates
        self._skew_max = skew_max
        self._limits = limits
        self._origin = Origin()
        self._pids = count(1)
        self._stores: list[SqliteBackend] = []
        self._pages_max = PAGES_MAX
        self.workers_faults = self.others_faults = NO_FAULTS
        self.exchange = Exchange(fates, self._later)
        own = self.store(self.process("referee"))
        self.referee = Referee(own, Limits(), has_kept_clocks=has_kept_clocks)
        self.workers: list[RunningWorker] = []
        self.started = 0

    def process(self, name: str) -> SimulatedProcess:
        """A new process with a clock that is a little wrong."""
        skew = self._skew_max * (2 * self._fates.lot(f"{name} clock") - 1)
        return SimulatedProcess(name, next(self._pids), skew=skew)

    def store(self, process: SimulatedProcess) -> SqliteBackend:
        """A connection of *process* to the store."""
        store = SqliteBackend(self._path, process, bell=VirtualBell(self.exchange, process))
        self._stores.append(store)
        self._limit(store)
        return store

    def faulty(
        self, store: Backend, process: SimulatedProcess, rates: Callable[[], FaultRates]
    ) -> Backend:
        """A connection that fails now and then, watched by the referee."""
        proxy = FaultyBackend(
            store, process, self._fates, rates, kill=self.kill, on_answer=self.referee.look
        )
        return cast("Backend", proxy)

    @asynccontextmanager
    async def reached(self, process: SimulatedProcess) -> AsyncIterator[Backend]:
        """The store as *process*, which is no worker, reaches it."""
        store = self.store(process)
        try:
            yield self.faulty(store, process, lambda: self.others_faults)
        finally:
            with anyio.CancelScope(shield=True):
                await self.close(store)

    async def start(
        self, owner: SimulatedProcess, worker_id: str, pinned: Desk | None
    ) -> RunningWorker:
        """Start one worker for *owner*."""
        process = self.referee.processes[worker_id] = self.process(worker_id)
        store = self.store(process)
        worker = Worker(
            WorkerCard(id=worker_id, pid=process.pid, pinned=pinned),
            self.faulty(store, process, lambda: self.workers_faults),
            SimulatedRunner(process, self._origin, self.referee),
            process,
            self._limits,
        )
        running = RunningWorker(process, worker, owner)
        self.workers.append(running)
        self._tasks.start_soon(self._live, running, store)
        self.started += 1
        return running

    async def _live(self, running: RunningWorker, store: SqliteBackend) -> None:
        try:
            await running.live()
        finally:
            with anyio.CancelScope(shield=True):
                await self.close(store)
            self.workers.remove(running)

    def kill(self, process: SimulatedProcess) -> None:
        """End a process at once; whoever watches it is told."""
        process.kill()
        self.exchange.note_death()

    def fill_disk(self, *, is_full: bool) -> None:
        """Let the file grow no more, or as it likes: SQLite itself says that the disk is full."""
        for each in self.referee.processes.values():
            # Who cannot renew its lease may lose it.
            each.was_troubled = True
        self._pages_max = 1 if is_full else PAGES_MAX
        for store in self._stores:
            self._limit(store)

    def _limit(self, store: SqliteBackend) -> None:
        store._file.limit(self._pages_max)  # noqa: SLF001 - there is no other way to its disk

    async def close(self, store: SqliteBackend) -> None:
        """Close a connection that ``store`` opened."""
        self._stores.remove(store)
        await store.close()

    def _later(self, span: timedelta, call: Callable[[], None]) -> None:
        self._tasks.start_soon(partial(_call_later, span, call))


async def _call_later(span: timedelta, call: Callable[[], None]) -> None:
    await anyio.sleep(span.total_seconds())
    call()
