"""What was measured, as tables for people and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Line, Spread
from benchmarks.machine import Machine, Place
from benchmarks.sizes import Sizes

THREE_DIGITS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything of one run."""

    machine: Machine
    sizes: Sizes
    repeats: int
    places: Sequence[tuple[Place, Sequence[Line]]]

    def as_json(self) -> str:
        """One object; spreads have the median, the least and the greatest over the repeats."""
        return json.dumps(
            {
                "machine": asdict(self.machine),
                "sizes": asdict(self.sizes),
                "repeats": self.repeats,
                "places": [
                    {
                        "folder": str(place.folder),
                        "file_system": place.file_system,
                        "lines": [asdict(line) for line in lines],
                    }
                    for place, lines in self.places
                ],
            },
            indent=2,
        )

    def show(self, console: Console) -> None:
        """Print a table for each place."""
        for name, value in asdict(self.machine).items():
            console.print(f"{name:<10} {value}", highlight=False)
        console.print(
            f"{'repeats':<10} {self.repeats}; in brackets, the least and the greatest of them"
        )
        console.print("ratio      to bare SQLite beside it, repeat by repeat")
        for place, lines in self.places:
            console.print(_table(place, lines))


def _table(place: Place, lines: Sequence[Line]) -> Table:
    title = f"{place.folder} ({place.file_system})"
    table = Table(title=title, title_justify="left", box=SIMPLE)
    table.add_column("measured", no_wrap=True)
    for name in ("samples", "median", "ratio", "aim"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        verdict = {True: ": met", False: ": [red]missed[/red]", None: ""}[line.is_met]
        table.add_row(
            line.name,
            f"{line.samples:,}",
            f"{_spread(line.value)} {line.unit}",
            _spread(line.ratio) if line.ratio else "",
            line.aim + verdict,
        )
    return table


def _spread(spread: Spread) -> str:
    if spread.least == spread.greatest:
        return _short(spread.median)
    return f"{_short(spread.median)} [{_short(spread.least)}-{_short(spread.greatest)}]"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= THREE_DIGITS else f"{value:.3g}"
