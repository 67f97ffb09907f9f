"""Which placement is recommended, what it costs, and when that changes."""

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk.errors import ConfigError, Rejected, Unavailable
from hotdesk.planner import question
from hotdesk.planner.answer import Row, best, frontier
from hotdesk.planner.bill import Where, bill
from hotdesk.planner.described import Description
from hotdesk.planner.outcome import Timing
from hotdesk.planner.placements import Assumptions, Dedicated, WarmPool
from hotdesk.planner.prices import HOURS_A_MONTH, OWN, POOLED, PerJob, Prices
from hotdesk.planner.question import Answered, FromFile, Question, answer_to, answers_to, estimate
from hotdesk.planner.turning import turn

ALWAYS_ON = Dedicated(is_always_on=True)
ON_ITS_OWN = Dedicated(is_always_on=False)
SMALL = WarmPool(workers_min=1, workers_max=1)
FITTING = WarmPool(workers_min=2, workers_max=6)

DESCRIPTION = Description(projects=5, users=4, jobs_per_user_day=20, job_minutes=4, days=7)
QUESTION = Question(
    source=DESCRIPTION,
    given=Assumptions(timing=Timing(cold_start=45, prepare=5), promise=60),
    where=Where.FARGATE,
    prices=Prices(),
    placements=(ALWAYS_ON, ON_ITS_OWN, SMALL, FITTING),
)


@pytest.fixture(scope="module")
def answered() -> Answered:
    return answer_to(QUESTION)


def row(answered: Answered, placement: object) -> Row:
    return next(each for each in answered.rows if each.placement == placement)


def test_the_cheapest_that_keeps_the_promise_is_recommended(answered: Answered) -> None:
    chosen = best(answered.rows)

    assert chosen.placement == FITTING
    assert chosen.bill.total < row(answered, ALWAYS_ON).bill.total
    # It would be cheaper, if nobody minded the wait.
    assert row(answered, SMALL).bill.total < chosen.bill.total
    assert not row(answered, SMALL).is_kept


def test_without_one_that_keeps_it_the_nearest_is_recommended(answered: Answered) -> None:
    broken = [each for each in answered.rows if not each.is_kept]

    assert [each.placement for each in broken] == [SMALL]
    assert best(broken).placement == SMALL


def test_what_another_one_beats_in_cost_and_delay_is_not_at_the_frontier(
    answered: Answered,
) -> None:
    placements = [each.placement for each in frontier(answered.rows)]

    assert placements[0] == SMALL
    assert placements[-1] == ALWAYS_ON
    costs = [each.bill.total for each in frontier(answered.rows)]
    assert costs == sorted(costs)


def test_workers_that_are_always_on_cost_their_price_for_the_whole_month(
    answered: Answered,
) -> None:
    found = row(answered, ALWAYS_ON)

    hour = QUESTION.prices.fargate_hour
    assert found.bill.workers == pytest.approx(20 * HOURS_A_MONTH * hour, rel=0.01)
    assert found.outcome.idle_share == pytest.approx(
        1 - answered.played.work / (20 * answered.played.span), rel=0.05
    )


@pytest.mark.parametrize(("workers", "servers"), [(1, 1), (8, 1), (9, 2)])
def test_a_server_is_rented_whole(answered: Answered, workers: int, servers: int) -> None:
    outcome = replace(row(answered, FITTING).outcome, workers_most=workers)

    found = bill(FITTING, outcome, 100, Where.SERVER, Prices(server_month=50))

    assert (found.total, found.requests) == (servers * 50, 0)


def test_more_traffic_than_a_pool_can_take_changes_the_answer() -> None:
    found = turn(replace(QUESTION, placements=(ALWAYS_ON, FITTING)), FITTING)

    assert found.to == ALWAYS_ON
    assert 1 < found.factor < 8
    # With a promise that is easily kept it never pays.
    patient = replace(QUESTION.given, promise=10**6)
    stays = turn(replace(QUESTION, placements=(ALWAYS_ON, FITTING), given=patient), FITTING)
    assert (stays.to, stays.factor) == (None, 64)


