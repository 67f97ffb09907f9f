"""Measured numbers: one per repeat, then their median and spread over the repeats."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of one repeat.

    ``reference`` is what bare SQLite needed or did in the same repeat, in the same
    unit. ``value_max`` and ``ratio_min`` are aims.
    """

    name: str
    value: float
    unit: str
    samples: int
    reference: float | None = None
    value_max: float | None = None
    ratio_min: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of some repeats, and the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up at least one value."""
        return cls(median=median(values), least=min(values), greatest=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure over all repeats. Each ratio is of a value and the reference beside it."""

    name: str
    unit: str
    samples: int
    value: Spread
    ratio: Spread | None
    aim: str
    is_met: bool | None


def summed_up(figures: Iterable[Figure]) -> list[Line]:
    """Bring the repeats of each figure together, in the order of their first mention."""
    repeats: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        repeats[figure.name].append(figure)
    return [_line(each) for each in repeats.values()]


def _line(repeats: Sequence[Figure]) -> Line:
    first = repeats[0]
    value = Spread.of([each.value for each in repeats])
    ratios = [each.value / each.reference for each in repeats if each.reference]
    ratio = Spread.of(ratios) if ratios else None
    aim, is_met = "", None
    if first.value_max is not None:
        aim, is_met = f"at most {first.value_max:g} {first.unit}", value.median <= first.value_max
    if first.ratio_min is not None and ratio is not None:
        aim, is_met = f"at least {first.ratio_min:g} of it", ratio.median >= first.ratio_min
    return Line(
        name=first.name,
        unit=first.unit,
        samples=sum(each.samples for each in repeats),
        value=value,
        ratio=ratio,
        aim=aim,
        is_met=is_met,
    )


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th percentile of at least two values."""
    hundredths = quantiles(values, n=100, method="inclusive")
    return hundredths[49], hundredths[98]
