"""The whole system in virtual time: people, a pool of workers, a sweep, one file, and faults.

Everything is drawn from a seed, so a run can be repeated to its last event. The
client, pool, workers, sweep and store are the real ones.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import anyio
from anyio.abc import TaskGroup, TaskStatus

from hotdesk.client import Client
from hotdesk.desks import JobState
from hotdesk.errors import NotFound, Rejected, Unavailable
from hotdesk.placement import PoolLimits
from hotdesk.pool import Pool
from hotdesk.simulation.faults import NO_FAULTS, FaultRates, Faults
from hotdesk.simulation.loop import VirtualLoop
from hotdesk.simulation.machine import Machine
from hotdesk.simulation.referee import Violation
from hotdesk.simulation.traffic import Act, Deed, acts
from hotdesk.sweep import Sweep

SPAN = timedelta(minutes=75)
JOBS = 14
RETENTION = timedelta(days=30)
MINUTE = timedelta(minutes=1)
# Jobs take hours, and a desk may have to wait for several of them.
PATIENCE = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run was like. ``events`` and ``faults`` are counts; ``digest`` tells runs apart."""

    seed: int
    jobs: int
    workers: int
    lasted: timedelta
    events: Mapping[str, int]
    faults: Mapping[str, int]
    digest: str


def simulate(seed: int, folder: Path) -> Report:
    """Run the system of *seed*, with its store in *folder*, an empty one.

    Raises:
        Violation: An invariant does not hold, perhaps within a group of errors; a
            note says how to repeat the run.
    """
    try:
        return anyio.run(_play, seed, folder, backend_options={"loop_factory": VirtualLoop})
    except BaseException as error:
        error.add_note(f"to repeat it: make simulate SEED={seed}")
        raise


class _World:
    """One run: who is there, what people do, and how it ends."""

    def __init__(self, seed: int, path: Path, tasks: TaskGroup) -> None:
        self.lots = random.Random(seed)
        self.faults = Faults(self.lots, NO_FAULTS)
        # The pool and the sweep are not killed or frozen: nobody would start them again.
        self.weather = Faults(self.lots, NO_FAULTS)
        lost = self.lots.choice([0.0, 0.1])
        self.machine = Machine(path, tasks, self.lots, self.faults, lost=lost)
        self.jobs: list[str] = []

    def break_out(self) -> None:
        """Let things go wrong from now on."""
        lots = self.lots
        self.weather.rates = FaultRates(weather=lots.choice([0.0, 0.02]))
        self.faults.rates = FaultRates(
            weather=self.weather.rates.weather,
            killed=lots.choice([0.0, 0.002, 0.01]),
            frozen=lots.choice([0.0, 0.005]),
        )

    def calm_down(self) -> None:
        """Let nothing go wrong from now on, so that everything can end."""
        self.faults.rates = self.weather.rates = NO_FAULTS
        self.machine.exchange.lost = 0.0

    async def pool(self, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
        """Keep workers running until the scope is cancelled; then stop them all."""
        process = self.machine.process("pool")
        store = self.machine.faulty(self.machine.store(process), process, self.weather)
        limits = PoolLimits(
            workers_min=self.lots.randint(0, 2), workers_max=self.lots.randint(2, 4)
        )
        names = count(1)
        with anyio.CancelScope() as scope:
            task_status.started(scope)
            await Pool(
                store, process, self.machine, limits, new_id=lambda: f"worker-{next(names)}"
            ).run()

    async def sweep(self) -> None:
        """Sweep every minute."""
        process = self.machine.process("sweep")
        store = self.machine.faulty(self.machine.store(process), process, self.weather)
        await Sweep(store, process, retention=RETENTION).run()

    # --------------------------------------------------------------------- people

    async def people(self) -> None:
        """Do what people do, at its time."""
        process = self.machine.process("people")
        store = self.machine.faulty(self.machine.store(process), process, self.weather)
        client = Client(store, process, random_bytes=self.lots.randbytes)
        for act in acts(self.lots, span=SPAN, jobs=JOBS):
            await anyio.sleep(max(0.0, act.at.total_seconds() - anyio.current_time()))
            await self._insist(partial(self._do, client, act, f"job-{len(self.jobs)}"))

    async def _do(self, client: Client, act: Act, job_id: str) -> None:
        match act.deed:
            case Deed.SUBMIT:
                text = act.work.text() if act.work else ""
                await client.submit(
                    act.desk, text, thread=act.thread, id=job_id, interrupt=act.interrupt
                )
                self.jobs.append(job_id)
            case Deed.CANCEL:
                await client.cancel(self._picked(act, has_ended=False))
            case Deed.RETRY:
                await client.retry(self._picked(act, has_ended=True))
            case Deed.PAUSE:
                await client.pause(str(act.desk))
            case Deed.RESUME:
                await client.resume(str(act.desk))
            case Deed.RELEASE:
                await client.ask_release(str(act.desk))
            case Deed.DRAIN:
                workers = await client.workers()
                if workers:
                    await client.drain(workers[act.number % len(workers)].id)

    def _picked(self, act: Act, *, has_ended: bool) -> str:
        jobs = self.machine.referee.jobs
        found = [
            job_id
            for job_id, job in jobs.items()
            if job.state.is_ended == has_ended and job.state is not JobState.SUCCEEDED
        ]
        if not found:
            raise NotFound("job", f"that {act.deed} could be meant for")
        return found[act.number % len(found)]

    async def _insist(self, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await do()
            except Rejected:
                # People ask for what is not possible any more; the refusal is the answer.
                return
            except Unavailable:
                await anyio.sleep(1)
            else:
                return

    # ------------------------------------------------------------------------ ends

    async def until(self, is_so: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """Let time pass until *is_so*, within bounds."""
        ends = anyio.current_time() + PATIENCE.total_seconds()
        while not await is_so():
            if anyio.current_time() > ends:
                raise Violation(f"after {PATIENCE}: {otherwise}")
            await anyio.sleep(MINUTE.total_seconds())

    async def all_ended(self) -> bool:
        """Whether every job has its outcome."""
        return all(job.state.is_ended for job in self.machine.referee.jobs.values())

    async def all_free(self) -> bool:
        """Whether every desk was left by its owner."""
        return all(not desk.holder for desk in self.machine.referee.desks.values())


async def _play(seed: int, folder: Path) -> Report:
    async with anyio.create_task_group() as tasks:
        world = _World(seed, folder / "hotdesk.db", tasks)
        referee = world.machine.referee
        tasks.start_soon(world.sweep)
        pool: anyio.CancelScope = await tasks.start(world.pool)
        world.break_out()
        await world.people()
        world.calm_down()
        await world.until(world.all_ended, "jobs are without outcome")
        await world.until(world.all_free, "desks are held without jobs")
        pool.cancel()
        await world.until(referee.is_quiet, "workers are still registered")
        await referee.conclude()
        tasks.cancel_scope.cancel()
    return Report(
        seed=seed,
        jobs=len(world.jobs),
        workers=world.machine.started,
        lasted=timedelta(seconds=anyio.current_time()),
        events=referee.seen,
        faults=world.faults.drawn + world.weather.drawn,
        digest=referee.digest,
    )
