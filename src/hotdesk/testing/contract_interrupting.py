"""The contract of interrupts: who stops whom, what folds in, what is put back."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

import pytest

from hotdesk.desks import (
    Claim,
    Delivery,
    DeskView,
    Interrupt,
    Interrupted,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
)
from hotdesk.errors import ClaimLost
from hotdesk.lifecycle import Limits
from hotdesk.testing.scene import AMELIA, TAKEOVER, Contract, Scene, a_job, ids

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


async def running(
    scene: Scene, job_id: str = "a", *, policy: InterruptPolicy = DESK
) -> tuple[Claim, Delivery]:
    """Claim the desk for ``w1`` and run *job_id* of the thread ``header`` there."""
    await scene.submit(a_job(job_id, interrupt=policy))
    claim = await scene.claimed("w1")
    return claim, await scene.handed(claim, job_id)


def folded(delivery: Delivery) -> list[str]:
    """The ids of the jobs that a delivery continues."""
    return [each.job_id for each in delivery.folded]


class InterruptingContract(Contract):
    """What interrupts, folding and putting back promise."""

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
        claim, delivery = await running(scene, policy=policy_of_running)

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
        _, delivery = await running(scene)

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
        claim, delivery = await running(scene)
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
        claim, delivery = await running(scene)
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
        _, delivery = await running(scene)
        await scene.submit(a_job("b", interrupt=DESK))

        await scene.settle(delivery, Outcome.succeeded())

        assert await scene.state("a") is JobState.SUCCEEDED

    # ----------------------------------------------------------------- same thread

    async def test_a_correction_that_came_before_the_hand_over_folds_the_job_in(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD))
        claim = await scene.claimed("w1")

        delivery = await scene.handed(claim, "b")

        assert folded(delivery) == ["a"]
        job = await scene.job("a")
        assert (job.state, job.attempt, job.outcomes) == (JobState.PREEMPTED, 0, 1)
        assert job.error == ""

    async def test_the_successor_is_handed_instruction_and_partial_work(self, scene: Scene) -> None:
        claim, delivery = await running(scene)
        await scene.save(delivery, {"session": "s-1"}, "abc123")
        await scene.submit(a_job("b", interrupt=DESK))
        await scene.settle(delivery, PREEMPTED)

        successor = await scene.handed(claim, "b")

        assert successor.folded == (
            Interrupted(
                job_id="a",
                instruction="do a",
                partial={"session": "s-1"},
                partial_commit="abc123",
            ),
        )

    async def test_a_hand_over_answered_again_names_the_same_folded_jobs(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=DESK))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim, "b")

        assert await scene.handed(claim, "b") == delivery
        await scene.settle(delivery)
        await scene.submit(a_job("c"), a_job("d", interrupt=DESK))
        delivery = await scene.handed(claim, "d")
        assert folded(delivery) == ["c"]
        assert await scene.handed(claim, "d") == delivery

    async def test_a_chain_of_corrections_is_handed_over_oldest_first(self, scene: Scene) -> None:
        await scene.submit(*(a_job(name, interrupt=THREAD) for name in ("d", "a", "c", "b")))
        claim = await scene.claimed("w1")

        assert folded(await scene.handed(claim, "b")) == ["d", "a", "c"]

    async def test_a_very_long_chain_of_corrections_is_handed_over_whole(
        self, scene: Scene
    ) -> None:
        names = [f"job-{number}" for number in range(120)]
        await scene.submit(*(a_job(name, interrupt=THREAD) for name in names))
        claim = await scene.claimed("w1")

        # More than a backend may drop at once, so that it may ask to be called again.
        found = await scene.next_job(claim)
        for _ in range(10):
            if isinstance(found, DeskView):
                assert found.has_pending
                assert found.due_at is None
                found = await scene.next_job(claim)

        delivery = await scene.handed(claim, names[-1])
        assert found == delivery
        assert folded(delivery) == names[:-1]

    async def test_a_job_folds_after_a_crash_too(self, scene: Scene) -> None:
        _, delivery = await running(scene)
        await scene.save(delivery, "half", "abc123")
        await scene.submit(a_job("b", interrupt=DESK))
        scene.clock.jump(TAKEOVER)

        successor = await scene.handed(await scene.claimed("w2"), "b")

        assert [(each.job_id, each.partial) for each in successor.folded] == [("a", "half")]
        assert await scene.state("a") is JobState.PREEMPTED

    async def test_a_failed_attempt_with_a_correction_behind_it_folds(self, scene: Scene) -> None:
        claim, delivery = await running(scene)
        await scene.submit(a_job("b", interrupt=DESK))

        await scene.settle(delivery, Outcome.attempt_failed("no"))

        assert await scene.state("a") is JobState.PREEMPTED
        assert folded(await scene.handed(claim, "b")) == ["a"]

    async def test_a_correction_out_of_attempts_still_folds_what_came_before(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        for attempt in range(LIMITS.attempts_max):
            await scene.handed(await scene.claimed(f"w{attempt}"), "a")
            scene.clock.jump(TAKEOVER)
        await scene.submit(a_job("b", interrupt=DESK))

        successor = await scene.handed(await scene.claimed("last"), "b")

        assert folded(successor) == ["a"]
        assert await scene.state("a") is JobState.PREEMPTED

    async def test_a_cancelled_correction_folds_nothing(self, scene: Scene) -> None:
        claim, delivery = await running(scene)
        await scene.submit(a_job("b", interrupt=DESK))
        await scene.cancel("b")

        assert (await scene.beat(claim, delivery)).interrupt is None
        await scene.settle(delivery, PREEMPTED)

        assert (await scene.handed(claim, "a")).job.attempt == 1

    async def test_only_jobs_of_the_same_thread_and_desk_fold(self, scene: Scene) -> None:
        await scene.submit(
            a_job("a", thread="header"),
            a_job("b", thread="footer", interrupt=THREAD),
            a_job("c", thread="headers", interrupt=THREAD),
        )
        claim = await scene.claimed("w1")

        assert [await scene.done(claim) for _ in range(3)] == ["a", "b", "c"]

    # ------------------------------------------------------- what is owed to a thread

    @pytest.mark.parametrize("outcome", [Outcome.failed("no"), None], ids=["fails", "is cancelled"])
    async def test_interrupted_work_is_handed_on_when_the_successor_comes_to_nothing(
        self, scene: Scene, outcome: Outcome | None
    ) -> None:
        claim, delivery = await running(scene)
        await scene.submit(a_job("b", interrupt=DESK))
        await scene.settle(delivery, PREEMPTED)
        successor = await scene.handed(claim, "b")
        if outcome is None:
            await scene.cancel("b")
        await scene.settle(successor, outcome or Outcome.interrupted(InterruptReason.CANCEL))

        await scene.submit(a_job("c"))

        assert folded(await scene.handed(claim, "c")) == ["a"]

    async def test_interrupted_work_is_handed_on_when_the_successor_dies(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=DESK))
        for attempt in range(LIMITS.attempts_max):
            successor = await scene.handed(await scene.claimed(f"w{attempt}"), "b")
            assert folded(successor) == ["a"]
            scene.clock.jump(TAKEOVER)
        await scene.submit(a_job("c"))

        delivery = await scene.handed(await scene.claimed("last"), "c")

        assert await scene.state("b") is JobState.DEAD
        assert folded(delivery) == ["a"]

    async def test_interrupted_work_is_handed_on_until_the_thread_succeeds(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD), a_job("c", interrupt=THREAD))
        claim = await scene.claimed("w1")
        assert folded(await scene.handed(claim, "c")) == ["a", "b"]
        assert [each.job_id for each in await scene.backend.interrupted(AMELIA, "header")] == [
            "a",
            "b",
        ]
        await scene.done(claim)

        await scene.submit(a_job("d", interrupt=THREAD))

        assert folded(await scene.handed(claim, "d")) == []
        assert await scene.backend.interrupted(AMELIA, "header") == []

    async def test_a_success_of_another_thread_settles_no_debt(self, scene: Scene) -> None:
        await scene.submit(
            a_job("a"), a_job("b", interrupt=THREAD), a_job("c", thread="footer"), a_job("d")
        )
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "b"), Outcome.failed("no"))
        assert await scene.done(claim) == "c"

        assert folded(await scene.handed(claim, "d")) == ["a"]

    async def test_a_job_that_interrupts_nothing_is_handed_what_was_interrupted_before(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD), a_job("c", interrupt=NEVER))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "b"), Outcome.failed("no"))

        assert folded(await scene.handed(claim, "c")) == ["a"]

    # ---------------------------------------------------------------- another thread

    async def test_a_job_is_put_back_behind_what_waits(self, scene: Scene) -> None:
        claim, delivery = await running(scene)
        await scene.submit(a_job("b", thread="footer", interrupt=DESK), a_job("c", thread="footer"))

        await scene.settle(delivery, PREEMPTED)

        assert ids(await scene.backend.queue(AMELIA)) == ["b", "c", "a"]
        assert [await scene.done(claim) for _ in range(3)] == ["b", "c", "a"]

    async def test_a_put_back_job_resumes_from_its_partial_work_and_keeps_its_attempt(
        self, scene: Scene
    ) -> None:
        claim, delivery = await running(scene)
        await scene.save(delivery, "half", "abc123")
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        await scene.settle(delivery, PREEMPTED)
        await scene.done(claim)

        again = await scene.handed(claim, "a")

        assert (again.job.attempt, again.job.send, again.job.deliveries) == (1, 2, 2)
        assert (again.job.partial, again.job.partial_commit) == ("half", "abc123")

    async def test_a_former_send_of_the_running_job_is_over(self, scene: Scene) -> None:
        claim, first = await running(scene)
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
        _, delivery = await running(scene)
        await scene.save(delivery, "half")
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        await scene.settle(delivery, PREEMPTED)

        owed = await scene.backend.interrupted(AMELIA, "header")

        assert [(each.job_id, each.partial) for each in owed] == [("a", "half")]

    async def test_put_back_jobs_do_not_preempt_each_other(self, scene: Scene) -> None:
        claim, delivery = await running(scene)
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
        claim, delivery = await running(scene)
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
        claim, delivery = await running(scene)
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
        claim, delivery = await running(scene)
        await scene.submit(a_job("b", thread="footer", interrupt=DESK), a_job("c", interrupt=NEVER))

        await scene.settle(delivery, PREEMPTED)

        assert [await scene.done(claim) for _ in range(3)] == ["b", "c", "a"]

    async def test_a_job_that_will_run_itself_is_not_handed_to_a_newer_one(
        self, scene: Scene
    ) -> None:
        claim, delivery = await running(scene, "a")
        await scene.submit(a_job("b", thread="footer", interrupt=DESK), a_job("c", interrupt=NEVER))
        await scene.settle(delivery, PREEMPTED)
        assert await scene.done(claim) == "b"

        assert folded(await scene.handed(claim, "c")) == []

    # ------------------------------------------------------------------------ drain

    async def test_a_drained_job_keeps_its_place_and_its_attempt(self, scene: Scene) -> None:
        claim, delivery = await running(scene)
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
        _, delivery = await running(scene)
        await scene.drain("w1")
        await scene.submit(a_job("b", interrupt=DESK))

        await scene.settle(delivery, DRAINED)

        assert await scene.state("a") is JobState.PREEMPTED
