"""What a pool does with a traffic, by hand and by theory."""

import math
import random
from collections.abc import Iterable
from datetime import timedelta
from statistics import mean, stdev
from typing import Any

import pytest

from hotdesk.placement import PoolLimits
from hotdesk.planner.outcome import Outcome, Timing
from hotdesk.planner.pool_run import PoolRun
from hotdesk.planner.traffic import Arrival
from tests.planner.traces import poisson

INSTANT = Timing(cold_start=0, prepare=0, stop=0)
T_95 = 2.093
"""Student's t for 20 batches, 95 % of both sides."""


def played(
    jobs: Iterable[Arrival],
    *,
    least: int = 1,
    most: int = 1,
    linger: float = 0.0,
    session_max: float = math.inf,
    timing: Timing = INSTANT,
    **more: Any,  # noqa: ANN401 - what the run takes
) -> Outcome:
    limits = PoolLimits(workers_min=least, workers_max=most, idle=timedelta(minutes=10))
    run = PoolRun(limits, timing, linger=linger, session_max=session_max, **more)
    run.begin(0.0)
    for job in jobs:
        run.arrive(job)
    return run.finish()


def test_jobs_of_one_desk_run_one_after_the_other_however_many_workers_are_free() -> None:
    outcome = played([Arrival(0, "a", 10), Arrival(1, "a", 10)], least=3, most=3)

    assert outcome.waits.total == 9
    assert outcome.claims == 1


def test_a_worker_that_lingers_starts_the_next_job_of_its_desk_unprepared() -> None:
    timing = Timing(cold_start=0, prepare=5, stop=0)
    jobs = [Arrival(0, "a", 10), Arrival(30, "a", 10)]

    assert played(jobs, linger=60, timing=timing).waits.total == 5
    assert played(jobs, linger=0, timing=timing).waits.total == 10


def test_a_worker_that_lingers_leaves_for_a_desk_that_waits() -> None:
    outcome = played([Arrival(0, "a", 10), Arrival(20, "b", 10)], linger=600)

    assert outcome.waits.most == 0


def test_a_desk_that_was_served_long_enough_gives_way() -> None:
    jobs = [Arrival(n / 100, "a", 10) for n in range(10)] + [Arrival(5, "b", 1)]
    waits = played(jobs, session_max=25).waits

    # Of "a" four jobs run: the third is begun within the session, and the fourth ends it.
    assert waits.quantile(0.99) < 101
    assert played(jobs, session_max=1000).waits.total - waits.total == pytest.approx(54)


def test_a_pool_starts_no_more_than_its_most_and_lets_go_what_idles() -> None:
    jobs = [Arrival(0, name, 10) for name in "abcd"] + [Arrival(3000, "a", 10)]
    outcome = played(jobs, least=1, most=3, timing=Timing(cold_start=2, prepare=0, stop=0))

    assert outcome.workers_most == 3
    assert outcome.cold_starts == 2
    # One is there all the time; the others start, work and idle for ten minutes.
    assert outcome.worker_seconds == pytest.approx(3010 + 2 * 612, abs=10)


def test_a_correction_stops_what_runs_and_takes_the_place_of_what_waits() -> None:
    timing = Timing(cold_start=0, prepare=0, stop=1)
    jobs = [Arrival(0, "a", 100), Arrival(10, "a", 5, is_correction=True)]
    outcome = played(jobs, timing=timing)

    assert (outcome.interrupted, outcome.waits.most) == (1, 1)
    assert outcome.busy_seconds == 16

    jobs = [Arrival(0, "a", 9), Arrival(1, "a", 9), Arrival(2, "a", 5, is_correction=True)]
    outcome = played(jobs, timing=timing)

    assert (outcome.folded, outcome.waits.count, outcome.busy_seconds) == (1, 2, 14)


def test_a_job_near_its_end_is_not_prolonged_by_a_correction() -> None:
    jobs = [Arrival(0, "a", 10), Arrival(9.5, "a", 5, is_correction=True)]
    outcome = played(jobs, timing=Timing(cold_start=0, prepare=0, stop=1))

    assert (outcome.interrupted, outcome.busy_seconds) == (0, 15)


def test_work_that_a_crash_cut_off_is_done_again_after_the_takeover() -> None:
    timing = Timing(cold_start=2, prepare=0, stop=0, crashes_per_hour=6, takeover=105)
    lots = random.Random(1)
    jobs = [*poisson(lots, 500, gap=900, work=300, desks=20)]

    calm, rough = played(jobs, most=9), played(jobs, most=9, timing=timing)

    assert rough.crashes > 100
    assert rough.waits.count == calm.waits.count
    assert rough.busy_seconds > sum(job.seconds for job in jobs)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (4, 0.8), (20, 0.9)])
def test_without_affinity_the_share_that_waits_is_that_of_erlang_c(
    servers: int, load: float
) -> None:
    """Poisson arrivals, exponential work, each at a desk of its own; in 20 batches."""
    batches = []
    for seed in range(20):
        lots = random.Random(seed)
        traffic = poisson(lots, 10_000, gap=10 / servers / load, work=10, desks=10**9)
        batches.append(played(traffic, least=servers, most=servers).waits.waited)

    half = T_95 * stdev(batches) / math.sqrt(len(batches))
    assert half < 0.03
    assert mean(batches) == pytest.approx(erlang_c(servers, load * servers), abs=half)


def erlang_c(servers: int, offered: float) -> float:
    """The probability that a job waits (A. K. Erlang, 1917)."""
    terms = [offered**n / math.factorial(n) for n in range(servers)]
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(terms) + last)
