"""The contract of claims: one holder, growing generations, nothing left behind."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio
import pytest

from hotdesk.desks import Claim, Delivery, Outcome
from hotdesk.errors import ClaimLost, NotAllowed, NotFound
from hotdesk.lifecycle import EXTEND_BY, HEARTBEAT, LEASE
from hotdesk.testing.scene import (
    AMELIA,
    MOMENT,
    NOW,
    PATIENCE,
    RETENTION,
    SCOTT,
    TAKEOVER,
    Contract,
    Scene,
    a_job,
)

# Every verb that only the holder of the desk may use.
Fenced = Callable[[Scene, Claim, Delivery], Awaitable[object]]
FENCED: dict[str, Fenced] = {
    "next_job": lambda scene, claim, _: scene.next_job(claim),
    "beat": lambda scene, claim, delivery: scene.beat(claim, delivery),
    "beat without a job": lambda scene, claim, _: scene.beat(claim),
    "extend": lambda scene, _, delivery: scene.backend.extend(
        delivery, span=EXTEND_BY, now=scene.clock.now()
    ),
    "save_partial": lambda scene, _, delivery: scene.save(delivery, "stale"),
    "seal": lambda scene, _, delivery: scene.seal(delivery),
    "settle": lambda scene, _, delivery: scene.settle(delivery),
    "settle a failure": lambda scene, _, delivery: scene.settle(delivery, Outcome.failed("no")),
    "fenced": lambda scene, claim, _: scene.fenced(claim, "header"),
    "release": lambda scene, claim, _: scene.release(claim),
    "give_way": lambda scene, claim, _: scene.give_way(claim),
}


class ClaimingContract(Contract):
    """What ``claim``, ``beat``, ``release`` and ``give_way`` promise."""

    # ------------------------------------------------------------------ one holder

    async def test_there_is_nothing_to_claim_where_nothing_is_pending(self, scene: Scene) -> None:
        assert await scene.claim("w1") is None

    async def test_a_worker_that_nobody_knows_cannot_claim(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))

        with pytest.raises(NotFound):
            await scene.backend.claim("nobody", wait=NOW, lease=LEASE, now=scene.clock.now())

    async def test_a_draining_worker_cannot_claim(self, scene: Scene) -> None:
        await scene.register("w1")
        await scene.drain("w1")
        await scene.submit(a_job("a"))

        with pytest.raises(NotAllowed):
            await scene.claim("w1")

    async def test_a_claimed_desk_is_not_given_to_a_second_worker(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))

        first = await scene.claimed("w1")

        assert await other.claim("w2") is None
        desk = await other.backend.desk(AMELIA)
        assert (desk.owner, desk.generation) == ("w1", first.generation)
        assert desk.lease_until == scene.clock.now() + LEASE

    async def test_a_claim_whose_answer_was_lost_is_given_again(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA), a_job("b", SCOTT))
        claim = await scene.claimed("w1")

        scene.clock.jump(timedelta(seconds=1))
        again = await scene.claim("w1")

        assert again == claim
        assert (await scene.backend.desk(SCOTT)).owner == ""
        assert (await scene.backend.desk(AMELIA)).lease_until == scene.clock.now() + LEASE

    async def test_a_takeover_whose_answer_was_lost_is_given_again_as_one(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.handed(await scene.claimed("w1"))
        scene.clock.jump(TAKEOVER)
        takeover = await scene.claimed("w2")
        assert takeover.is_takeover

        assert await scene.claim("w2") == takeover

    async def test_a_worker_that_slept_past_its_lease_does_not_find_its_old_claim(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        asleep = await scene.claimed("w1")
        await scene.handed(asleep)

        scene.clock.jump(LEASE)
        awake = await scene.claimed("w1")

        assert awake.generation > asleep.generation
        assert (await scene.handed(awake)).job.attempt == 2

    async def test_a_worker_that_slept_until_its_desk_was_taken_is_free_and_leaves_it_alone(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.claimed("w1")
        scene.clock.jump(TAKEOVER)
        successor = await other.claimed("w2")

        assert await scene.claim("w1") is None

        await other.beat(successor)
        states = {worker.id: worker.state for worker in await scene.backend.workers()}
        assert states == {"w1": "warm", "w2": "holding"}

    async def test_a_generation_grows_with_every_claim(self, scene: Scene, other: Scene) -> None:
        await scene.submit(a_job("a"))
        generations = []
        for round_ in range(3):
            player = (scene, other)[round_ % 2]
            claim = await player.claimed(f"w{round_}")
            generations.append(claim.generation)
            await player.give_way(claim)

        assert generations == sorted(set(generations))

    async def test_a_generation_outlives_the_jobs_of_its_desk(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        before = await scene.claimed("w1")
        await scene.done(before)
        await scene.release(before)

        scene.clock.jump(2 * RETENTION)
        await scene.sweep()
        await scene.submit(a_job("b"))

        with pytest.raises(NotFound):
            await scene.job("a")
        assert (await scene.claimed("w1")).generation > before.generation

    @pytest.mark.parametrize("verb", FENCED.values(), ids=FENCED.keys())
    async def test_after_a_takeover_the_former_owner_can_do_nothing(
        self, verb: Fenced, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        stale = await scene.claimed("w1")
        delivery = await scene.handed(stale, "a")
        scene.clock.jump(TAKEOVER)
        fresh = await other.claimed("w2")
        await other.handed(fresh, "a")
        before = await other.job("a"), await other.backend.desk(AMELIA)

        with pytest.raises(ClaimLost):
            await verb(scene, stale, delivery)

        assert (await other.job("a"), await other.backend.desk(AMELIA)) == before

    @pytest.mark.parametrize("verb", FENCED.values(), ids=FENCED.keys())
    async def test_after_giving_way_the_former_owner_can_do_nothing(
        self, verb: Fenced, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim, "a")
        await scene.give_way(claim)
        before = await scene.job("a"), await scene.backend.desk(AMELIA)

        with pytest.raises(ClaimLost):
            await verb(scene, claim, delivery)

        assert (await scene.job("a"), await scene.backend.desk(AMELIA)) == before

    async def test_a_claim_is_lost_even_when_the_same_worker_holds_the_desk_again(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        old = await scene.claimed("w1")
        await scene.give_way(old)
        new = await scene.claimed("w1")

        with pytest.raises(ClaimLost):
            await scene.beat(old)

        await scene.beat(new)

    # ------------------------------------------------------------------- the lease

    async def test_a_silent_owner_loses_its_desk_after_lease_and_margin_and_no_sooner(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.claimed("w1")

        scene.clock.jump(TAKEOVER - MOMENT)
        assert await other.claim("w2") is None

        scene.clock.jump(MOMENT)
        await other.claimed("w2")

    async def test_a_heartbeat_keeps_the_desk_for_one_more_lease(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)

        for _ in range(4):
            scene.clock.jump(HEARTBEAT)
            await scene.beat(claim, delivery)
        scene.clock.jump(TAKEOVER - MOMENT)

        assert await other.claim("w2") is None

    async def test_a_takeover_says_so_and_names_the_threads_to_fence(self, scene: Scene) -> None:
        await scene.submit(a_job("a", thread="header"), a_job("b", thread="footer"))
        await scene.handed(await scene.claimed("w1"), "a")

        scene.clock.jump(TAKEOVER)
        claim = await scene.claimed("w2")

        assert claim.is_takeover
        assert claim.unfenced == ("header",)
        assert "LeaseExpired" in await scene.kinds()

    async def test_the_lapse_of_an_idle_owner_leaves_nothing_to_fence(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        await scene.done(await scene.claimed("w1"))

        scene.clock.jump(TAKEOVER)
        await scene.submit(a_job("b"))
        claim = await scene.claimed("w2")

        assert claim.is_takeover
        assert claim.unfenced == ()

    async def test_after_a_clean_leave_a_claim_is_no_takeover(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        first = await scene.claimed("w1")
        await scene.handed(first)
        await scene.give_way(first)

        second = await scene.claimed("w2")
        await scene.done(second)
        await scene.done(second)
        await scene.release(second)
        await scene.submit(a_job("c"))
        third = await scene.claimed("w3")

        for claim in (first, second, third):
            assert not claim.is_takeover
            assert claim.unfenced == ()

    async def test_a_takeover_is_over_when_its_owner_left_cleanly(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        await scene.claimed("w1")
        scene.clock.jump(TAKEOVER)
        takeover = await scene.claimed("w2")
        await scene.give_way(takeover)

        after_giving_way = await scene.claimed("w3")
        await scene.done(after_giving_way)
        await scene.done(after_giving_way)
        scene.clock.jump(TAKEOVER)
        await scene.submit(a_job("c"))
        second_takeover = await scene.claimed("w4")
        await scene.done(second_takeover)
        await scene.release(second_takeover)
        await scene.submit(a_job("d"))
        after_releasing = await scene.claimed("w5")

        assert [takeover.is_takeover, second_takeover.is_takeover] == [True, True]
        assert not after_giving_way.is_takeover
        assert not after_releasing.is_takeover

    async def test_a_thread_stays_unfenced_until_it_is_fenced_whoever_claims(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a", thread="header"), a_job("b", thread="footer"))
        await scene.handed(await scene.claimed("w1"), "a")
        scene.clock.jump(TAKEOVER)
        second = await scene.claimed("w2")
        await scene.done(second)
        await scene.handed(second, "b")
        scene.clock.jump(TAKEOVER)
        third = await scene.claimed("w3")
        assert third.unfenced == ("footer", "header")

        await scene.fenced(third, "header")
        await scene.give_way(third)
        fourth = await scene.claimed("w4")
        await scene.fenced(fourth, "footer")
        await scene.give_way(fourth)

        assert fourth.unfenced == ("footer",)
        assert (await scene.claimed("w5")).unfenced == ()

    async def test_a_job_that_ran_when_the_lease_ended_is_next_and_its_attempt_counts(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        await scene.handed(await scene.claimed("w1"), "a")

        scene.clock.jump(TAKEOVER)
        delivery = await scene.handed(await scene.claimed("w2"), "a")

        assert delivery.job.attempt == 2

    async def test_a_worker_that_deregisters_frees_its_desk_at_once(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.handed(await scene.claimed("w1"))

        await scene.deregister("w1")
        await scene.deregister("w1")

        assert await scene.backend.workers() == []
        assert (await other.claimed("w2")).is_takeover

    async def test_a_worker_that_deregisters_brings_another_to_its_desk(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.claimed("w1")
        await other.register("w2")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.claim("w2", wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await scene.deregister("w1")

        await other.claimed("w2")

    async def test_registering_twice_is_registering_once(self, scene: Scene) -> None:
        await scene.register("w1")
        await scene.register("w1")
        await scene.submit(a_job("a"))

        await scene.claimed("w1")

        assert [worker.id for worker in await scene.backend.workers()] == ["w1"]

    async def test_a_worker_that_starts_again_under_its_name_does_not_go_on_with_its_claim(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        killed = await scene.claimed("w1")
        await scene.handed(killed)
        await scene.drain("w1")

        await scene.register("w1")
        again = await scene.claimed("w1")

        assert again.is_takeover
        assert again.generation > killed.generation
        assert (await scene.handed(again)).job.attempt == 2

    # -------------------------------------------------------------------- leaving

    async def test_a_record_that_is_older_than_a_branch_goes_on_behind_its_generation(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)

        await scene.backend.catch_up(claim, 7, now=scene.clock.now())
        again = await other.claimed("w2")

        assert again.generation == 8
        assert again.unfenced == (delivery.job.thread,)
        with pytest.raises(ClaimLost):
            await scene.settle(delivery)

    async def test_a_stale_worker_cannot_make_the_record_catch_up(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        stale = await scene.claimed("w1")
        scene.clock.jump(TAKEOVER + MOMENT)
        fresh = await other.claimed("w2")

        await scene.backend.catch_up(stale, 7, now=scene.clock.now())

        await other.beat(fresh)

    async def test_a_generation_that_somebody_invented_does_not_break_its_desk(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))

        claim = await scene.claimed("w1")
        for invented in (2**63 - 1, 10**19 - 1):
            await scene.backend.catch_up(claim, invented, now=scene.clock.now())
            claim = await scene.claimed("w1")

        await scene.handed(claim, "a")

    async def test_catching_up_never_takes_a_generation_back(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")

        await scene.backend.catch_up(claim, 0, now=scene.clock.now())
        again = await other.claimed("w2")

        assert again.generation == claim.generation + 1

    async def test_a_released_desk_can_be_claimed_again(self, scene: Scene, other: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.done(claim)

        assert await scene.release(claim)

        desk = await scene.backend.desk(AMELIA)
        assert (desk.owner, desk.lease_until, desk.pending) == ("", None, 0)
        await scene.submit(a_job("b"))
        await other.claimed("w2")

    async def test_a_release_fails_when_a_job_was_announced_meanwhile(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.done(claim)
        assert not (await scene.viewed(claim)).has_pending

        await other.submit(a_job("b"))

        assert not await scene.release(claim)
        assert await other.claim("w2") is None
        await scene.handed(claim, "b")

    async def test_a_release_fails_while_a_failed_job_waits_for_its_next_attempt(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), Outcome.attempt_failed("no"))

        assert not await scene.release(claim)

    async def test_giving_way_leaves_the_jobs_to_another_worker(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        await scene.handed(claim, "a")

        await scene.give_way(claim)

        assert (await scene.backend.desk(AMELIA)).pending == 2
        successor = await other.claimed("w2")
        assert (await other.handed(successor, "a")).job.attempt == 2

    async def test_giving_way_wakes_a_free_worker(self, scene: Scene, other: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await other.register("w2")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.claim("w2", wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await scene.give_way(claim)

        await other.claimed("w2")
