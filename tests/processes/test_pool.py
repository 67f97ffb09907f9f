"""The pool with real worker processes."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import anyio
import pytest

import hotdesk
from hotdesk import Client, Desk, JobState
from hotdesk.clock import SystemClock
from hotdesk.desks import WorkerStatus
from hotdesk.launcher import LocalLauncher
from hotdesk.placement import PinnedDesk, PoolLimits
from hotdesk.pool import Pool
from hotdesk.wiring import open_backend

from .crew import SERVED

pytestmark = pytest.mark.anyio
SOON = 10.0
SCOTT = Desk("amelia", "scott")


@asynccontextmanager
async def pool(
    folder: Path,
    limits: PoolLimits,
    *,
    program: str = str(SERVED),
    prefix: str = "p",
    decides_pins: bool = True,
    stop_time: timedelta = timedelta(seconds=10),
) -> AsyncIterator[tuple[Client, list[str]]]:
    """A pool that runs beside the test, a client, and what the pool complained about.

    When it has ended, none of its workers is registered any more.
    """
    url = f"sqlite:///{folder / 'hotdesk.db'}"
    complaints: list[str] = []
    numbers = count(1)

    def command(worker_id: str, pinned: Desk | None) -> list[str]:
        argv = [sys.executable, program, url, worker_id, str(folder / "trace"), "90"]
        return [*argv, *([str(pinned)] if pinned else [])]

    backend = open_backend(url)
    run = Pool(
        backend,
        SystemClock(),
        LocalLauncher(command),
        limits,
        new_id=lambda: f"{prefix}{next(numbers)}",
        decides_pins=decides_pins,
        stop_time=stop_time,
        on_error=complaints.append,
    ).run
    try:
        async with hotdesk.connect(url) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            yield client, complaints
            tasks.cancel_scope.cancel()
        assert not any(w.id.startswith(prefix) for w in await backend.workers())
    finally:
        await backend.close()


async def until(client: Client, holds: Callable[[list[WorkerStatus]], bool]) -> list[WorkerStatus]:
    """Look at the workers after each event until something holds of them."""
    with anyio.fail_after(SOON):
        async for _ in client.events(after=""):
            workers = await client.workers()
            if holds(workers):
                return workers
    raise AssertionError


async def test_the_pool_keeps_its_minimum_and_replaces_a_worker_that_is_killed(
    tmp_path: Path,
) -> None:
    async with pool(tmp_path, PoolLimits(workers_min=2, workers_max=2)) as (client, complaints):
        before = await until(client, lambda workers: len(workers) == 2)

        os.kill(before[0].pid, signal.SIGKILL)
        after = await until(
            client, lambda now: len(now) == 2 and before[0].id not in {w.id for w in now}
        )

    assert before[1].id in {w.id for w in after}
    assert "status -9" in complaints[0]


async def test_a_worker_that_must_be_killed_at_the_end_is_not_registered_any_more(
    tmp_path: Path,
) -> None:
    limits = PoolLimits(workers_min=1, workers_max=1)
    async with pool(tmp_path, limits, stop_time=timedelta(milliseconds=50)) as (client, _):
        [worker] = await until(client, lambda workers: len(workers) == 1)

        os.kill(worker.pid, signal.SIGSTOP)

    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


async def test_a_pool_at_zero_starts_a_worker_for_a_job_and_ends_it_when_idle(
    tmp_path: Path,
) -> None:
    limits = PoolLimits(workers_min=0, workers_max=1, idle=timedelta(0))
    async with pool(tmp_path, limits) as (client, _):
        job = await client.submit("amelia/scott", "0")

        done = await client.result(job.id, timeout=SOON)
        await until(client, lambda workers: workers == [])

    assert done.state is JobState.SUCCEEDED


async def test_a_pinned_desk_on_demand_is_served_by_a_worker_of_its_own(tmp_path: Path) -> None:
    pins = (PinnedDesk(desk=SCOTT, is_always_on=False),)
    limits = PoolLimits(workers_min=1, workers_max=1, idle=timedelta(0), pinned=pins)
    async with pool(tmp_path, limits) as (client, _):
        [generic] = await until(client, lambda workers: len(workers) == 1)

        own = await client.result((await client.submit("amelia/scott", "0")).id, timeout=SOON)
        other = await client.result((await client.submit("amelia/ana", "0")).id, timeout=SOON)
        await until(client, lambda workers: {w.id for w in workers} == {generic.id})

    assert own.text != generic.id
    assert other.text == generic.id


async def test_a_worker_that_cannot_start_is_not_started_over_and_over(tmp_path: Path) -> None:
    async with pool(tmp_path, PoolLimits(workers_min=1, workers_max=1), program="missing.py") as (
        client,
        complaints,
    ):
        for _ in range(10):
            job = await client.submit("amelia/scott", "0")
            with pytest.raises(TimeoutError):
                await client.result(job.id, timeout=0.1)

    assert len(complaints) == 1


async def test_a_pool_beside_another_one_leaves_its_pins_alone(tmp_path: Path) -> None:
    pins = (PinnedDesk(desk=SCOTT, is_always_on=False),)
    async with pool(tmp_path, PoolLimits(workers_min=1, workers_max=1, pinned=pins)) as (client, _):
        await until(client, lambda workers: len(workers) == 1)
        limits = PoolLimits(workers_min=1, workers_max=1)
        async with pool(tmp_path, limits, prefix="q", decides_pins=False) as (other, _):
            await until(other, lambda workers: len(workers) == 2)
            await client.result((await client.submit("amelia/scott", "0")).id, timeout=SOON)

            desk = await client.desk("amelia/scott")

    assert desk.is_pinned
