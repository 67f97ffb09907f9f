"""The contract of figures: how much there is, how jobs ended, how long they waited."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from datetime import timedelta

import anyio
import pytest

from hotdesk.desks import Desk, InterruptPolicy, InterruptReason, JobState, Outcome
from hotdesk.lifecycle import Limits
from hotdesk.ports import TALLY_STEP, Figure, Trend, together
from hotdesk.testing.contract_tallies import to_next_step
from hotdesk.testing.scene import AMELIA, MOMENT, SCOTT, Contract, Scene, a_job, a_mail

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


async def trend(scene: Scene, span: timedelta = HOUR) -> Trend:
    """What happened in the last *span*."""
    return await scene.backend.trend(since=scene.clock.now() - span)


async def in_all(scene: Scene, span: timedelta = HOUR) -> Figure:
    """The same in one figure."""
    found = await trend(scene, span)
    assert found.is_complete
    return together(found.steps, at=scene.clock.now() - span)


def is_about(wait: timedelta | None, expected: timedelta) -> bool:
    """Whether *wait* is off by a twentieth at most."""
    return wait is not None and abs(wait - expected) <= expected / 20


class FiguresContract(Contract):
    """What figures promise."""

    async def test_outcomes_are_counted_by_their_state(self, scene: Scene) -> None:
        claim = await scene.ended("a", Outcome.succeeded())
        await scene.submit(a_job("b"), a_job("c"), a_job("d", interrupt=InterruptPolicy.THREAD))
        await scene.cancel("b")
        await scene.settle(await scene.handed(claim, "d"), Outcome.failed("no"))
        await scene.retry("d")
        await scene.done(claim)
        await scene.submit(a_job("e", thread="footer"))
        for _ in range(Limits().attempts_max):
            await scene.settle(await scene.handed(claim, "e"), Outcome.attempt_failed("no"))
            scene.clock.jump(timedelta(minutes=1))

        figure = await in_all(scene)

        assert dict(figure.ended) == {
            JobState.SUCCEEDED: 2,
            JobState.CANCELLED: 1,
            JobState.PREEMPTED: 1,
            JobState.FAILED: 1,
            JobState.DEAD: 1,
        }
        assert figure.outcomes() == 6
        assert figure.outcomes(JobState.FAILED, JobState.DEAD) == 2

    async def test_a_wait_is_counted_with_the_first_start_only(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        scene.clock.jump(20 * SECOND)
        await scene.settle(await scene.handed(claim), Outcome.interrupted(InterruptReason.DRAIN))
        scene.clock.jump(HOUR)
        await scene.done(claim)

        figure = await in_all(scene, 2 * HOUR)

        assert figure.started == 1
        assert is_about(figure.wait(0.5), 20 * SECOND)

    async def test_quantiles_of_waits_are_within_a_twentieth(self, scene: Scene) -> None:
        desks = [Desk("website", f"u{number}") for number in range(20)]
        await scene.submit(*(a_job(desk.user, desk) for desk in desks))
        for number, desk in enumerate(desks):
            scene.clock.jump(5 * SECOND)
            await scene.handed(await scene.claimed(f"w{number}", desk))

        figure = await in_all(scene)

        assert figure.started == 20
        assert is_about(figure.wait(0.5), 50 * SECOND)
        assert is_about(figure.wait(0.95), 95 * SECOND)
        assert is_about(figure.wait(1), 100 * SECOND)

    async def test_without_a_start_there_is_no_wait(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))

        found = await trend(scene)

        assert found == Trend(steps=[], is_complete=True)
        assert (await in_all(scene)).wait(0.95) is None

    async def test_what_happened_stands_in_its_step(self, scene: Scene) -> None:
        to_next_step(scene)
        start = scene.clock.now()
        scene.clock.jump(TALLY_STEP - MOMENT)
        claim = await scene.ended("a", Outcome.succeeded())
        scene.clock.jump(2 * TALLY_STEP + MOMENT)
        await scene.submit(a_job("b"))
        await scene.done(claim)

        for _ in range(2):
            found = await trend(scene)
            assert [(each.at, each.outcomes()) for each in found.steps] == [
                (start, 1),
                (start + 3 * TALLY_STEP, 1),
            ]
            since_the_second = await scene.backend.trend(since=start + TALLY_STEP)
            assert [each.at for each in since_the_second.steps] == [start + 3 * TALLY_STEP]
            await scene.sweep()

    async def test_a_sweep_changes_no_figure(self, scene: Scene, other: Scene) -> None:
        claim = await scene.ended("a", Outcome.succeeded())
        await scene.sweep()
        before = await trend(scene)
        await scene.submit(a_job("b"), a_job("c"))
        await scene.done(claim)
        seen = await trend(scene)

        for each in (scene, other, scene):
            await each.sweep()
            assert await trend(other) == seen

        assert before != seen
        await scene.done(claim)
        assert (await in_all(other)).outcomes() == 3

    async def test_sweeps_at_once_count_each_event_once(self, scene: Scene, other: Scene) -> None:
        claim = await scene.ended("a", Outcome.succeeded())
        await scene.submit(*(a_job(f"b{number}") for number in range(5)))
        for _ in range(5):
            await scene.done(claim)

        async with anyio.create_task_group() as tasks:
            for each in (scene, other, scene, other):
                tasks.start_soon(each.sweep)

        assert (await in_all(scene)).outcomes() == 6

    async def test_figures_are_kept_for_a_week(self, scene: Scene) -> None:
        claim = await scene.ended("a", Outcome.succeeded())
        await scene.sweep()
        scene.clock.jump(timedelta(days=7))
        await scene.submit(a_job("b"))
        claim = await scene.claimed("w2")
        await scene.done(claim)

        await scene.sweep()

        assert (await in_all(scene, timedelta(days=7))).outcomes() == 2

    async def test_what_is_there_is_counted(self, scene: Scene) -> None:
        counts = await scene.backend.counts()
        assert (counts.desks_waiting, counts.waiting_since) == (0, None)
        claim = await scene.ended("dead", Outcome.failed("no"))
        await scene.retry("dead")
        for _ in range(Limits().attempts_max):
            await scene.settle(await scene.handed(claim, "dead"), Outcome.attempt_failed("no"))
            scene.clock.jump(timedelta(minutes=1))
        await scene.submit(a_job("b"), a_job("c"))
        await scene.handed(claim, "b")
        first = scene.clock.now()
        paused, second = Desk("website", "paused"), Desk("website", "second")
        await scene.submit(a_job("p", paused))
        await scene.pause(paused)
        scene.clock.jump(SECOND)
        await scene.submit(a_job("d", SCOTT), a_job("e", SCOTT))
        scene.clock.jump(SECOND)
        await scene.submit(a_job("f", second))
        await scene.backend.hold(a_mail("held", AMELIA), "a guest", now=scene.clock.now())

        counts = await scene.backend.counts()

        assert counts.desks_waiting == 3
        assert counts.waiting_since == first + SECOND
        assert (counts.queued, counts.running) == (5, 1)
        assert (counts.dead, counts.held) == (1, 1)

    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_the_newest_events_come_first(self, scene: Scene, limit: int) -> None:
        assert await scene.backend.latest_events() == []
        await scene.ended("a", Outcome.succeeded())
        everything = await scene.backend.events()

        found = await scene.backend.latest_events(limit=limit)
        older = await scene.backend.latest_events(limit=limit, before=found[-1].cursor)

        assert found == everything[::-1][:limit]
        assert older == everything[::-1][limit : 2 * limit]
