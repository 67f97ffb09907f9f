"""The contract of folding: a correction continues what it interrupts, and nothing is lost."""
# ruff: noqa: D102 - A test's name is its sentence.

import pytest

from hotdesk.desks import (
    DeskView,
    Interrupted,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
)
from hotdesk.lifecycle import Limits
from hotdesk.testing.scene import AMELIA, TAKEOVER, Contract, Scene, a_job, folded

LIMITS = Limits()
PREEMPTED = Outcome.interrupted(InterruptReason.PREEMPT)
DESK, THREAD, NEVER = InterruptPolicy.DESK, InterruptPolicy.THREAD, InterruptPolicy.NEVER


class FoldingContract(Contract):
    """What becomes of a job with a newer one of its thread."""

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
        claim, delivery = await scene.running()
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
        _, delivery = await scene.running()
        await scene.save(delivery, "half", "abc123")
        await scene.submit(a_job("b", interrupt=DESK))
        scene.clock.jump(TAKEOVER)

        successor = await scene.handed(await scene.claimed("w2"), "b")

        assert [(each.job_id, each.partial) for each in successor.folded] == [("a", "half")]
        assert await scene.state("a") is JobState.PREEMPTED

    async def test_a_failed_attempt_with_a_correction_behind_it_folds(self, scene: Scene) -> None:
        claim, delivery = await scene.running()
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
        claim, delivery = await scene.running()
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
        claim, delivery = await scene.running()
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

    async def test_a_job_that_will_be_tried_again_is_not_owed_to_anybody(
        self, scene: Scene
    ) -> None:
        _, delivery = await scene.running()
        await scene.save(delivery, "half")

        await scene.settle(delivery, Outcome.attempt_failed("no"))

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
