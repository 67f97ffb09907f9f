"""The simulated machine: opens the store for its processes, starts workers and kills them."""

import random
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import cast

import anyio
from anyio.abc import TaskGroup

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import Desk
from hotdesk.errors import HotdeskError
from hotdesk.lifecycle import Limits
from hotdesk.ports import Backend, WorkerCard
from hotdesk.simulation.bell import Exchange, VirtualBell
from hotdesk.simulation.faults import Faults, FaultyBackend
from hotdesk.simulation.labour import Origin, SimulatedRunner
from hotdesk.simulation.process import SimulatedProcess
from hotdesk.simulation.referee import Referee
from hotdesk.worker import Worker

# Two clocks differ by less than the margin that a taker of a desk waits.
SKEW_MAX = timedelta(seconds=7)


class RunningWorker:
    """A worker in a process of its own; ``ports.Process``."""

    def __init__(
        self, process: SimulatedProcess, worker: Worker, store: Backend, tasks: TaskGroup
    ) -> None:
        """Run *worker* in *process*, whose connection to the store is *store*."""
        self._process = process
        self._worker = worker
        self._store = store
        self._tasks = tasks
        self._ended = anyio.Event()
        self._status = -9

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Its exit status, once it has ended; -9 when it was killed."""
        await self._ended.wait()
        return self._status

    def terminate(self) -> None:
        """Ask it to drain."""
        if not self._ended.is_set():
            self._tasks.start_soon(self._worker.drain)

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    async def live(self) -> None:
        """Work until it is drained or killed."""
        try:
            with self._process.scope:
                self._status = await self._outlast()
        finally:
            with anyio.CancelScope(shield=True):
                await self._store.close()
            self._ended.set()

    async def _outlast(self) -> int:
        status = 0
        try:
            await self._worker.run()
        except* HotdeskError:
            status = 1
        return status


class Machine:
    """``ports.Launcher`` for one simulation, and the store as its processes reach it."""

    def __init__(
        self, path: Path, tasks: TaskGroup, lots: random.Random, faults: Faults, *, lost: float
    ) -> None:
        """Keep the store at *path*; processes are children of *tasks*, *lost* rings are lost."""
        self._path = path
        self._tasks = tasks
        self._lots = lots
        self._faults = faults
        self._origin = Origin()
        self._pids = count(1)
        self.exchange = Exchange(lots, lost=lost)
        self.referee = Referee(self.store(self.process("referee")), Limits())
        self.started = 0

    def process(self, name: str) -> SimulatedProcess:
        """A new process with a clock that is a little wrong."""
        skew = SKEW_MAX * self._lots.uniform(-1, 1)
        return SimulatedProcess(name, next(self._pids), skew=skew)

    def store(self, process: SimulatedProcess) -> Backend:
        """A connection of *process* to the store."""
        return SqliteBackend(self._path, process, bell=VirtualBell(self.exchange, process))

    def faulty(self, store: Backend, process: SimulatedProcess, faults: Faults) -> Backend:
        """A connection that fails now and then, watched by the referee."""
        proxy = FaultyBackend(store, process, faults, kill=self.kill, on_answer=self.referee.look)
        return cast("Backend", proxy)

    async def start(self, worker_id: str, pinned: Desk | None) -> RunningWorker:
        """Start one worker."""
        process = self.referee.processes[worker_id] = self.process(worker_id)
        store = self.store(process)
        worker = Worker(
            WorkerCard(id=worker_id, pid=process.pid, pinned=pinned),
            self.faulty(store, process, self._faults),
            SimulatedRunner(process, self._origin, self.referee),
            process,
        )
        running = RunningWorker(process, worker, store, self._tasks)
        self._tasks.start_soon(running.live)
        self.started += 1
        return running

    def kill(self, process: SimulatedProcess) -> None:
        """End a process at once; whoever watches it is told."""
        process.kill()
        self.exchange.note_death()