def test_a_traffic_that_begins_unlike_it_goes_on_says_so() -> None:
    found = turn(replace(QUESTION, placements=(ALWAYS_ON, FITTING)), ALWAYS_ON)

    assert (found.to, found.factor) == (None, 1)


def test_placements_that_nobody_named_have_room_for_the_peak() -> None:
    placements = replace(QUESTION, placements=()).with_placements().placements

    assert placements[:2] == (ALWAYS_ON, ON_ITS_OWN)
    pools = [each for each in placements if isinstance(each, WarmPool)]
    assert {each.workers_min for each in pools} >= {0}
    outcome = answer_to(replace(QUESTION, placements=(pools[0],))).rows[0].outcome
    assert outcome.workers_most <= pools[0].workers_max


def test_no_traffic_is_no_question() -> None:
    nobody = replace(DESCRIPTION, jobs_per_user_day=1e-9)

    with pytest.raises(Rejected, match="describe"):
        replace(QUESTION, source=nobody, placements=()).with_placements()
    with pytest.raises(Rejected, match="describe"):
        answer_to(replace(QUESTION, source=nobody))


def test_seeds_play_the_same_in_one_process_as_in_two() -> None:
    small = replace(DESCRIPTION, days=2)
    question = replace(QUESTION, source=small)

    one, two = answers_to(question, 2), answers_to(question, 2, processes=2)

    costs = [[each.bill.total for each in found.rows] for found in one]
    assert costs == [[each.bill.total for each in found.rows] for found in two]
    assert costs[0] != costs[1]


def test_more_jobs_than_can_be_played_are_refused_at_once() -> None:
    everybody = replace(DESCRIPTION, projects=100_000, users=100_000)

    for placements in ((), QUESTION.placements):
        with pytest.raises(Rejected, match="describes 1,400,000,000,000 jobs, and up to"):
            replace(QUESTION, source=everybody, placements=placements).with_placements()


def test_a_process_that_is_killed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "_end_on_interrupt", _die)

    with pytest.raises(Unavailable, match="a process of the planner was killed"):
        answers_to(QUESTION, 2, processes=2)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_quiet_time_of_a_recording_belongs_to_it(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("at,desk,seconds\n36000,a/b,60\n39600,a/b,60\n")
    asked = replace(QUESTION, source=FromFile(path=path), placements=(ALWAYS_ON,))
    whole = replace(asked, source=FromFile(path=path, lasts=(0.0, 86_400.0)))

    hour, day = (answer_to(each).rows[0] for each in (asked, whole))

    assert (hour.outcome.span, day.outcome.span) == (3660, 86_400)
    assert day.bill.jobs == pytest.approx(hour.bill.jobs * 3660 / 86_400)
    assert day.bill.workers == pytest.approx(hour.bill.workers)


def test_an_estimate_is_as_wide_as_student_says() -> None:
    found = estimate([1.0, 2.0, 3.0])

    assert found.value == 2
    assert found.half == pytest.approx(4.30 / 3**0.5)
    assert estimate([5.0]).half == 0


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"fargate_our": 1.0}, "prices.fargate_our: there is no such price"),
        ({"fargate_hour": -1.0}, "prices.fargate_hour: -1.0 is no price"),
        ({"fargate_hour": float("nan")}, "prices.fargate_hour: nan is no price"),
        ({"workers_per_server": 0.0}, "prices.workers_per_server: 0.0 is no price"),
    ],
)
def test_a_price_that_is_none_is_named(overrides: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Prices().but(overrides)

    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("row", "each"),
    [("to a known desk that nobody serves", POOLED), ("*container per project and user*", OWN)],
)
def test_calls_and_transitions_of_a_job_are_those_of_the_page_about_aws(
    row: str, each: PerJob
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "aws.md").read_text("utf-8")

    found = re.search(rf"\| {re.escape(row)} \| (\d+) \| (\d+) \| (\d+) \|", page)

    assert found is not None
    ours, workflow, transitions = map(int, found.groups())
    assert (each.calls, each.transitions) == (ours + workflow, transitions)
    assert each.requests == ours + workflow + transitions
