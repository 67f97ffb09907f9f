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
    """Where the answer changes: at *factor* times the traffic, another placement is better."""

    factor: float
    jobs_a_day: float
    to: Placement


def turn(question: Question) -> Turn | None:
    """Find the least traffic, up to 64 times as much, for which the answer is another one.

    The sizes of pools stay: more traffic than they can take breaks the promise, and the
    answer changes to what keeps it.
    """

    def answer(factor: float) -> tuple[Placement, float]:
        some = denser(islice(question.traffic(), JOBS_MAX), factor)
        played = play(some, question.placements, question.given)
        found = best(rows(played, question.placements, question.where, question.prices))
        return found.placement, played.jobs / max(played.span, 1.0) * 86_400

    chosen, _ = answer(1.0)
    low, high = 1.0, 2.0
    while True:
        found, jobs_a_day = answer(high)
        if found != chosen:
            break
        low, high = high, 2 * high
        if high > FACTOR_MAX:
            return None
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        at_middle, jobs_at_middle = answer(middle)
        if at_middle == chosen:
            low = middle
        else:
            high, found, jobs_a_day = middle, at_middle, jobs_at_middle
    return Turn(factor=high, jobs_a_day=jobs_a_day, to=found)


def denser(traffic: Iterable[Arrival], factor: float) -> Iterator[Arrival]:
    """The same jobs in a *factor*-th of the time: as many desks with more to do each."""
    for job in traffic:
        yield job._replace(at=job.at / factor)
