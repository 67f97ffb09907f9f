"""Where an answer changes: how much more traffic makes another placement the better one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from hotdesk.planner.answer import best, rows
from hotdesk.planner.placements import Placement, play
from hotdesk.planner.question import Question
from hotdesk.planner.traffic import Arrival

FACTOR_MAX = 64.0
STEPS = 5
JOBS_MAX = 20_000
"""Played a dozen times, so a long traffic is looked at in its beginning only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where the answer changes: at *factor* times the traffic, another placement is better.

    Without ``to``, up to that it stays. ``factor`` is 1 where that cannot be told.
    """

    factor: float
    to: Placement | None = None


def turn(question: Question, chosen: Placement) -> Turn:
    """Find the least traffic, up to 64 times as much, for which not *chosen* is the answer.

    The sizes of pools stay: more traffic than they can take breaks the promise, and the
    answer changes to what keeps it.
    """

    def answer(factor: float) -> Placement:
        some = [*islice(question.traffic(), JOBS_MAX)]
        lasts = question.lasts
        if lasts is not None:
            ends = lasts[1] if len(some) < JOBS_MAX else some[-1].at
            lasts = lasts[0] / factor, ends / factor
        played = play(denser(some, factor), question.placements, question.given, lasts=lasts)
        return best(rows(played, question.placements, question.where, question.prices)).placement

    if answer(1.0) != chosen:
        # The beginning of a long traffic is not like the rest of it.
        return Turn(factor=1.0)
    low, high = 1.0, 2.0
    while (found := answer(high)) == chosen:
        if high >= FACTOR_MAX:
            return Turn(factor=high)
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        at_middle = answer(middle)
        if at_middle == chosen:
            low = middle
        else:
            high, found = middle, at_middle
    return Turn(factor=high, to=found)


def denser(traffic: Iterable[Arrival], factor: float) -> Iterator[Arrival]:
    """The same jobs in a *factor*-th of the time: as many desks with more to do each."""
    for job in traffic:
        yield job._replace(at=job.at / factor)
