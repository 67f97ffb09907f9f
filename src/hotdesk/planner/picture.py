"""An answer as a picture: cost against delay with the frontier, and delays over the day."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hotdesk.errors import ConfigError
from hotdesk.planner.answer import Row, best, frontier

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")
SIZE_INCHES = (11.0, 5.0)
DOTS_PER_INCH = 140
# Nobody sees less on a logarithmic axis, which has no nought.
LEAST_SECONDS = 0.1


def draw(rows: Sequence[Row], path: Path, *, promise: float) -> None:
    """Write the picture of *rows* to *path*, as SVG or PNG by its name.

    Raises:
        ConfigError: It has another name, cannot be written, or matplotlib is not installed.
    """
    if path.suffix not in FORMATS:
        raise ConfigError(str(path), f"a picture ends in {' or '.join(FORMATS)}")
    try:
        # Heavy, and only here: every other command starts without it.
        from matplotlib import rc_context  # noqa: PLC0415 - see above
        from matplotlib.figure import Figure  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--picture", "matplotlib is not installed", "pip install 'hotdesk[plan]'"
        ) from error
    # The same picture from the same rows: no date, no random names within.
    with rc_context({"svg.hashsalt": "hotdesk", "font.size": 9}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        left, right = figure.subplots(1, 2)
        _cost_against_delay(left, rows, promise)
        _delay_over_the_day(right, rows)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        try:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata)
        except OSError as error:
            raise ConfigError(str(path), f"it cannot be written: {error.strerror}") from error


def _cost_against_delay(axes: "Axes", rows: Sequence[Row], promise: float) -> None:
    chosen = best(rows)
    line = frontier(rows)
    axes.step(
        [row.bill.total for row in line],
        [_delay(row) for row in line],
        where="post",
        color="0.6",
        linestyle="--",
        label="frontier",
    )
    for number, row in enumerate(rows):
        axes.plot(
            row.bill.total,
            _delay(row),
            marker="*" if row is chosen else "o" if row.is_kept else "X",
            markersize=15 if row is chosen else 8,
            linestyle="",
            color=f"C{number}",
            label=row.placement.name,
        )
    if LEAST_SECONDS < promise < float("inf"):
        axes.axhline(promise, color="tab:orange", linewidth=1, label=f"promise, {promise:g} s")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.15)
    axes.set_xlabel("dollars a month")
    axes.set_ylabel("delay of 95 % of jobs at most, seconds")
    axes.set_title("Cost against delay: the star is recommended, a cross breaks the promise")


def _delay_over_the_day(axes: "Axes", rows: Sequence[Row]) -> None:
    hours = range(24)
    for number, row in enumerate(rows):
        waits = [
            max(hour.quantile(0.95), LEAST_SECONDS) if hour.count else float("nan")
            for hour in row.outcome.delays.hours
        ]
        axes.plot(hours, waits, marker=".", color=f"C{number}")
    axes.set_yscale("log")
    axes.set_xticks(range(0, 24, 3))
    axes.set_xlabel("hour of the day")
    axes.set_ylabel("delay, p95, seconds")
    axes.set_title("Waiting over the day")


def _delay(row: Row) -> float:
    return max(row.outcome.delays.all.quantile(0.95), LEAST_SECONDS)
