"""What workers of one desk each do with a traffic, by hand."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from hotdesk.planner.outcome import Outcome, Timing
from hotdesk.planner.own_run import OwnRun
from hotdesk.planner.traffic import Arrival

TIMING = Timing(cold_start=40, prepare=5, stop=1, takeover=105)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashing(Timing):
    """One whose first runs end after so many seconds each."""

    crashes: list[float]

    def crash_in(self, span: float, lots: random.Random) -> float | None:
        """As they were named, whatever is drawn."""
        return self.crashes.pop(0) if self.crashes else None


def crashing(*crashes: float, cold_start: float = 40) -> Timing:
    return Crashing(cold_start=cold_start, prepare=5, stop=1, takeover=105, crashes=[*crashes])


def played(
    jobs: Iterable[Arrival],
    timing: Timing = TIMING,
    *,
    idle: float | None = None,
    until: float = 0.0,
) -> Outcome:
    run = OwnRun(timing, idle=idle)
    run.begin(0.0)
    for job in jobs:
        run.arrive(job)
    return run.finish(until)


def test_a_worker_that_is_always_on_is_there_for_all_of_the_time() -> None:
    outcome = played([Arrival(100, "a", 10), Arrival(200, "b", 10)], until=1000)

    assert (outcome.worker_seconds, outcome.busy_seconds, outcome.span) == (2000, 20, 1000)
    assert (outcome.waits.most, outcome.workers_most) == (0, 2)


def test_a_worker_from_zero_is_there_from_its_start_until_it_was_idle() -> None:
    jobs = [Arrival(0, "a", 10), Arrival(60, "a", 10), Arrival(500, "a", 10)]

    outcome = played(jobs, idle=50, until=1000)

    # It starts, prepares and works until 55, and from 60 to 70; then again at 500.
    assert outcome.worker_seconds == pytest.approx(70 + 50 + 55 + 50)
    assert (outcome.cold_starts, outcome.busy_seconds) == (2, 40)


def test_no_time_counts_for_a_worker_that_is_idle_at_the_end() -> None:
    outcome = played([Arrival(0, "a", 10)], idle=900)

    assert (outcome.span, outcome.worker_seconds) == (55, 55)


def test_what_a_crash_cut_off_is_done_again_by_a_worker_that_prepares() -> None:
    outcome = played([Arrival(0, "a", 100), Arrival(1, "a", 10)], crashing(30))

    # 30 seconds are lost; the lease runs out, and another worker does all of it.
    assert outcome.waits.most == 30 + 105 + 5 + 100 - 1
    assert (outcome.crashes, outcome.busy_seconds) == (1, 30 + 5 + 100 + 10)


def test_a_start_that_takes_longer_than_a_lease_is_waited_for() -> None:
    outcome = played([Arrival(0, "a", 100), Arrival(1, "a", 10)], crashing(30, cold_start=300))

    assert outcome.waits.most == 30 + 300 + 5 + 100 - 1


@pytest.mark.parametrize(
    ("at", "begins", "busy", "crashes"),
    [
        # Before the crash it stops at once, and no crash follows.
        (10, 11, 11, 0),
        # Nobody is there to stop; it is not run again.
        (60, 135, 30, 1),
        # The one that does it again stops.
        (200, 201, 30 + 66, 1),
    ],
)
def test_a_correction_around_a_crash_counts_only_what_was_done(
    at: float, begins: float, busy: float, crashes: int
) -> None:
    jobs = [Arrival(0, "a", 100), Arrival(at, "a", 7, is_correction=True)]

    outcome = played(jobs, crashing(30))

    assert outcome.waits.most == pytest.approx(begins - at, rel=0.01)
    assert (outcome.busy_seconds, outcome.crashes) == (busy + 7, crashes)
    assert outcome.interrupted == 1
