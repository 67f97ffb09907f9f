"""Charts: what is drawn is what was counted, and nothing but numbers gets in."""

import re
from xml.etree import ElementTree as ET

import pytest

from hotdesk.web.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Plot,
    Series,
    bars,
    count_end,
    lines,
    seconds,
    seconds_end,
    sparkline,
)
from tests.web.pages import EVIL

PLOT = Plot(id="chart", title="Throughput", about="7 jobs ended.", marks=["4 h ago", "now"])


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own


def path(svg: str, *classes: str) -> str:
    """What the path of these classes draws."""
    for each in parsed(svg).iter("path"):
        if (each.get("class") or "").split() == [*classes]:
            return each.get("d") or ""
    raise AssertionError(f"no path is {classes}")


def numbers(drawn: str) -> list[list[float]]:
    """The numbers of each part that begins with a move."""
    parts = drawn.split("M")[1:]
    return [[float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", part)] for part in parts]


def test_bars_stand_on_one_another_to_the_height_of_their_counts() -> None:
    svg = bars(
        PLOT,
        [Series(kind="done", values=[3, 0, 1]), Series(kind="failed", values=[1, 0, 0])],
    )

    done, failed = numbers(path(svg, "bar", "in-done")), numbers(path(svg, "bar", "in-failed"))
    high = (BOTTOM - TOP) / 4
    assert [head for _, _, head, *_ in done] == pytest.approx([BOTTOM - 3 * high, BOTTOM - high])
    assert [foot for _, foot, *_ in done] == [BOTTOM, BOTTOM]
    assert [foot for _, foot, *_ in failed] == pytest.approx([BOTTOM - 3 * high])
    assert [head for _, _, head, *_ in failed] == [TOP]
    assert [left for left, *_ in done][1] > LEFT + 2 * (RIGHT - LEFT) / 3


def test_a_gap_in_a_line_is_not_bridged() -> None:
    svg = lines(PLOT, [Series(kind="p95", values=[1.0, 2.0, None, None, 4.0])])

    drawn = path(svg, "line", "in-p95")
    assert drawn.count("M") == 2
    assert [run[1::2] for run in numbers(drawn)][1][0] == TOP
    assert numbers(path(svg, "area", "in-p95"))[0][1] == BOTTOM


@pytest.mark.parametrize("values", [[], [None], [None] * 48, [0.0] * 48, [0.0]])
def test_nothing_to_draw_is_drawn_as_nothing(values: list[float | None]) -> None:
    for svg in (
        bars(PLOT, [Series(kind="done", values=values)]),
        lines(PLOT, [Series(kind="p95", values=values)]),
        sparkline(values, "done"),
    ):
        assert "nan" not in svg
        assert "inf" not in svg
        assert parsed(svg).tag == "svg"


def test_a_chart_says_what_it_shows_to_who_does_not_see_it() -> None:
    root = parsed(bars(PLOT, [Series(kind="done", values=[7])]))

    assert root.get("role") == "img"
    told = {each.get("id"): each.text for each in root}
    assert [told[name] for name in (root.get("aria-labelledby") or "").split()] == [
        "Throughput",
        "7 jobs ended.",
    ]
    assert parsed(sparkline([1.0, 2.0], "done")).get("aria-hidden") == "true"


def test_no_text_breaks_out_of_a_chart() -> None:
    plot = Plot(id=EVIL, title=EVIL, about=EVIL, marks=[EVIL, EVIL])

    for svg in (
        bars(plot, [Series(kind=EVIL, values=[1])]),
        lines(plot, [Series(kind=EVIL, values=[1.0])]),
        sparkline([1.0, 2.0], EVIL),
    ):
        clean = svg.replace("\x1b", "")
        assert {each.tag for each in parsed(clean).iter()} <= {
            *("svg", "title", "desc", "path", "text", "circle")
        }
        assert "<script" not in svg


@pytest.mark.parametrize(
    ("most", "end"), [(0, 2), (1, 2), (3, 4), (5, 6), (7, 10), (11, 20), (61, 100), (99_999, 1e5)]
)
def test_an_axis_ends_at_a_round_number_with_a_whole_half(most: int, end: float) -> None:
    assert count_end(most) == end


@pytest.mark.parametrize(
    ("most", "end"),
    [(0, 0.02), (21, 40), (61, 120), (3601, 7200), (86_401, 172_800), (1e7, 10_022_400)],
)
def test_an_axis_of_spans_ends_at_a_round_one(most: float, end: float) -> None:
    assert seconds_end(most) == end


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *((0, "0s"), (0.0123, "0.012s"), (0.5, "0.5s"), (20, "20s"), (119.4, "119s")),
        *((240, "4m"), (5400, "90m"), (9000, "2.5h"), (172_800, "2d"), (86_400 * 1500, "1,500d")),
    ],
)
def test_a_span_is_written_short(value: float, told: str) -> None:
    assert seconds(value) == told


def test_what_stands_alone_and_what_is_last_has_a_dot() -> None:
    plot = Plot(id="wait", title="Wait", about="Waits.", marks=("now",))

    drawn = lines(plot, [Series(kind="p50", values=(1.0, None, 2.0, 3.0, None, 4.0, 5.0))])

    alone, last = re.findall(r'<circle class="dot in-p50" cx="([\d.]+)"', drawn)
    assert float(alone) < LEFT + (RIGHT - LEFT) / 7 < (LEFT + RIGHT) / 2 < float(last)
