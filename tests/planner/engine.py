"""The real engine in virtual time: client, pool, workers and store play one traffic."""

import math
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import Claim, Delivery, Desk, InterruptPolicy, NewJob, Result
from hotdesk.placement import PoolLimits
from hotdesk.planner.outcome import Outcome, Timing
from hotdesk.planner.traffic import Arrival
from hotdesk.planner.waits import Waits, WaitsByHour
from hotdesk.pool import Pool
from hotdesk.ports import Context, WorkerCard
from hotdesk.session import WorkerLimits
from hotdesk.simulation.bell import Exchange, VirtualBell
from hotdesk.simulation.fates import Fates
from hotdesk.simulation.loop import VirtualLoop
from hotdesk.simulation.process import SimulatedProcess
from hotdesk.worker import Worker

LOOK_EVERY = timedelta(seconds=10)


class _Agent:
    """``ports.Runner`` whose agents work as long as the traffic says."""

    publishes = False

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._prepared: Claim | None = None

    async def take_over(self, claim: Claim, thread: str) -> None:
        """Nothing was left."""

    async def run(self, delivery: Delivery, context: Context) -> Result | None:
        """Prepare, once for each claim, and work until it is done or stopped."""
        engine, timing = self._engine, self._engine.timing
        since = anyio.current_time()
        if self._prepared is not delivery.claim:
            self._prepared = delivery.claim
            await engine.passes(timing.prepare)
        job = engine.jobs[delivery.job.id]
        engine.outcome.waits.add(anyio.current_time() - job.at)
        with anyio.move_on_after(job.seconds) as work:
            await context.interrupted.wait()
        if not work.cancelled_caught:
            await engine.passes(timing.stop)
            engine.outcome.interrupted += 1
        engine.outcome.busy_seconds += anyio.current_time() - since
        return Result() if work.cancelled_caught else None

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Nothing to keep."""

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Nothing to publish."""
        return result

    async def leave(self, claim: Claim) -> None:
        """Nothing is held."""


class _Process:
    """``ports.Process``."""

    def __init__(self, worker: Worker, pid: int) -> None:
        self.pid = pid
        self.worker = worker
        self.ended = anyio.Event()
        self.told = anyio.Event()

    async def wait(self) -> int:
        await self.ended.wait()
        return 0

    def terminate(self) -> None:
        self.told.set()

    def kill(self) -> None:
        assert self.ended.is_set(), "nothing hangs here"


class Engine:
    """One run; ``ports.Launcher`` of its pool."""

    def __init__(self, path: Path, timing: Timing, limits: WorkerLimits, tasks: TaskGroup) -> None:
        self.timing = timing
        self.jobs: dict[str, Arrival] = {}
        self.outcome = Outcome(waits=Waits(), delays=WaitsByHour(promise=math.inf))
        self._path = path
        self._limits = limits
        self._tasks = tasks
        self._pids = count(1)
        self._clock = SimulatedProcess("world", 0)
        self._exchange = Exchange(Fates(0, anyio.current_time), lambda *_: None)

    async def passes(self, seconds: float) -> None:
        """Let virtual time pass."""
        await self._clock.sleep(timedelta(seconds=seconds))

    def store(self) -> tuple[SimulatedProcess, SqliteBackend]:
        """Another process with a connection of its own."""
        pid = next(self._pids)
        process = SimulatedProcess(f"process {pid}", pid)
        bell = VirtualBell(self._exchange, process)
        return process, SqliteBackend(self._path, process, bell=bell)

    async def start(self, worker_id: str, pinned: Desk | None) -> _Process:
        """Start a worker, which can claim after a cold start."""
        process, store = self.store()
        card = WorkerCard(id=worker_id, pid=process.pid, pinned=pinned)
        started = _Process(Worker(card, store, _Agent(self), process, self._limits), process.pid)
        self._tasks.start_soon(self._live, started, store)
        return started

    async def _live(self, process: _Process, store: SqliteBackend) -> None:
        since = anyio.current_time()
        if since:
            # Those that are there from the beginning are warm.
            self.outcome.cold_starts += 1
            await self.passes(self.timing.cold_start)

        async def drain_once_told() -> None:
            await process.told.wait()
            await process.worker.drain()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain_once_told)
            await process.worker.run()
            tasks.cancel_scope.cancel()
        await store.close()
        self.outcome.worker_seconds += anyio.current_time() - since
        process.ended.set()

    async def submit(self, store: SqliteBackend, trace: Sequence[Arrival], start: float) -> None:
        """Submit each job at its time, *start* being that of the first."""
        threads: dict[str, str] = {}
        for number, job in enumerate(trace):
            await self.passes(max(0.0, job.at - start - anyio.current_time()))
            name = f"job-{number}"
            if not job.is_correction:
                threads[job.desk] = name
            self.jobs[name] = job._replace(at=anyio.current_time())
            new = NewJob(
                id=name,
                desk=Desk("p", job.desk),
                thread=threads[job.desk],
                instruction="work",
                interrupt=InterruptPolicy.THREAD,
            )
            await store.submit([new], now=self._clock.now())

    async def all_ended(self, store: SqliteBackend) -> None:
        """Return once every job has its outcome."""
        for name in self.jobs:
            while not (await store.job(name)).state.is_ended:
                await store.changed(None, wait=LOOK_EVERY)
                await self.passes(LOOK_EVERY.total_seconds())


def play(
    trace: Sequence[Arrival],
    limits: PoolLimits,
    timing: Timing,
    *,
    linger: float,
    session_max: float,
) -> Outcome:
    """Play *trace* through the real pool and workers."""
    worker_limits = WorkerLimits(
        linger=timedelta(seconds=linger), session_max=timedelta(seconds=session_max)
    )

    async def run() -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            async with anyio.create_task_group() as tasks:
                engine = Engine(Path(folder) / "hotdesk.db", timing, worker_limits, tasks)
                process, store = engine.store()
                pool = Pool(
                    store, process, engine, limits, new_id=map("w{}".format, count()).__next__
                )
                async with anyio.create_task_group() as serving:
                    serving.start_soon(pool.run)
                    await engine.submit(store, trace, trace[0].at)
                    await engine.all_ended(store)
                    engine.outcome.span = anyio.current_time()
                    serving.cancel_scope.cancel()
                await store.close()
            return engine.outcome

    return anyio.run(run, backend_options={"loop_factory": VirtualLoop})
