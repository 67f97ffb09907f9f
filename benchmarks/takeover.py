"""How soon after a death: from kill -9 of a busy worker to its job's start at another one."""

from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from time import monotonic_ns

import anyio

import hotdesk
from benchmarks.crew import Crew, crew, desk
from benchmarks.figures import Figure
from benchmarks.sizes import Sizes
from hotdesk import Client, Desk
from hotdesk.clock import SystemClock
from hotdesk.launcher import LocalLauncher, LocalProcess
from hotdesk.placement import PoolLimits
from hotdesk.pool import STARTS_WELL, Pool
from hotdesk.wiring import open_backend

TAKEOVER_AIM = 500.0


async def takeover(folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure one repeat in *folder*, an empty one."""
    with crew(folder) as people:
        async with hotdesk.connect(people.url) as client:
            by_free = await _by_a_free_worker(people, client, sizes.takeovers)
            by_new = await _by_a_new_worker(people, client, sizes.replacements)
    figures = []
    for name, taken, aim in (
        ("kill -9 to handler start, worker free", by_free, TAKEOVER_AIM),
        ("kill -9 to handler start, replaced by the pool", by_new, None),
    ):
        for part, value in (("median", median(taken)), ("longest", max(taken))):
            figures.append(
                Figure(
                    name=f"{name}, {part}",
                    value=value,
                    unit="ms",
                    samples=len(taken),
                    value_max=aim,
                )
            )
    return figures


async def _by_a_free_worker(people: Crew, client: Client, samples: int) -> list[float]:
    people.start("w0")
    await people.until(client, "w0", "warm")
    job = await client.submit(desk(0), "wait")
    await people.stamp("start", job.id)
    taken = []
    for number in range(1, samples + 1):
        people.start(f"w{number}")
        await people.until(client, f"w{number}", "warm")
        begin = monotonic_ns()
        people.kill(f"w{number - 1}")
        taken.append((await people.stamp("start", job.id) - begin) / 1e6)
    await client.cancel(job.id)
    await people.stamp("interrupted", job.id)
    people.drain()
    return taken


class _LastKnown(LocalLauncher):
    """A launcher that remembers the worker it started last."""

    def __init__(self, people: Crew) -> None:
        super().__init__(lambda worker_id, _: people.command(worker_id, 300))
        self.last: LocalProcess | None = None

    async def start(self, worker_id: str, pinned: Desk | None) -> LocalProcess:
        """Start one worker."""
        self.last = await super().start(worker_id, pinned)
        return self.last


async def _by_a_new_worker(people: Crew, client: Client, samples: int) -> list[float]:
    backend = open_backend(people.url)
    launcher = _LastKnown(people)
    ids = (f"pool{number}" for number in count())
    limits = PoolLimits(workers_min=1, workers_max=1)
    pool = Pool(backend, SystemClock(), launcher, limits, new_id=partial(next, ids))
    taken = []
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run)
            job = await client.submit(desk(1), "wait")
            await people.stamp("start", job.id)
            for _ in range(samples):
                # One that ends soon after its start has failed; the pool would pause.
                await anyio.sleep(STARTS_WELL.total_seconds())
                begin = monotonic_ns()
                assert launcher.last is not None, "the pool has started a worker"
                launcher.last.kill()
                taken.append((await people.stamp("start", job.id) - begin) / 1e6)
            tasks.cancel_scope.cancel()
    finally:
        await backend.close()
    await client.cancel(job.id)
    return taken
