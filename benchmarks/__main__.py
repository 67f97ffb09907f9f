"""``python -m benchmarks``: measure, and print what was measured."""

import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
import click
from rich.console import Console

from benchmarks.figures import Figure, summed_up
from benchmarks.latency import latency
from benchmarks.machine import Machine, Place
from benchmarks.report import Report
from benchmarks.sizes import QUICK, Sizes
from benchmarks.takeover import takeover
from benchmarks.throughput import throughput

REPEATS = 3
# A table that is cut off at the edge of a terminal, or of a log, is of no use.
WIDTH = 130


@click.command()
@click.option("--quick", is_flag=True, help="Fewer jobs and one repeat: less than a minute.")
@click.option("--repeat", type=click.IntRange(min=1), help=f"How often; {REPEATS} times, or once.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--dir",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Where to measure; else in memory and on the disk of the temporary folder.",
)
def main(*, quick: bool, repeat: int | None, is_json: bool, folders: tuple[Path, ...]) -> None:
    """Measure Hotdesk beside bare SQLite."""
    sizes = QUICK if quick else Sizes()
    places = [Place.at(folder) for folder in folders] or Place.usual()
    repeats = repeat or (1 if quick else REPEATS)
    report = anyio.run(measure_until_told_to_end, places, sizes, repeats)
    if report is None:
        sys.exit(128 + signal.SIGTERM)
    if is_json:
        click.echo(report.as_json())
    else:
        report.show(Console(width=WIDTH))


async def measure_until_told_to_end(
    places: list[Place], sizes: Sizes, repeats: int
) -> Report | None:
    """``measure``; on SIGTERM everything is cleaned up, and there is no report."""
    report = None
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def end_on_sigterm() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(end_on_sigterm)
            report = await measure(places, sizes, repeats)
            tasks.cancel_scope.cancel()
    return report


async def measure(places: list[Place], sizes: Sizes, repeats: int) -> Report:
    """Measure everything in each of *places*; each repeat has folders of its own."""
    found: dict[Place, list[Figure]] = {place: [] for place in places}
    for _ in range(repeats):
        for place in places:
            parts: list[Callable[[Path], Awaitable[list[Figure]]]] = [
                partial(latency, place, sizes=sizes),
                *(partial(throughput, sizes=sizes, known=known) for known in sizes.known),
                partial(takeover, sizes=sizes),
            ]
            for part in parts:
                print(".", end="", file=sys.stderr, flush=True)
                with tempfile.TemporaryDirectory(prefix="hotdesk-", dir=place.folder) as folder:
                    found[place] += await part(Path(folder))
    print(file=sys.stderr)
    return Report(
        machine=Machine.this(),
        sizes=sizes,
        repeats=repeats,
        places=[(place, summed_up(figures)) for place, figures in found.items()],
    )


if __name__ == "__main__":
    main()
