"""How many: jobs enqueued and drained in a second, with few and with many known desks."""

import os
import shutil
import sqlite3
from pathlib import Path
from time import perf_counter

import anyio

import hotdesk
from benchmarks.crew import PATIENCE, Crew, crew, desk
from benchmarks.figures import Figure
from benchmarks.reference import Reference, reference
from benchmarks.sizes import Sizes
from hotdesk import Client, NewJob

# Of bare SQLite's rate.
RATIO_AIM = 0.3
# Turns that the reference and we take while jobs are enqueued: a disk's speed drifts.
TURNS = 20
# Who submit at the same time in one process: about as many as a busy intake has.
TASKS = 16
LOOK_EVERY = 0.05

KNOWN = """
    WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?)
    INSERT INTO desk (key, generation, last_place)
    SELECT printf('p%06d#u%03d', n / 1000, n % 1000), 1, 1 FROM number
"""


async def make_known(file: Path, known: int) -> None:
    """Make a database in which *known* desks have once been served; at *file*, which is new."""
    async with hotdesk.connect(f"sqlite:///{file}"):
        connection = sqlite3.connect(file)
        try:
            with connection:
                connection.execute(KNOWN, (known,))
        finally:
            connection.close()


async def throughput(folder: Path, sizes: Sizes, known: int, made: Path) -> list[Figure]:
    """Measure one repeat in *folder*, an empty one, on a copy of *made* with *known* desks."""
    figures = []
    _copy(made, folder / "hotdesk.db")
    with crew(folder) as people, reference(folder) as bare:
        async with hotdesk.connect(people.url) as client:
            for workers, batch in ((1, 1), (2, sizes.batch)):
                how = "one by one" if batch == 1 else f"{batch} in a commit"
                ours, theirs = await _enqueue(client, bare, sizes, known, batch)
                figures.append(_figure(f"enqueue {how}, {known:,} desks", sizes, ours, theirs))
                ours, theirs = await _drain(people, client, bare, sizes, workers)
                who = "1 worker" if workers == 1 else f"{workers} workers"
                figures.append(_figure(f"drain by {who}, {known:,} desks", sizes, ours, theirs))
    return figures


async def at_once(folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure one repeat of many tasks that submit at the same time, in *folder*, an empty one."""
    each = sizes.at_once // (TASKS * TURNS)
    ours = theirs = 0.0
    async with hotdesk.connect(f"sqlite:///{folder / 'hotdesk.db'}") as client:

        async def submit(task: int) -> None:
            for number in range(each):
                await client.submit(desk(number * TASKS + task), "none", interrupt="never")

        with reference(folder) as bare:
            for _ in range(TURNS):
                theirs += bare.enqueue(each * TASKS)
                begin = perf_counter()
                async with anyio.create_task_group() as tasks:
                    for task in range(TASKS):
                        tasks.start_soon(submit, task)
                ours += perf_counter() - begin
    done = each * TASKS * TURNS
    return [
        Figure(
            name=f"enqueue one by one by {TASKS} tasks at once",
            value=done / ours,
            unit="jobs/s",
            samples=done,
            reference=done / theirs,
            ratio_min=RATIO_AIM,
        )
    ]


def _copy(made: Path, to: Path) -> None:
    with made.open("rb") as source, to.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        # Or the disk would still be writing it while we measure.
        os.fsync(target.fileno())


def _figure(name: str, sizes: Sizes, ours: float, theirs: float) -> Figure:
    return Figure(
        name=name,
        value=ours,
        unit="jobs/s",
        samples=sizes.jobs,
        reference=theirs,
        ratio_min=RATIO_AIM,
    )


def _jobs(client: Client, sizes: Sizes, known: int, numbers: range) -> list[NewJob]:
    step = max(1, known // sizes.desks)
    return [
        client.new_job(desk(number % sizes.desks * step), "none", interrupt="never")
        for number in numbers
    ]


async def _enqueue(
    client: Client, bare: Reference, sizes: Sizes, known: int, batch: int
) -> tuple[float, float]:
    """Both rates, in jobs a second; each lets in a part of the jobs, in turns."""
    turn = sizes.jobs // TURNS
    ours = theirs = 0.0
    for first in range(0, turn * TURNS, turn):
        theirs += bare.enqueue(turn)
        begin = perf_counter()
        for number in range(first, first + turn, batch):
            numbers = range(number, min(number + batch, first + turn))
            await client.submit_many(_jobs(client, sizes, known, numbers))
        ours += perf_counter() - begin
    return turn * TURNS / ours, turn * TURNS / theirs


async def _drain(
    people: Crew, client: Client, bare: Reference, sizes: Sizes, workers: int
) -> tuple[float, float]:
    """Both rates, in jobs a second; the reference goes before us and behind us."""
    turns = sizes.jobs // TURNS * TURNS
    half = turns // 2
    theirs = bare.drain(half)
    crew_ids = [f"{workers}-{number}" for number in range(workers)]
    for worker_id in crew_ids:
        people.start(worker_id)
    await _until_idle(client, turns)
    # One that is slow to start may find all done; it must still be there to be drained.
    await _until_there(client, crew_ids)
    people.drain()
    theirs += bare.drain(turns - half)
    starts = [people.starts(worker_id) for worker_id in crew_ids]
    assert sum(map(len, starts)) == turns, "each job started once"
    # Processes do not start together: counted from when all of them are at work.
    busy = [each for each in starts if each]
    begin, end = max(map(min, busy)), max(map(max, busy))
    done = sum(at > begin for each in starts for at in each)
    return done / (end - begin) * 1e9, turns / theirs


async def _until_there(client: Client, crew_ids: list[str]) -> None:
    with anyio.fail_after(PATIENCE):
        while True:
            if {worker.id for worker in await client.workers()}.issuperset(crew_ids):
                return
            await anyio.sleep(LOOK_EVERY)


async def _until_idle(client: Client, jobs: int) -> None:
    # Looked at now and then, because a listener would be rung at every commit.
    with anyio.fail_after(PATIENCE + jobs / 100):
        while True:
            unended = [await client.jobs(state=state, limit=1) for state in ("queued", "running")]
            if not any(unended):
                return
            await anyio.sleep(LOOK_EVERY)
