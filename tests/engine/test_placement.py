"""The three placements as rules."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk import Desk
from hotdesk.desks import WorkerStatus
from hotdesk.placement import PinnedDesk, PoolLimits, PoolPlan, PoolWorker, plan, pool_worker

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
SCOTT = Desk("amelia", "scott")


def busy(worker_id: str) -> PoolWorker:
    """A worker that serves a desk."""
    return PoolWorker(id=worker_id)


def free(worker_id: str, since: datetime = NOW) -> PoolWorker:
    """A worker that could take a desk."""
    return PoolWorker(id=worker_id, free_since=since)


@pytest.mark.parametrize(
    ("workers", "waiting", "started"),
    [
        pytest.param([], 0, 2, id="the minimum is kept warm"),
        pytest.param([busy("a"), busy("b")], 0, 0, id="busy workers count for the minimum"),
        pytest.param([busy("a"), busy("b")], 1, 1, id="a waiting desk without a free worker"),
        pytest.param([busy("a"), free("b")], 1, 0, id="a free worker takes the waiting desk"),
        pytest.param([busy("a"), busy("b")], 9, 2, id="never more than the maximum"),
        pytest.param(
            [busy("a"), busy("b"), PoolWorker(id="c", is_starting=True)], 1, 0, id="one is coming"
        ),
        pytest.param(
            [PoolWorker(id="a", is_draining=True), busy("b")], 0, 1, id="draining ones are replaced"
        ),
        pytest.param(
            [PoolWorker(id=name, is_draining=True) for name in "abcd"],
            3,
            0,
            id="draining ones still use the machine",
        ),
    ],
)
def test_as_many_workers_start_as_desks_wait_for(
    workers: list[PoolWorker], waiting: int, started: int
) -> None:
    limits = PoolLimits(workers_min=2, workers_max=4)

    assert plan(workers, waiting, [], limits, now=NOW).start == started


def test_a_free_worker_that_is_silent_for_long_may_be_frozen_and_is_not_waited_for() -> None:
    def status(seen_at: datetime) -> WorkerStatus:
        return WorkerStatus(
            id="a",
            pid=1,
            state="warm",
            desk=None,
            job_id="",
            started_at=LONG_AGO,
            seen_at=seen_at,
            free_since=LONG_AGO,
            jobs_done=0,
            pinned=None,
        )

    limits = PoolLimits(workers_min=1, workers_max=2)
    started = [
        plan(
            [pool_worker("a", status(seen_at), None, silent_before=NOW - timedelta(seconds=90))],
            1,
            [],
            limits,
            now=NOW,
        ).start
        for seen_at in (NOW, LONG_AGO)
    ]

    assert started == [0, 1]


def test_idle_workers_go_down_to_the_minimum_the_longest_idle_first() -> None:
    limits = PoolLimits(workers_min=1, workers_max=4)
    workers = [free("new"), free("older", LONG_AGO), busy("busy"), free("oldest", LONG_AGO)]

    assert plan(workers, 0, [], limits, now=NOW).retire == ("older", "oldest")


def test_with_no_minimum_an_idle_pool_ends_and_one_job_starts_it_again() -> None:
    limits = PoolLimits(workers_min=0, workers_max=4)

    assert plan([free("a", LONG_AGO)], 0, [], limits, now=NOW) == PoolPlan(retire=("a",))
    assert plan([], 1, [], limits, now=NOW) == PoolPlan(start=1)


def test_a_desk_that_is_always_on_has_one_worker_of_its_own() -> None:
    limits = PoolLimits(workers_min=0, pinned=(PinnedDesk(desk=SCOTT),))
    own = PoolWorker(id="own", pinned=SCOTT, free_since=LONG_AGO)

    assert plan([], 0, [], limits, now=NOW).start_pinned == (SCOTT,)
    assert plan([own], 0, [SCOTT], limits, now=NOW) == PoolPlan()


def test_a_pinned_desk_on_demand_gets_its_worker_with_its_job_and_loses_it_when_idle() -> None:
    limits = PoolLimits(workers_min=0, pinned=(PinnedDesk(desk=SCOTT, is_always_on=False),))
    own = PoolWorker(id="own", pinned=SCOTT, free_since=LONG_AGO)

    assert plan([], 0, [], limits, now=NOW) == PoolPlan()
    assert plan([], 0, [SCOTT], limits, now=NOW).start_pinned == (SCOTT,)
    assert plan([own], 0, [], limits, now=NOW).retire == ("own",)
    assert plan([own], 0, [SCOTT], limits, now=NOW) == PoolPlan()


workers = st.lists(
    st.builds(
        PoolWorker,
        id=st.uuids().map(str),
        free_since=st.sampled_from([None, NOW, LONG_AGO]),
        is_starting=st.booleans(),
        is_draining=st.booleans(),
    ),
    max_size=8,
)


@given(workers, st.integers(0, 10), st.integers(0, 3), st.integers(0, 5))
def test_no_plan_exceeds_the_maximum_or_touches_a_worker_that_is_not_idle(
    workers: list[PoolWorker], waiting: int, least: int, more: int
) -> None:
    limits = PoolLimits(workers_min=least, workers_max=least + more)

    wanted = plan(workers, waiting, [], limits, now=NOW)

    assert wanted.start + len(workers) <= max(limits.workers_max, len(workers))
    idle = {w.id for w in workers if w.free_since == LONG_AGO and not w.is_draining}
    assert set(wanted.retire) <= idle
    staying = [w for w in workers if not w.is_draining and w.id not in wanted.retire]
    assert not wanted.retire or len(staying) >= limits.workers_min
