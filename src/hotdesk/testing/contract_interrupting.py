"""The contract of interrupts: who stops whom, what is put back, what a drain gives back."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

import pytest

from hotdesk.desks import (
    Interrupt,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
)
from hotdesk.errors import ClaimLost
from hotdesk.lifecycle import Limits
from hotdesk.testing.scene import AMELIA, Contract, Scene, a_job, folded, ids

LIMITS = Limits()
PREEMPTED = Outcome.interrupted(InterruptReason.PREEMPT)
DRAINED = Outcome.interrupted(InterruptReason.DRAIN)
DESK, THREAD, NEVER = InterruptPolicy.DESK, InterruptPolicy.THREAD, InterruptPolicy.NEVER
# What becomes of a running job, by the policy of a newer one of its thread, and of another.
EXPECTED = {
    (DESK, "header"): "folded",
    (THREAD, "header"): "folded",
    (NEVER, "header"): "kept",
    (DESK, "footer"): "put back",
    (THREAD, "footer"): "kept",
    (NEVER, "footer"): "kept",
}


class InterruptingContract(Contract):
    """What interrupts, putting back and draining promise."""

    # ------------------------------------------------------------- who stops whom

    @pytest.mark.parametrize("policy_of_running", list(InterruptPolicy))
    @pytest.mark.parametrize(("policy", "thread"), EXPECTED)
    async def test_the_policy_of_the_newer_job_decides_about_the_running_one(
        self,
        scene: Scene,
        other: Scene,
        policy: InterruptPolicy,
        thread: str,
        policy_of_running: InterruptPolicy,
    ) -> None:
        expected = EXPECTED[policy, thread]
        claim, delivery = await scene.running(policy=policy_of_running)

        await other.submit(a_job("b", thread=thread, interrupt=policy))

        interrupt = (await scene.beat(claim, delivery)).interrupt
        meant = Interrupt(reason=InterruptReason.PREEMPT, send_id=delivery.job.send_id, by="b")
        assert interrupt == (None if expected == "kept" else meant)
        following = await scene.settle(delivery, PREEMPTED, and_next=True)
        following = following or await scene.handed(claim)
        job = await scene.job("a")
        if expected == "folded":
            assert (job.state, job.outcomes) == (JobState.PREEMPTED, 1)
            assert (following.job.id, folded(following)) == ("b", ["a"])
        elif expected == "put back":
            assert (job.state, job.send, job.preemptions) == (JobState.QUEUED, 2, 1)
            assert (following.job.id, folded(following)) == ("b", [])
        else:
            assert following.job.id == "a"
            assert (job.send, job.preemptions, following.job.attempt) == (1, 0, 1)

    @pytest.mark.parametrize(("policy", "thread"), EXPECTED)
    async def test_an_interrupt_is_sent_exactly_when_the_policy_wants_it(
        self, scene: Scene, other: Scene, policy: InterruptPolicy, thread: str
    ) -> None:
        _, delivery = await scene.running()

        await other.submit(a_job("b", thread=thread, interrupt=policy))
        # The drain is sent in any case, so it comes first where nothing else was sent.
        await other.drain("w1")

        interrupt = await scene.interrupted("w1")
        assert interrupt.send_id == delivery.job.send_id
        if EXPECTED[policy, thread] == "kept":
            assert interrupt.reason is InterruptReason.DRAIN
        else:
            assert (interrupt.reason, interrupt.by) == (InterruptReason.PREEMPT, "b")

    async def test_an_interrupt_names_the_send_it_is_meant_for(self, scene: Scene) -> None:
        claim, delivery = await scene.running()
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        first = await scene.interrupted("w1")
        await scene.settle(delivery, PREEMPTED)
        await scene.done(claim)
        again = await scene.handed(claim, "a")

        await scene.submit(a_job("c", thread="footer", interrupt=DESK))

        second = await scene.interrupted("w1")
        assert (first.send_id, second.send_id) == ("a.1", "a.2")
        assert again.job.send_id == "a.2"

    async def test_a_job_that_has_begun_to_publish_is_not_interrupted(self, scene: Scene) -> None:
        claim, delivery = await scene.running()
        await scene.seal(delivery)

        await scene.submit(a_job("b", interrupt=DESK))
        await scene.drain("w1")

        assert (await scene.beat(claim, delivery)).interrupt is None
        await scene.settle(delivery)
        assert await scene.state("a") is JobState.SUCCEEDED
        assert "InterruptSent" not in await scene.kinds()

    async def test_an_interrupt_that_comes_after_the_work_was_done_changes_nothing(
        self, scene: Scene
    ) -> None:
        _, delivery = await scene.running()
        await scene.submit(a_job("b", interrupt=DESK))

        await scene.settle(delivery, Outcome.succeeded())

        assert await scene.state("a") is JobState.SUCCEEDED

    # ---------------------------------------------------------------- another thread

    async def test_a_job_is_put_back_behind_what_waits(self, scene: Scene) -> None:
        claim, delivery = await scene.running()
        await scene.submit(a_job("b", thread="footer", interrupt=DESK), a_job("c", thread="footer"))

        await scene.settle(delivery, PREEMPTED)

        assert ids(await scene.backend.queue(AMELIA)) == ["b", "c", "a"]
        assert [await scene.done(claim) for _ in range(3)] == ["b", "c", "a"]

    async def test_a_put_back_job_resumes_from_its_partial_work_and_keeps_its_attempt(
        self, scene: Scene
    ) -> None:
        claim, delivery = await scene.running()
        await scene.save(delivery, "half", "abc123")
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        await scene.settle(delivery, PREEMPTED)
        await scene.done(claim)

        again = await scene.handed(claim, "a")

        assert (again.job.attempt, again.job.send, again.job.deliveries) == (1, 2, 2)
        assert (again.job.partial, again.job.partial_commit) == ("half", "abc123")

    async def test_a_former_send_of_the_running_job_is_over(self, scene: Scene) -> None:
        claim, first = await scene.running()
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        await scene.settle(first, PREEMPTED)
        await scene.done(claim)
        await scene.handed(claim, "a")

        with pytest.raises(ClaimLost):
            await scene.beat(claim, first)
        with pytest.raises(ClaimLost):
            await scene.save(first, "late")

    async def test_the_next_job_of_its_thread_will_be_handed_a_put_back_job_as_well(
        self, scene: Scene
    ) -> None:
        _, delivery = await scene.running()
        await scene.save(delivery, "half")
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        await scene.settle(delivery, PREEMPTED)

        owed = await scene.backend.interrupted(AMELIA, "header")

        assert [(each.job_id, each.partial) for each in owed] == [("a", "half")]

    async def test_put_back_jobs_do_not_preempt_each_other(self, scene: Scene) -> None:
        claim, delivery = await scene.running()
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        await scene.settle(delivery, PREEMPTED)
        second = await scene.handed(claim, "b")
        await scene.submit(a_job("c", thread="sidebar", interrupt=DESK))
        await scene.settle(second, PREEMPTED)
        assert ids(await scene.backend.queue(AMELIA)) == ["a", "c", "b"]

        # The newest goes before both; then b, though newer and willing, does not stop a again.
        assert await scene.done(claim) == "c"
        third = await scene.handed(claim, "b")
        assert (await scene.beat(claim, third)).interrupt is None
        await scene.settle(third)
        assert await scene.done(claim) == "a"
        assert (await scene.job("a")).preemptions == 2

    async def test_a_waiting_preemptor_sends_the_job_back_at_its_hand_over(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", thread="footer", interrupt=DESK))
        claim = await scene.claimed("w1")

        await scene.handed(claim, "b")

        job = await scene.job("a")
        assert (job.state, job.send, job.attempt) == (JobState.QUEUED, 2, 0)

    async def test_after_some_preemptions_only_its_own_thread_stops_a_job(
        self, scene: Scene
    ) -> None:
        claim, delivery = await scene.running()
        for number in range(LIMITS.preemptions_max):
            await scene.submit(a_job(f"b{number}", thread="footer", interrupt=DESK))
            await scene.settle(delivery, PREEMPTED)
            await scene.done(claim)
            delivery = await scene.handed(claim, "a")

        await scene.submit(a_job("c", thread="footer", interrupt=DESK))
        assert (await scene.beat(claim, delivery)).interrupt is None

        await scene.submit(a_job("d", thread="header", interrupt=THREAD))
        interrupt = (await scene.beat(claim, delivery)).interrupt
        assert interrupt is not None
        assert interrupt.by == "d"

    async def test_a_put_back_job_is_folded_by_a_newer_one_that_runs_before_it(
        self, scene: Scene
    ) -> None:
        claim, delivery = await scene.running()
        await scene.save(delivery, "half")
        await scene.submit(
            a_job("b", thread="footer", interrupt=DESK), a_job("c", interrupt=THREAD)
        )
        # Its own thread goes first: had it been put back for b, c would fold it all the same.
        await scene.settle(delivery, PREEMPTED)
        assert await scene.state("a") is JobState.PREEMPTED

        assert await scene.done(claim) == "b"
        assert folded(await scene.handed(claim, "c")) == ["a"]

    async def test_a_put_back_job_runs_although_a_newer_one_that_folds_nothing_ran_meanwhile(
        self, scene: Scene
    ) -> None:
        claim, delivery = await scene.running()
        await scene.submit(a_job("b", thread="footer", interrupt=DESK), a_job("c", interrupt=NEVER))

        await scene.settle(delivery, PREEMPTED)

        assert [await scene.done(claim) for _ in range(3)] == ["b", "c", "a"]

    async def test_a_job_that_will_run_itself_is_not_handed_to_a_newer_one(
        self, scene: Scene
    ) -> None:
        claim, delivery = await scene.running("a")
        await scene.submit(a_job("b", thread="footer", interrupt=DESK), a_job("c", interrupt=NEVER))
        await scene.settle(delivery, PREEMPTED)
        assert await scene.done(claim) == "b"

        assert folded(await scene.handed(claim, "c")) == []

    # ------------------------------------------------------------------------ drain

    async def test_a_drained_job_keeps_its_place_and_its_attempt(self, scene: Scene) -> None:
        claim, delivery = await scene.running()
        await scene.save(delivery, "half")
        await scene.submit(a_job("b"))
        await scene.drain("w1")
        interrupt = await scene.interrupted("w1")
        assert interrupt.reason is InterruptReason.DRAIN
        assert (await scene.beat(claim, delivery)).is_draining

        assert await scene.settle(delivery, DRAINED, and_next=True) is None
        assert (await scene.viewed(claim)).is_draining
        await scene.give_way(claim)

        again = await scene.handed(await scene.claimed("w2"), "a")
        assert (again.job.attempt, again.job.send, again.job.partial) == (1, 1, "half")

    async def test_an_attempt_is_given_back_ten_times_and_then_counts(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        for number in range(LIMITS.given_back_max + 1):
            claim = await scene.claimed(f"w{number}")
            delivery = await scene.handed(claim)
            assert delivery.job.attempt == 1
            await scene.settle(delivery, DRAINED)
            await scene.give_way(claim)

        claim = await scene.claimed("last")
        assert (await scene.handed(claim)).job.attempt == 2

    async def test_a_correction_that_came_during_a_drain_folds_the_job(self, scene: Scene) -> None:
        _, delivery = await scene.running()
        await scene.drain("w1")
        await scene.submit(a_job("b", interrupt=DESK))

        await scene.settle(delivery, DRAINED)

        assert await scene.state("a") is JobState.PREEMPTED
