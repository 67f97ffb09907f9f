"""What everybody is shown of a deployment: who waits and why, and the figures of the last day."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.desks import Desk, JobState, Outcome
from hotdesk.lifecycle import Limits
from hotdesk.overview import DAY, HOUR, Overview, Why, bounded, look
from hotdesk.ports import COUNTED_MAX, TALLY_STEP
from hotdesk.testing import FakeClock
from hotdesk.testing.contract_tallies import to_next_step
from hotdesk.testing.scene import AMELIA, MOMENT, SCOTT, Scene, a_job

pytestmark = pytest.mark.anyio
IVY = Desk("website", "ivy")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = FakeClock()
    store = SqliteBackend(tmp_path / "hotdesk.db", clock)
    yield Scene(store, clock)
    await store.close()


async def seen(scene: Scene) -> Overview:
    return await look(scene.backend, scene.clock.now())


async def whys(scene: Scene) -> dict[str, Why]:
    return {str(each.desk.desk): each.why for each in (await seen(scene)).waiting}


async def test_a_desk_waits_for_a_worker(scene: Scene) -> None:
    await scene.submit(a_job("a"))
    assert await whys(scene) == {"website/amelia": Why.NO_WORKER}

    await scene.register("w1")
    assert await whys(scene) == {"website/amelia": Why.FREE_WORKER}

    await scene.claimed("w1")
    assert await whys(scene) == {"website/amelia": Why.OWNED}

    await scene.submit(a_job("b", SCOTT))
    assert await whys(scene) == {"website/scott": Why.NO_FREE_WORKER, "website/amelia": Why.OWNED}


async def test_a_pinned_desk_waits_for_its_own_worker(scene: Scene) -> None:
    await scene.backend.pin([AMELIA], now=scene.clock.now())
    await scene.submit(a_job("a"))
    assert await whys(scene) == {"website/amelia": Why.NO_WORKER}

    await scene.register("w1")
    assert await whys(scene) == {"website/amelia": Why.PINNED}


async def test_a_worker_that_is_pinned_elsewhere_is_not_free(scene: Scene) -> None:
    await scene.register("w1", pinned=SCOTT)
    await scene.submit(a_job("a"))

    assert await whys(scene) == {"website/amelia": Why.NO_FREE_WORKER}


async def test_a_desk_waits_behind_what_it_runs_but_not_with_it(scene: Scene) -> None:
    _, delivery = await scene.running("a")
    assert await whys(scene) == {}

    await scene.submit(a_job("b"), a_job("c"))

    overview = await seen(scene)
    assert [(each.queued, each.why) for each in overview.waiting] == [(2, Why.BEHIND)]
    assert overview.waiting[0].desk.active_job == delivery.job.id
    assert (overview.desks_waiting, overview.counts.desks_waiting) == (1, 0)
    assert (overview.pending, overview.counts.queued, overview.counts.running) == (3, 2, 1)


async def test_a_desk_waits_out_its_backoff_and_while_it_is_paused(scene: Scene) -> None:
    claim, delivery = await scene.running("a")
    await scene.settle(delivery, Outcome.attempt_failed("no"))
    await scene.give_way(claim)
    assert await whys(scene) == {"website/amelia": Why.BACKOFF}

    scene.clock.jump(Limits().backoff)
    assert await whys(scene) == {"website/amelia": Why.FREE_WORKER}

    await scene.pause()
    assert await whys(scene) == {"website/amelia": Why.PAUSED}


async def test_who_has_no_worker_stands_first_and_who_is_paused_last(scene: Scene) -> None:
    _, _ = await scene.running("a")
    await scene.submit(a_job("b"), a_job("p", IVY), a_job("c", SCOTT))
    await scene.pause(IVY)

    assert [each.desk.desk for each in (await seen(scene)).waiting] == [SCOTT, AMELIA, IVY]


async def test_figures_are_of_the_last_hour_and_of_the_last_day(scene: Scene) -> None:
    to_next_step(scene)
    await scene.ended("a", Outcome.failed("no"))
    scene.clock.jump(HOUR)
    scene.clock.jump(TALLY_STEP - MOMENT)
    overview = await seen(scene)
    assert (overview.last(HOUR).outcomes(), overview.failed) == (1, 1)

    scene.clock.jump(MOMENT)
    overview = await seen(scene)
    assert (overview.last(HOUR).outcomes(), overview.failed) == (0, 1)
    assert overview.last(DAY).ended == {JobState.FAILED: 1}

    scene.clock.jump(DAY - HOUR)
    assert (await seen(scene)).failed == 0


@pytest.mark.parametrize(("number", "told"), [(0, "0"), (999, "999"), (COUNTED_MAX, "1,000+")])
def test_a_count_that_was_cut_says_so(number: int, told: str) -> None:
    assert bounded(number) == told
