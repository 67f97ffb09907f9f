"""The contract of placement: which desk a worker is given, and which worker a desk."""
# ruff: noqa: D102 - A test's name is its sentence.

from datetime import timedelta

import anyio

from hotdesk.desks import Desk
from hotdesk.lifecycle import HEARTBEAT, LEASE
from hotdesk.testing.scene import (
    AMELIA,
    MOMENT,
    PATIENCE,
    SCOTT,
    Contract,
    Scene,
    a_job,
)


class PlacingContract(Contract):
    """What fairness and pinning promise."""

    # ------------------------------------------------------------------- fairness

    async def test_the_desk_that_was_longest_without_an_owner_is_claimed_first(
        self, scene: Scene
    ) -> None:
        ben = Desk("website", "ben")
        for number, desk in enumerate([AMELIA, SCOTT, ben]):
            await scene.submit(a_job(f"job-{number}", desk))
            scene.clock.jump(timedelta(seconds=1))

        assert [(await scene.claimed(f"w{n}", d)).desk for n, d in enumerate([AMELIA, SCOTT, ben])]

    async def test_a_desk_given_way_waits_behind_desks_whose_jobs_are_younger(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("oldest", AMELIA))
        claim = await scene.claimed("w1", AMELIA)
        scene.clock.jump(timedelta(seconds=1))
        await scene.submit(a_job("younger", SCOTT))
        scene.clock.jump(timedelta(seconds=1))

        await scene.give_way(claim)

        await scene.claimed("w1", SCOTT)
        await scene.claimed("w2", AMELIA)

    async def test_more_jobs_do_not_bring_a_desk_forward(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA))
        scene.clock.jump(timedelta(seconds=1))
        await scene.submit(a_job("b", SCOTT))
        scene.clock.jump(timedelta(seconds=1))

        await scene.submit(a_job("c", AMELIA))

        await scene.claimed("w1", AMELIA)

    async def test_one_after_the_other_workers_are_woken_for_all_desks_that_wait(
        self, scene: Scene, other: Scene
    ) -> None:
        async def seek(worker_id: str) -> None:
            while await other.claim(worker_id, wait=timedelta(hours=1)) is None:
                pass

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                for worker_id in ("w1", "w2", "w3"):
                    await other.register(worker_id)
                    tasks.start_soon(seek, worker_id)
                await anyio.wait_all_tasks_blocked()
                desks = [AMELIA, SCOTT, Desk("website", "ben")]
                await scene.submit(*(a_job(f"job-{n}", desk) for n, desk in enumerate(desks)))

        assert all(desk.owner for desk in await scene.backend.desks())

    async def test_an_owner_hears_that_its_worker_is_wanted_elsewhere(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA))
        claim = await scene.claimed("w1", AMELIA)
        assert not (await scene.beat(claim)).is_wanted_elsewhere

        await scene.submit(a_job("b", SCOTT))

        assert (await scene.beat(claim)).is_wanted_elsewhere
        await scene.done(claim)
        assert (await scene.viewed(claim)).is_wanted_elsewhere

    async def test_nobody_is_wanted_elsewhere_while_a_free_worker_is_there(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a", AMELIA))
        claim = await scene.claimed("w1", AMELIA)
        await scene.register("free")
        await scene.submit(a_job("b", SCOTT))

        assert not (await scene.beat(claim)).is_wanted_elsewhere

    async def test_a_worker_that_was_not_seen_for_a_lease_does_not_count_as_free(
        self, scene: Scene
    ) -> None:
        await scene.register("frozen")
        await scene.submit(a_job("a", AMELIA))
        claim = await scene.claimed("w1", AMELIA)
        await scene.submit(a_job("b", SCOTT))

        scene.clock.jump(LEASE + MOMENT)

        assert (await scene.beat(claim)).is_wanted_elsewhere

    async def test_a_free_worker_that_goes_on_asking_counts_as_free(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA))
        claim = await scene.claimed("w1", AMELIA)
        for _ in range(4):
            assert await scene.claim("free") is None
            scene.clock.jump(HEARTBEAT + MOMENT)
            await scene.beat(claim)
        await scene.submit(a_job("b", SCOTT))

        assert not (await scene.beat(claim)).is_wanted_elsewhere

    # ------------------------------------------------------------------ placements

    async def test_a_pinned_worker_claims_its_own_desk_only(self, scene: Scene) -> None:
        await scene.register("pinned", pinned=SCOTT)
        await scene.backend.pin([SCOTT], now=scene.clock.now())
        await scene.submit(a_job("a", AMELIA))
        assert await scene.claim("pinned") is None

        await scene.submit(a_job("b", SCOTT))

        await scene.claimed("pinned", SCOTT)

    async def test_a_pinned_desk_is_left_to_its_own_worker(self, scene: Scene) -> None:
        await scene.submit(a_job("a", SCOTT))
        await scene.backend.pin([SCOTT], now=scene.clock.now())
        assert await scene.claim("free") is None
        assert (await scene.backend.desk(SCOTT)).is_pinned

        await scene.submit(a_job("b", AMELIA))

        await scene.claimed("free", AMELIA)

    async def test_pinning_reserves_exactly_the_desks_it_names(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA), a_job("b", SCOTT))
        await scene.backend.pin([AMELIA, SCOTT], now=scene.clock.now())
        assert await scene.claim("w1") is None

        await scene.backend.pin([SCOTT], now=scene.clock.now())

        await scene.claimed("w1", AMELIA)
        assert await scene.claim("w2") is None

    async def test_a_pinned_worker_is_not_wanted_elsewhere(self, scene: Scene) -> None:
        await scene.register("pinned", pinned=SCOTT)
        await scene.backend.pin([SCOTT], now=scene.clock.now())
        await scene.submit(a_job("a", SCOTT))
        claim = await scene.claimed("pinned", SCOTT)
        await scene.submit(a_job("b", AMELIA))

        assert not (await scene.beat(claim)).is_wanted_elsewhere
