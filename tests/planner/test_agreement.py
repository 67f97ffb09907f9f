"""The fast motion of the planner against the engine itself, in virtual time."""

from datetime import timedelta

import pytest

from hotdesk.desks import Desk
from hotdesk.placement import PinnedDesk, PoolLimits
from hotdesk.planner.outcome import Outcome
from hotdesk.planner.own_run import OwnRun
from hotdesk.planner.pool_run import PoolRun
from tests.planner.engine import play
from tests.planner.traces import Case

pytestmark = pytest.mark.long

JOBS = 70
NEAR = 0.05
# Rings of the engine take a moment, and it looks after idle workers every five seconds.
MOMENT = 0.25
LOOK = 5.0


def assert_agree(fast: Outcome, real: Outcome) -> None:
    assert fast.waits.count == real.waits.count
    assert fast.waits.mean == pytest.approx(real.waits.mean, rel=NEAR, abs=MOMENT)
    for share in (0.5, 0.95):
        wait = real.waits.quantile(share)
        assert fast.waits.quantile(share) == pytest.approx(wait, rel=NEAR, abs=MOMENT)
    assert fast.worker_seconds == pytest.approx(real.worker_seconds, rel=NEAR)
    assert fast.busy_seconds == pytest.approx(real.busy_seconds, rel=NEAR)


@pytest.mark.parametrize("seed", range(20))
def test_a_pool_waits_and_works_as_the_engine_does(seed: int) -> None:
    case = Case.of(seed, JOBS)
    linger, session_max = case.linger, case.session_max
    real = play(case.trace, case.limits, case.timing, linger=linger, session_max=session_max)

    run = PoolRun(case.limits, case.timing, linger=linger, session_max=session_max)
    run.begin(case.trace[0].at)
    for job in case.trace:
        run.arrive(job)

    assert_agree(run.finish(case.trace[0].at + real.span), real)


@pytest.mark.parametrize("is_always_on", [True, False])
def test_a_worker_for_each_desk_waits_and_works_as_the_engine_does(is_always_on: bool) -> None:  # noqa: FBT001 - both
    case = Case.of(0, JOBS)
    names = {job.desk for job in case.trace}
    pins = tuple(
        PinnedDesk(desk=Desk("p", name), is_always_on=is_always_on) for name in sorted(names)
    )
    idle = 60.0
    limits = PoolLimits(
        workers_min=0, workers_max=0, idle=timedelta(seconds=idle - LOOK / 2), pinned=pins
    )
    real = play(case.trace, limits, case.timing, linger=0.0, session_max=1800.0)

    run = OwnRun(case.timing, idle=None if is_always_on else idle)
    run.begin(case.trace[0].at)
    for job in case.trace:
        run.arrive(job)

    assert_agree(run.finish(case.trace[0].at + real.span), real)
