"""How soon: from a submit to the start of its handler, and to the interrupt of another one."""

from pathlib import Path
from time import monotonic_ns

import hotdesk
from benchmarks.crew import Crew, crew, desk
from benchmarks.figures import Figure, percentiles
from benchmarks.machine import Place
from benchmarks.reference import Reference, reference
from benchmarks.sizes import Sizes
from hotdesk import Client

# Samples between two looks at the reference.
CHUNK = 25
DESKS = 100
FREE = "submit to handler start, worker free"
AT_DESK = "submit to handler start, worker at its desk"
INTERRUPT = "interrupt to context.interrupted"
CORRECTION = "correction to handler start"
# Milliseconds at the 99th percentile, where no disk is waited for.
AIMS = {FREE: 2.0, AT_DESK: 2.0, INTERRUPT: 3.0}


class _Latencies:
    """Milliseconds by what was measured, in the order of the first mention."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}

    def add(self, name: str, begin: int, end: int) -> None:
        self.taken.setdefault(name, []).append((end - begin) / 1e6)


async def latency(place: Place, folder: Path, sizes: Sizes) -> list[Figure]:
    """Measure one repeat in *folder*, an empty one."""
    found = _Latencies()
    commits: list[float] = []
    with crew(folder) as people, reference(folder) as bare:
        async with hotdesk.connect(people.url) as client:
            people.start("free", linger=0)
            for number in range(sizes.latencies):
                _beside(bare, commits, number)
                await people.until(client, "free", "warm")
                await _start(people, client, number, FREE, found)
            people.drain()

            people.start("warm")
            await people.until(client, "warm", "warm")
            await _start(people, client, 0, "", _Latencies())
            for number in range(sizes.latencies):
                _beside(bare, commits, number)
                await people.until(client, "warm", "holding")
                await _start(people, client, 0, AT_DESK, found)
            for number in range(sizes.latencies):
                _beside(bare, commits, number)
                await people.until(client, "warm", "holding")
                await _interrupt(people, client, found)
            people.drain()
    one, slow = percentiles(commits)
    figures = [_figure("one commit (the reference)", (one, slow), len(commits), one)]
    for name, values in found.taken.items():
        aim = AIMS.get(name) if place.is_memory else None
        figures.append(_figure(name, percentiles(values), len(values), one, aim))
    return [figure for both in figures for figure in both]


def _beside(bare: Reference, commits: list[float], number: int) -> None:
    if number % CHUNK == 0:
        commits += bare.commits(CHUNK)


async def _start(people: Crew, client: Client, number: int, name: str, found: _Latencies) -> None:
    begin = monotonic_ns()
    job = await client.submit(desk(number % DESKS), "note")
    found.add(name, begin, await people.stamp("start", job.id))


async def _interrupt(people: Crew, client: Client, found: _Latencies) -> None:
    first = await client.submit(desk(0), "wait")
    await people.stamp("start", first.id)
    await people.until(client, "warm", "busy")
    begin = monotonic_ns()
    newer = await client.submit(desk(0), "note", thread=first.thread)
    stopped = await people.stamp("interrupted", first.id)
    found.add(INTERRUPT, begin, stopped)
    started = await people.stamp("start", newer.id)
    found.add(CORRECTION, begin, started)


def _figure(
    name: str, values: tuple[float, float], samples: int, one: float, aim: float | None = None
) -> tuple[Figure, Figure]:
    half, most = (
        Figure(
            name=f"{name}, {part}",
            value=value,
            unit="ms",
            samples=samples,
            reference=one,
            value_max=aim if part == "p99" else None,
        )
        for part, value in zip(("p50", "p99"), values, strict=True)
    )
    return half, most
