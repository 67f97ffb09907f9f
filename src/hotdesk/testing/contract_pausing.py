"""The contract of what people ask of desks and workers: pause, release, drain."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio
import pytest

from hotdesk.desks import (
    InterruptReason,
    JobState,
    Outcome,
)
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.testing.scene import (
    AMELIA,
    NOW,
    PATIENCE,
    SCOTT,
    TAKEOVER,
    Contract,
    Scene,
    a_job,
)

Ask = Callable[[Scene], Awaitable[object]]
OF_A_DESK: dict[str, Ask] = {
    "pause": lambda scene: scene.pause(),
    "resume": lambda scene: scene.resume(),
    "ask_release": lambda scene: scene.ask_release(),
}


class PausingContract(Contract):
    """What ``pause``, ``resume``, ``ask_release``, ``drain`` and ``retire`` promise."""

    @pytest.mark.parametrize("ask", OF_A_DESK.values(), ids=OF_A_DESK.keys())
    async def test_what_is_asked_of_an_unknown_desk_is_refused(
        self, ask: Ask, scene: Scene
    ) -> None:
        with pytest.raises(NotFound):
            await ask(scene)

    # ---------------------------------------------------------------- pause, release

    async def test_a_paused_desk_is_not_claimed_until_it_is_resumed(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        await scene.pause()
        await scene.submit(a_job("b"))
        assert await scene.claim("w1") is None
        assert (await scene.backend.desk(AMELIA)).is_paused

        await scene.resume()

        assert await scene.done(await scene.claimed("w1")) == "a"

    async def test_pausing_lets_the_running_job_end_and_hands_over_no_other(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim, "a")

        await scene.pause()

        view = await scene.beat(claim, delivery)
        assert view.is_leaving_asked
        assert view.interrupt is None
        assert await scene.settle(delivery, and_next=True) is None
        assert (await scene.viewed(claim)).is_leaving_asked
        assert await scene.state("a") is JobState.SUCCEEDED
        await scene.give_way(claim)
        assert await scene.claim("w2") is None

    async def test_resuming_wakes_a_free_worker(self, scene: Scene, other: Scene) -> None:
        await scene.submit(a_job("a"))
        await scene.pause()
        await other.register("w1")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.claim("w1", wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await scene.resume()

        await other.claimed("w1")

    async def test_what_a_crashed_owner_left_on_a_paused_desk_is_recovered_after_resuming(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.handed(await scene.claimed("w1"))
        await scene.pause()
        scene.clock.jump(TAKEOVER)
        await scene.sweep()
        assert await scene.claim("w2") is None

        await scene.resume()

        claim = await scene.claimed("w2")
        assert claim.is_takeover
        assert (await scene.handed(claim, "a")).job.attempt == 2

    async def test_an_owner_that_was_asked_to_leave_is_handed_no_other_job(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim, "a")

        await other.ask_release()

        view = await scene.beat(claim, delivery)
        assert view.is_leaving_asked
        assert view.interrupt is None
        assert await scene.settle(delivery, and_next=True) is None
        assert (await scene.viewed(claim)).is_leaving_asked

    async def test_the_next_owner_is_not_asked_to_leave(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.ask_release()
        await scene.give_way(claim)

        await scene.handed(await scene.claimed("w2"), "a")

    async def test_asking_for_the_release_of_a_free_desk_changes_nothing(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))

        await scene.ask_release()

        await scene.handed(await scene.claimed("w1"), "a")

    @pytest.mark.parametrize("ask", [Scene.pause, Scene.ask_release])
    async def test_an_idle_owner_that_is_to_leave_is_woken(
        self, ask: Ask, scene: Scene, other: Scene
    ) -> None:
        claim = await other.ended("a", Outcome.succeeded())

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.next_job(claim, wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await ask(scene)

        assert (await other.viewed(claim)).is_leaving_asked

    # ----------------------------------------------------------------------- drain

    async def test_draining_interrupts_what_the_worker_runs_and_nothing_else(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a", AMELIA), a_job("b", SCOTT))
        first = await scene.claimed("w1", AMELIA)
        second = await scene.claimed("w2", SCOTT)
        drained, kept = await scene.handed(first), await scene.handed(second)

        await scene.drain("w1")

        interrupt = (await scene.beat(first, drained)).interrupt
        assert interrupt is not None
        assert (interrupt.reason, interrupt.send_id) == (InterruptReason.DRAIN, "a.1")
        assert (await scene.beat(second, kept)).interrupt is None
        assert not (await scene.beat(second, kept)).is_draining

    async def test_an_unknown_worker_cannot_be_drained(self, scene: Scene) -> None:
        with pytest.raises(NotFound):
            await scene.drain("nobody")

    async def test_a_draining_worker_is_handed_no_other_job(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)
        await scene.drain("w1")

        assert await scene.settle(delivery, and_next=True) is None
        assert (await scene.viewed(claim)).is_draining

    async def test_only_a_worker_without_a_desk_is_retired(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("busy")
        await scene.register("free")

        assert not await scene.backend.retire("busy", now=scene.clock.now())
        assert await scene.backend.retire("free", now=scene.clock.now())

        await scene.handed(claim)
        with pytest.raises(NotAllowed):
            await scene.claim("free")

    async def test_a_waiting_worker_that_is_drained_is_woken(
        self, scene: Scene, other: Scene
    ) -> None:
        await other.register("w1")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.claim("w1", wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await scene.drain("w1")

        with pytest.raises(NotAllowed):
            await other.claim("w1", wait=NOW)
