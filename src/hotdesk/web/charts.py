"""Charts as SVG: stacked bars, lines and sparklines, drawn from numbers alone.

Colours are classes, so both themes have theirs, and nothing is styled inline. A chart
has a title and says in a sentence what is to be seen; the page puts its numbers beside it
as a table. Texts are escaped, though no stranger writes any of them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

# In units of the drawing, which is stretched to the width of its card.
WIDTH, HEIGHT = 480, 152
LEFT, RIGHT, TOP, BOTTOM = 36, 474, 10, 126
DOT = 3
SPARK_WIDTH, SPARK_HEIGHT = 96, 20

Values = Sequence[float | None]

# Where an axis may end, so that its middle is a round number as well.
_ENDS = (2, 4, 6, 10)
_SECONDS_ENDS = (
    *(0.02, 0.1, 0.2, 0.4, 1, 2, 4, 10, 20, 40, 60, 120, 240, 600, 1200, 2400, 3600),
    *(7200, 14_400, 28_800, 43_200, 86_400),
)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is drawn in one colour: ``kind`` is its class, which the legend shows, too."""

    kind: str
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What stands around the drawing. ``about`` is the sentence for who does not see it.

    ``marks`` are the words below the axis, evenly spread; ``id`` is unique in the page.
    """

    id: str
    title: str
    about: str
    marks: Sequence[str]


def bars(plot: Plot, series: Sequence[Series]) -> Markup:
    """Counts, stacked in the order of *series*."""
    columns = len(series[0].values)
    totals = [sum(each.values[column] or 0 for each in series) for column in range(columns)]
    end = count_end(max(totals, default=0))
    wide = (RIGHT - LEFT) / max(columns, 1)
    below = [0.0] * columns
    drawn = Markup()
    for each in series:
        path = ""
        for column, value in enumerate(each.values):
            if value:
                foot, head = _height(below[column], end), _height(below[column] + value, end)
                left, width = LEFT + column * wide + wide * 0.08, wide * 0.84
                path += f"M{left:.1f} {foot:.1f}V{head:.1f}h{width:.1f}V{foot:.1f}z"
                below[column] += value
        if path:
            drawn += Markup('<path class="bar in-{}" d="{}"/>').format(each.kind, path)
    return _framed(plot, drawn, [(value, f"{value:,.0f}") for value in (0.0, end / 2, end)], end)


def lines(plot: Plot, series: Sequence[Series]) -> Markup:
    """Spans in seconds; the area below the first of *series* is tinted. ``None`` is a gap."""
    known = [value for each in series for value in each.values if value is not None]
    end = seconds_end(max(known, default=0.0))
    drawn = Markup()
    for number, each in enumerate(series):
        runs = [*_runs(each.values, lambda value: _height(value, end))]
        if number == 0:
            area = "".join(
                f"M{run[0][0]:.1f} {BOTTOM}{_line(run, start='L')}V{BOTTOM}z" for run in runs
            )
            drawn += Markup('<path class="area in-{}" d="{}"/>').format(each.kind, area)
        path = "".join(_line(run) for run in runs)
        drawn += Markup('<path class="line in-{}" d="{}"/>').format(each.kind, path)
        for run in runs:
            # What stands alone has no line; the last one is what people look for.
            if len(run) == 1 or run is runs[-1]:
                dot = Markup('<circle class="dot in-{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>')
                drawn += dot.format(each.kind, *run[-1], DOT)
    return _framed(plot, drawn, [(value, seconds(value)) for value in (0.0, end / 2, end)], end)


def sparkline(values: Values, kind: str) -> Markup:
    """A line without axes, beside a number that says the same in words."""
    most = max((value for value in values if value is not None), default=0.0) or 1.0
    wide = SPARK_WIDTH / max(len(values) - 1, 1)
    runs = _runs(
        values,
        lambda value: SPARK_HEIGHT - 2 - (SPARK_HEIGHT - 4) * value / most,
        place=lambda number: number * wide,
    )
    path = "".join(_line(run) for run in runs)
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" aria-hidden="true">'
        '<path class="line in-{}" d="{}"/></svg>'
    ).format(SPARK_WIDTH, SPARK_HEIGHT, kind, path)


def count_end(most: float) -> float:
    """Where an axis ends that has to hold *most*: a number with a whole half."""
    size = 1
    while True:
        for end in _ENDS:
            if end * size >= most:
                return float(end * size)
        size *= 10


def seconds_end(most: float) -> float:
    """The same for a span in seconds."""
    for end in _SECONDS_ENDS:
        if end >= most:
            return float(end)
    return 2.0 * _DAY * math.ceil(most / (2 * _DAY))


def seconds(value: float) -> str:
    """A span on an axis or in a table: ``0.5s``, ``20s``, ``4m``, ``1.5h``."""
    if value < 2 * _MINUTE:
        return f"{value:.2g}s" if value < 1 else f"{value:.0f}s"
    for unit, size, below in (("m", _MINUTE, 2 * _HOUR), ("h", _HOUR, 2 * _DAY)):
        if value < below:
            return f"{value / size:.3g}{unit}"
    return f"{value / _DAY:,.0f}d"


def _framed(plot: Plot, drawn: Markup, ticks: Sequence[tuple[float, str]], end: float) -> Markup:
    grid = "".join(f"M{LEFT} {_height(value, end):.1f}H{RIGHT}" for value, _ in ticks)
    scale = Markup().join(
        Markup('<text class="axis end" x="{}" y="{:.1f}">{}</text>').format(
            LEFT - 6, _height(value, end) + 4, words
        )
        for value, words in ticks
    )
    last = max(len(plot.marks) - 1, 1)
    marks = Markup().join(
        Markup('<text class="axis {}" x="{:.1f}" y="{}">{}</text>').format(
            "start" if number == 0 else "end" if number == last else "middle",
            LEFT + (RIGHT - LEFT) * number / last,
            HEIGHT - 8,
            words,
        )
        for number, words in enumerate(plot.marks)
    )
    return Markup(
        '<svg class="plot" viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="{id}-name {id}-about">'
        '<title id="{id}-name">{title}</title><desc id="{id}-about">{about}</desc>'
        '<path class="grid" d="{grid}"/>{drawn}{scale}{marks}</svg>'
    ).format(
        width=WIDTH,
        height=HEIGHT,
        id=plot.id,
        title=plot.title,
        about=plot.about,
        grid=grid,
        drawn=drawn,
        scale=scale,
        marks=marks,
    )


def _height(value: float, end: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * value / end


def _runs(
    values: Values,
    height: Callable[[float], float],
    place: Callable[[int], float] | None = None,
) -> Iterator[list[tuple[float, float]]]:
    """The points of *values* between one gap and the next."""
    wide = (RIGHT - LEFT) / max(len(values), 1)
    run: list[tuple[float, float]] = []
    for number, value in enumerate([*values, None]):
        if value is None:
            if run:
                yield run
            run = []
        else:
            along = place(number) if place else LEFT + (number + 0.5) * wide
            run.append((along, height(value)))


def _line(run: Sequence[tuple[float, float]], start: str = "M") -> str:
    points = "L".join(f"{along:.1f} {high:.1f}" for along, high in run)
    # A line to where it is: a point on its own is seen, too, as its round ends.
    return f"{start}{points}h0"
