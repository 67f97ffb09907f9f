"""The contract of running one job: hand-over, attempts, partial work, one outcome."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from datetime import timedelta

import pytest

from hotdesk.desks import DeskView, InterruptReason, JobState, Outcome, Result
from hotdesk.errors import ClaimLost, NotAllowed
from hotdesk.lifecycle import EXTEND_BY, HEARTBEAT, LEASE, Limits
from hotdesk.testing.scene import AMELIA, MOMENT, TAKEOVER, Contract, Scene, a_job

LIMITS = Limits()
FAILED_AGAIN = Outcome.attempt_failed("the build broke")
UNREACHABLE = Outcome.given_back("no route to the origin")
OUTCOMES = {
    "succeeded": Outcome.succeeded(Result(text="done")),
    "failed": Outcome.failed("no"),
    "attempt failed": FAILED_AGAIN,
    "given back": UNREACHABLE,
    "preempted": Outcome.interrupted(InterruptReason.PREEMPT),
    "drained": Outcome.interrupted(InterruptReason.DRAIN),
}


class RunningContract(Contract):
    """What ``next_job``, ``save_partial``, ``seal`` and ``settle`` promise."""

    # ------------------------------------------------------------------- hand-over

    async def test_a_hand_over_registers_the_job_and_counts_the_attempt_before_it_runs(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")

        delivery = await scene.handed(claim)

        job = await other.job("a")
        assert delivery.job == job
        assert delivery.claim == claim
        assert (job.state, job.attempt, job.deliveries) == (JobState.RUNNING, 1, 1)
        assert (job.worker_id, job.generation) == ("w1", claim.generation)
        assert job.started_at == scene.clock.now()
        assert (await other.backend.desk(AMELIA)).active_job == "a"

    async def test_a_hand_over_whose_answer_was_lost_is_answered_again(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)
        cursor = await scene.backend.latest_cursor()

        scene.clock.jump(timedelta(seconds=1))
        again = await scene.handed(claim)

        assert again == delivery
        assert await scene.backend.latest_cursor() == cursor

    async def test_an_idle_owner_sees_a_desk_with_nothing_to_do(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.done(claim)

        assert await scene.viewed(claim) == DeskView()

    async def test_a_heartbeat_of_a_job_that_nobody_wants_to_stop_says_nothing(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)

        view = await scene.beat(claim, delivery)

        assert view.interrupt is None
        assert view.has_pending

    async def test_a_heartbeat_of_a_job_that_is_over_is_refused(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        first = await scene.handed(claim)
        await scene.settle(first, and_next=True)

        with pytest.raises(ClaimLost):
            await scene.beat(claim, first)
        with pytest.raises(ClaimLost):
            await scene.save(first, "too late")
        with pytest.raises(ClaimLost):
            await scene.seal(first)

    async def test_the_visibility_of_a_running_job_can_be_extended(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)

        await scene.backend.extend(delivery, span=EXTEND_BY, now=scene.clock.now())

        await scene.beat(claim, delivery)

    # -------------------------------------------------------------------- outcomes

    async def test_a_success_keeps_its_result_and_frees_the_desk_for_the_next_job(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        result = Result(
            text="It is blue.",
            commit="c0ffee",
            changes=("M style.css", "A blue.png"),
            notes=("logo.tiff was not shown to the agent.",),
            cost_usd=0.25,
        )

        scene.clock.jump(timedelta(minutes=1))
        await scene.settle(await scene.handed(claim), Outcome.succeeded(result))

        job = await scene.job("a")
        assert (job.state, job.result, job.outcomes) == (JobState.SUCCEEDED, result, 1)
        assert job.ended_at == scene.clock.now()
        desk = await scene.backend.desk(AMELIA)
        assert (desk.pending, desk.active_job) == (1, "")
        await scene.handed(claim, "b")

    async def test_the_next_job_may_come_with_the_settling_of_the_last(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")

        following = await scene.settle(await scene.handed(claim), and_next=True)
        following = following or await scene.handed(claim)

        assert following.job.id == "b"
        assert (await scene.job("b")).attempt == 1

    async def test_a_definite_failure_is_not_tried_again(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")

        await scene.settle(await scene.handed(claim), Outcome.failed("no such page"))

        job = await scene.job("a")
        assert (job.state, job.error, job.attempt) == (JobState.FAILED, "no such page", 1)
        assert job.result is None
        assert await scene.release(claim)

    @pytest.mark.parametrize("and_next", [False, True])
    @pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES.keys())
    async def test_settling_again_changes_nothing(
        self,
        *,
        outcome: Outcome,
        and_next: bool,
        scene: Scene,
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)
        await scene.settle(delivery, outcome, and_next=and_next)
        before = await scene.job("a"), await scene.job("b"), await scene.backend.desk(AMELIA)
        cursor = await scene.backend.latest_cursor()

        scene.clock.jump(timedelta(seconds=1))
        await scene.settle(delivery, outcome, and_next=False)

        after = await scene.job("a"), await scene.job("b"), await scene.backend.desk(AMELIA)
        assert after == before
        assert await scene.backend.latest_cursor() == cursor

    async def test_an_outcome_stands_whatever_is_reported_afterwards(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)
        await scene.settle(delivery, Outcome.failed("no"))

        await scene.settle(delivery, Outcome.succeeded())

        job = await scene.job("a")
        assert (job.state, job.outcomes) == (JobState.FAILED, 1)

    async def test_what_a_stale_worker_reports_is_refused_when_others_have_ended_its_job(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        stale = await scene.handed(await scene.claimed("w1"))
        scene.clock.jump(TAKEOVER)
        await scene.sweep()
        await scene.cancel("a")

        with pytest.raises(ClaimLost):
            await scene.settle(stale)

        job = await scene.job("a")
        assert (job.state, job.outcomes) == (JobState.CANCELLED, 1)

    async def test_a_report_about_a_job_that_is_gone_is_refused(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        stale = await scene.handed(await scene.claimed("w1"))
        scene.clock.jump(TAKEOVER)
        claim = await scene.claimed("w2")
        await scene.settle(await scene.handed(claim), Outcome.failed("no"))
        await scene.backend.discard("a", now=scene.clock.now())

        with pytest.raises(ClaimLost):
            await scene.settle(stale)

    async def test_a_stale_worker_cannot_settle_a_job_that_died_at_its_last_hand_over(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        delivery = await scene.handed(await scene.claimed("w1"))
        for attempt in range(2, LIMITS.attempts_max + 1):
            scene.clock.jump(TAKEOVER)
            delivery = await scene.handed(await scene.claimed(f"w{attempt}"))
        scene.clock.jump(TAKEOVER)
        last = await scene.claimed("last")
        assert not (await scene.viewed(last)).has_pending

        with pytest.raises(ClaimLost):
            await scene.settle(delivery)

        assert await scene.state("a") is JobState.DEAD

    # -------------------------------------------------------------------- attempts

    async def test_a_failed_attempt_is_tried_again_after_its_backoff_and_no_sooner(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", thread="footer"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "a"), FAILED_AGAIN, and_next=True)

        view = await scene.viewed(claim)
        assert view.due_at == scene.clock.now() + LIMITS.backoff
        assert view.has_pending
        job = await scene.job("a")
        assert (job.state, job.error, job.outcomes) == (JobState.QUEUED, FAILED_AGAIN.error, 0)

        scene.clock.jump(LIMITS.backoff - MOMENT)
        await scene.viewed(claim)

        scene.clock.jump(MOMENT)
        assert (await scene.handed(claim, "a")).job.attempt == 2

    async def test_a_desk_in_its_backoff_is_not_claimed(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), FAILED_AGAIN)
        await scene.give_way(claim)

        scene.clock.jump(LIMITS.backoff - MOMENT)
        assert await scene.claim("w2") is None

        scene.clock.jump(MOMENT)
        await scene.handed(await scene.claimed("w2"), "a")

    async def test_a_job_submitted_meanwhile_does_not_shorten_a_backoff(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), FAILED_AGAIN)

        await scene.submit(a_job("b"))

        assert (await scene.viewed(claim)).due_at == scene.clock.now() + LIMITS.backoff

    async def test_attempts_end_in_a_dead_letter_and_the_desk_goes_on(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        waits = []
        while await scene.state("a") is JobState.QUEUED:
            await scene.settle(await scene.handed(claim, "a"), FAILED_AGAIN)
            if due_at := (await scene.backend.desk(AMELIA)).due_at:
                waits.append(due_at - scene.clock.now())
                scene.clock.jump(waits[-1])

        job = await scene.job("a")
        assert (job.state, job.attempt) == (JobState.DEAD, LIMITS.attempts_max)
        assert (job.error, job.outcomes) == (FAILED_AGAIN.error, 1)
        assert waits == [LIMITS.backoff, 2 * LIMITS.backoff]
        await scene.handed(claim, "b")

    async def test_a_job_that_kills_its_workers_ends_as_a_dead_letter_with_an_error(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        for attempt in range(1, LIMITS.attempts_max + 1):
            delivery = await scene.handed(await scene.claimed(f"w{attempt}"), "a")
            assert delivery.job.attempt == attempt
            scene.clock.jump(TAKEOVER)

        claim = await scene.claimed("last")
        await scene.handed(claim, "b")

        job = await scene.job("a")
        assert (job.state, job.attempt, job.outcomes) == (JobState.DEAD, LIMITS.attempts_max, 1)
        assert job.error

    async def test_a_dead_letter_says_that_its_worker_died_whatever_went_wrong_before(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), FAILED_AGAIN)
        scene.clock.jump(LIMITS.backoff)
        for attempt in range(2, LIMITS.attempts_max + 1):
            assert (await scene.handed(claim)).job.attempt == attempt
            scene.clock.jump(TAKEOVER)
            claim = await scene.claimed(f"w{attempt}")

        await scene.viewed(claim)

        job = await scene.job("a")
        assert job.state is JobState.DEAD
        assert "died" in job.error
        assert FAILED_AGAIN.error in job.error

    async def test_an_attempt_that_had_no_chance_is_not_counted_within_bounds(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        waits = []
        for _ in range(LIMITS.given_back_max):
            await scene.settle(await scene.handed(claim), UNREACHABLE)
            job = await scene.job("a")
            assert (job.state, job.attempt) == (JobState.QUEUED, 0)
            due_at = (await scene.viewed(claim)).due_at
            assert due_at is not None
            waits.append(due_at - scene.clock.now())
            scene.clock.jump(waits[-1])

        await scene.settle(await scene.handed(claim), UNREACHABLE)

        assert (await scene.job("a")).attempt == 1
        assert waits[:5] == [LIMITS.backoff * (1 << n) for n in range(5)]
        assert set(waits[5:]) == {LIMITS.backoff_max}

    async def test_no_bound_lets_a_job_be_repeated_for_ever(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")

        for _ in range(LIMITS.given_back_max + LIMITS.attempts_max):
            await scene.settle(await scene.handed(claim), UNREACHABLE)
            scene.clock.jump(LIMITS.backoff_max)

        assert await scene.state("a") is JobState.DEAD

    # ---------------------------------------------------------------- partial work

    async def test_partial_work_survives_the_crash_of_its_worker(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        delivery = await scene.handed(await scene.claimed("w1"))
        await scene.save(delivery, {"step": 3, "session": "s-1"}, "abc123")
        scene.clock.jump(TAKEOVER)

        again = await other.handed(await other.claimed("w2"), "a")

        assert again.job.partial == {"step": 3, "session": "s-1"}
        assert again.job.partial_commit == "abc123"

    async def test_saving_without_a_commit_keeps_the_commit_saved_before(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        delivery = await scene.handed(await scene.claimed("w1"))
        await scene.save(delivery, 1, "abc123")

        await scene.save(delivery, 2)

        job = await scene.job("a")
        assert (job.partial, job.partial_commit) == (2, "abc123")

    async def test_what_was_saved_for_a_failed_attempt_reaches_the_next(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)
        await scene.save(delivery, [1, "two", None], "abc123")
        await scene.settle(delivery, FAILED_AGAIN)
        scene.clock.jump(LIMITS.backoff)

        again = await scene.handed(claim)

        assert (again.job.partial, again.job.partial_commit) == ([1, "two", None], "abc123")

    # -------------------------------------------------------------------- publishing

    async def test_a_sealed_job_cannot_be_cancelled_and_succeeds(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        delivery = await scene.handed(await scene.claimed("w1"))

        await scene.seal(delivery)
        with pytest.raises(NotAllowed):
            await scene.cancel("a")
        await scene.settle(delivery)

        job = await scene.job("a")
        assert job.state is JobState.SUCCEEDED
        assert not job.is_cancelled

    async def test_a_cancelled_job_cannot_be_sealed(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        delivery = await scene.handed(await scene.claimed("w1"))
        await scene.cancel("a")

        with pytest.raises(NotAllowed):
            await scene.seal(delivery)

    async def test_sealing_renews_the_lease(self, scene: Scene, other: Scene) -> None:
        await scene.submit(a_job("a"))
        delivery = await scene.handed(await scene.claimed("w1"))
        scene.clock.jump(LEASE)

        await scene.seal(delivery)
        scene.clock.jump(TAKEOVER - MOMENT)

        assert await other.claim("w2") is None

    async def test_a_job_whose_worker_died_while_publishing_can_be_cancelled_again(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.seal(await scene.handed(await scene.claimed("w1")))
        scene.clock.jump(TAKEOVER)
        claim = await scene.claimed("w2")
        delivery = await scene.handed(claim)

        await scene.cancel("a")

        assert (await scene.beat(claim, delivery)).interrupt is not None

    async def test_heartbeats_keep_a_job_of_many_hours(self, scene: Scene, other: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)

        for _ in range(120 * 3):
            scene.clock.jump(HEARTBEAT)
            await scene.beat(claim, delivery)
        await other.sweep()

        await scene.settle(delivery)
        assert await scene.state("a") is JobState.SUCCEEDED
