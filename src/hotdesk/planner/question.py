"""A whole question to the planner, as plain values, so that several processes can share it."""

import math
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev

from hotdesk.errors import Rejected, Unavailable
from hotdesk.planner.answer import Row, rows
from hotdesk.planner.bill import Where
from hotdesk.planner.described import DAY, Description, described
from hotdesk.planner.placements import Assumptions, Placement, Played, busy_most, play, standard
from hotdesk.planner.prices import Prices
from hotdesk.planner.trace import read_trace
from hotdesk.planner.traffic import Arrival

WORKERS_MAX = 100_000
JOBS_MAX = 100_000_000
"""Of a description; that many take more than an hour."""
# Student's t for a two-sided interval of 95 %, by degrees of freedom; beyond them it is near 2.
T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13)
T_MORE = 2.09


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFile:
    """Traffic that stands in a file; rows without a duration work for ``default_seconds``.

    It ``lasts`` from its first row to its last, unless there was more time without any job:
    from and until when is in seconds since midnight of the day of the first row.
    """

    path: Path
    default_seconds: float | None = None
    lasts: tuple[float, float] | None = None


Source = Description | FromFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a traffic, the placements, and what is assumed of the rest."""

    source: Source
    given: Assumptions
    where: Where
    prices: Prices
    placements: tuple[Placement, ...] = ()

    def traffic(self, seed: int = 0) -> Iterator[Arrival]:
        """The traffic from its beginning; what is described differs with *seed*.

        Raises:
            ConfigError: The file cannot be read, or a row of it is not usable.
        """
        match self.source:
            case Description():
                return described(self.source, seed)
            case FromFile():
                return read_trace(self.source.path, default_seconds=self.source.default_seconds)

    @property
    def lasts(self) -> tuple[float, float] | None:
        """From when to when it lasts; ``None`` for from its first job to its last."""
        match self.source:
            case Description():
                return 0.0, self.source.days * DAY
            case FromFile():
                return self.source.lasts

    def with_placements(self) -> "Question":
        """The same with placements: where none were named, those that fit its traffic.

        Raises:
            Rejected: There is no job in it, or no pool would be large enough, or too much.
        """
        if isinstance(self.source, Description) and self.source.jobs > JOBS_MAX:
            raise Rejected(
                f"that describes {self.source.jobs:,.0f} jobs, and up to {JOBS_MAX:,} can be"
                " played; describe a part of it, or fewer days"
            )
        if self.placements:
            return self
        most = busy_most(self.traffic())
        if not 0 < most <= WORKERS_MAX:
            raise Rejected(
                f"up to {most:,} jobs run at once in this traffic, and a pool of 1 to"
                f" {WORKERS_MAX:,} workers can be planned; describe another traffic"
            )
        return replace(self, placements=tuple(standard(most)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came out of one seed."""

    played: Played
    rows: Sequence[Row]


def answer_to(
    question: Question, seed: int = 0, *, on_progress: Callable[[int], None] = lambda _: None
) -> Answered:
    """Play it once, with the traffic and the crashes of *seed*.

    Raises:
        Rejected: There is no job in the traffic.
    """
    given = replace(question.given, seed=seed)
    played = play(
        question.traffic(seed),
        question.placements,
        given,
        lasts=question.lasts,
        on_progress=on_progress,
    )
    if not played.jobs:
        raise Rejected("there is no job in this traffic; describe more of it, or more days")
    found = rows(played, question.placements, question.where, question.prices)
    return Answered(played=played, rows=found)


def answers_to(
    question: Question,
    seeds: int,
    *,
    processes: int = 1,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Answered]:
    """Play it with each of so many seeds, in so many processes; ``on_progress`` counts jobs.

    Raises:
        Unavailable: One of the processes was killed.
    """
    if processes == 1 or seeds == 1:
        return [answer_to(question, each, on_progress=on_progress) for each in range(seeds)]
    try:
        with ProcessPoolExecutor(min(processes, seeds), initializer=_end_on_interrupt) as pool:
            return list(pool.map(partial(answer_to, question), range(seeds)))
    except BrokenProcessPool as error:
        raise Unavailable(
            "a process of the planner was killed, perhaps for want of memory; use fewer --processes"
        ) from error


def _end_on_interrupt() -> None:
    """End at once on Ctrl-C, which the terminal sends to all: what to say the first one says."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over seeds, and half the width of its interval of 95 %; 0 with a single seed."""

    value: float
    half: float = 0.0


def estimate(values: Iterable[float]) -> Estimate:
    """Estimate the mean of independent *values*."""
    every = list(values)
    if len(every) < 2:  # noqa: PLR2004 - of one there is no spread
        return Estimate(value=every[0])
    freedom = len(every) - 1
    t = T_95[freedom - 1] if freedom <= len(T_95) else T_MORE
    return Estimate(value=mean(every), half=t * stdev(every) / math.sqrt(len(every)))
