"""``python -m benchmarks``: measure, and print what was measured."""

import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter

import anyio
import click
from rich.console import Console

from benchmarks.figures import Figure, summed_up
from benchmarks.latency import latency
from benchmarks.machine import Machine, Place
from benchmarks.report import Report
from benchmarks.sizes import QUICK, Sizes
from benchmarks.takeover import takeover
from benchmarks.throughput import at_once, make_known, throughput

Part = Callable[[Path], Awaitable[list[Figure]]]

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
    progress = Progress()
    with ExitStack() as kept:
        # Made once, on the disk that is measured: a million desks take longer than a copy of them.
        made = {place: Path(kept.enter_context(_folder(place))) for place in places}
        for place, folder in made.items():
            for known in sizes.known:
                progress.tell(place, f"make {known:,} known desks")
                await make_known(folder / f"{known}.db", known)
        for repeat in range(1, repeats + 1):
            for place in places:
                for what, part in _parts(place, sizes, made[place]):
                    progress.tell(place, f"repeat {repeat} of {repeats}: {what}")
                    with _folder(place) as empty:
                        found[place] += await part(Path(empty))
    progress.end()
    return Report(
        machine=Machine.this(),
        sizes=sizes,
        repeats=repeats,
        places=[(place, summed_up(figures)) for place, figures in found.items()],
    )


def _parts(place: Place, sizes: Sizes, made: Path) -> Iterator[tuple[str, Part]]:
    """What is measured in one repeat, each in an empty folder."""
    yield "latency", partial(latency, place, sizes=sizes)
    for known in sizes.known:
        file = made / f"{known}.db"
        yield (
            f"throughput with {known:,} known desks",
            partial(throughput, sizes=sizes, known=known, made=file),
        )
    yield "submissions at once", partial(at_once, sizes=sizes)
    yield "takeover", partial(takeover, sizes=sizes)


def _folder(place: Place) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hotdesk-", dir=place.folder)


class Progress:
    """Says on stderr what is being measured, and for how long it has been going on."""

    def __init__(self) -> None:
        """Count from now."""
        self._begin = perf_counter()

    def tell(self, place: Place, what: str) -> None:
        """Something begins."""
        self._say(f"{place.folder} ({place.file_system}): {what}")

    def end(self) -> None:
        """Everything was measured."""
        self._say("done")

    def _say(self, what: str) -> None:
        seconds = perf_counter() - self._begin
        print(f"[{seconds:4.0f} s] {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
