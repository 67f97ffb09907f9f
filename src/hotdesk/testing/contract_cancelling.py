"""The contract of what people ask of a job: cancel, retry, discard."""
# ruff: noqa: D102 - A test's name is its sentence.

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from hotdesk.desks import (
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
)
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.lifecycle import Limits
from hotdesk.testing.scene import (
    AMELIA,
    TAKEOVER,
    Contract,
    Scene,
    a_job,
    ids,
)

LIMITS = Limits()
CANCELLED = Outcome.interrupted(InterruptReason.CANCEL)
PREEMPTED = Outcome.interrupted(InterruptReason.PREEMPT)
DESK, THREAD = InterruptPolicy.DESK, InterruptPolicy.THREAD

Ask = Callable[[Scene], Awaitable[object]]
OF_A_JOB: dict[str, Ask] = {
    "cancel": lambda scene: scene.cancel("nothing"),
    "retry": lambda scene: scene.retry("nothing"),
    "discard": lambda scene: scene.backend.discard("nothing", now=scene.clock.now()),
}


class CancellingContract(Contract):
    """What ``cancel``, ``retry`` and ``discard`` promise."""

    @pytest.mark.parametrize("ask", OF_A_JOB.values(), ids=OF_A_JOB.keys())
    async def test_what_is_asked_of_an_unknown_job_is_refused(self, ask: Ask, scene: Scene) -> None:
        with pytest.raises(NotFound):
            await ask(scene)

    # ---------------------------------------------------------------------- cancel

    async def test_a_queued_job_is_cancelled_at_once_and_never_handed_over(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))

        cancelled = await other.cancel("a")

        assert cancelled == await scene.job("a")
        assert (cancelled.state, cancelled.outcomes) == (JobState.CANCELLED, 1)
        assert cancelled.ended_at == scene.clock.now()
        assert (await scene.backend.desk(AMELIA)).pending == 1
        assert await scene.done(await scene.claimed("w1")) == "b"

    async def test_cancelling_the_only_job_leaves_nothing_to_claim(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))

        await scene.cancel("a")

        assert await scene.claim("w1") is None
        assert (await scene.backend.desk(AMELIA)).free_since is None

    async def test_a_queued_job_of_a_paused_desk_is_cancelled_at_once(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        await scene.pause()

        assert (await scene.cancel("a")).state is JobState.CANCELLED

    async def test_cancelling_a_running_job_interrupts_it_and_ends_it_when_it_settles(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim, "a")

        asked = await other.cancel("a")

        assert (asked.state, asked.is_cancelled, asked.outcomes) == (JobState.RUNNING, True, 0)
        interrupt = await scene.interrupted("w1")
        assert (interrupt.reason, interrupt.send_id) == (InterruptReason.CANCEL, "a.1")
        assert (await scene.beat(claim, delivery)).interrupt == interrupt
        await scene.settle(delivery, CANCELLED)
        job = await scene.job("a")
        assert (job.state, job.outcomes) == (JobState.CANCELLED, 1)
        assert await scene.done(claim) == "b"

    @pytest.mark.parametrize(
        "outcome",
        [
            Outcome.succeeded(),
            Outcome.failed("no"),
            Outcome.attempt_failed("no"),
            Outcome.given_back("no"),
            Outcome.interrupted(InterruptReason.PREEMPT),
            Outcome.interrupted(InterruptReason.DRAIN),
        ],
        ids=lambda outcome: f"{outcome.kind}-{outcome.reason}",
    )
    async def test_a_job_that_was_cancelled_in_time_ends_cancelled_however_it_went(
        self, scene: Scene, outcome: Outcome
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=DESK))
        await scene.cancel("b")
        delivery = await scene.handed(await scene.claimed("w1"))
        await scene.cancel("a")

        await scene.settle(delivery, outcome)

        job = await scene.job("a")
        assert (job.state, job.result) == (JobState.CANCELLED, None)

    async def test_a_cancelled_job_whose_worker_dies_is_not_run_again(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        await scene.handed(await scene.claimed("w1"), "a")
        await scene.cancel("a")
        scene.clock.jump(TAKEOVER)

        await scene.handed(await scene.claimed("w2"), "b")

        assert await scene.state("a") is JobState.CANCELLED

    async def test_a_job_whose_worker_died_on_a_paused_desk_can_be_cancelled_at_once(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.handed(await scene.claimed("w1"), "a")
        await scene.pause()
        await scene.cancel("a")
        scene.clock.jump(TAKEOVER)
        await scene.sweep()

        await scene.cancel("a")

        assert await scene.state("a") is JobState.CANCELLED
        assert (await scene.backend.desk(AMELIA)).pending == 0

    async def test_cancelling_twice_is_cancelling_once(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        await scene.handed(await scene.claimed("w1"), "a")
        await scene.cancel("a")
        await scene.cancel("b")
        cursor = await scene.backend.latest_cursor()

        running = await scene.cancel("a")
        queued = await scene.cancel("b")

        assert (running.state, queued.state) == (JobState.RUNNING, JobState.CANCELLED)
        assert await scene.backend.latest_cursor() == cursor

    async def test_an_ended_job_is_not_cancelled(self, scene: Scene) -> None:
        await scene.ended("a", Outcome.succeeded())

        with pytest.raises(NotAllowed):
            await scene.cancel("a")

        assert await scene.state("a") is JobState.SUCCEEDED

    async def test_cancelling_a_job_behind_it_does_not_shorten_a_backoff(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "a"), Outcome.attempt_failed("no"))

        await scene.cancel("b")

        assert (await scene.viewed(claim)).due_at == scene.clock.now() + LIMITS.backoff

    async def test_cancelling_the_job_that_waits_for_its_next_attempt_frees_the_desk(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "a"), Outcome.attempt_failed("no"))

        await scene.cancel("a")

        await scene.handed(claim, "b")

    # ----------------------------------------------------------------------- retry

    @pytest.mark.parametrize("outcome", [Outcome.failed("no"), None], ids=["failed", "cancelled"])
    async def test_a_retried_job_is_the_newest_of_its_desk_with_its_attempts_at_zero(
        self, scene: Scene, outcome: Outcome | None
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim, "a")
        if outcome is None:
            await scene.cancel("a")
        await scene.settle(delivery, outcome or CANCELLED)

        job = await scene.retry("a")

        assert job == await scene.job("a")
        assert (job.state, job.send, job.attempt) == (JobState.QUEUED, 2, 0)
        assert (job.error, job.result, job.ended_at) == ("", None, None)
        assert (job.started_at, job.is_cancelled) == (None, False)
        assert ids(await scene.backend.queue(AMELIA)) == ["b", "a"]
        assert job.order > (await scene.job("b")).order
        assert [await scene.done(claim) for _ in range(2)] == ["b", "a"]
        again = await scene.job("a")
        assert (again.state, again.outcomes) == (JobState.SUCCEEDED, 2)

    async def test_a_dead_letter_is_retried_with_all_its_attempts(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        for _ in range(LIMITS.attempts_max):
            await scene.settle(await scene.handed(claim), Outcome.attempt_failed("no"))
            scene.clock.jump(LIMITS.backoff_max)
        assert await scene.state("a") is JobState.DEAD

        await scene.retry("a")

        for attempt in range(1, LIMITS.attempts_max + 1):
            delivery = await scene.handed(claim)
            assert delivery.job.attempt == attempt
            await scene.settle(delivery, Outcome.attempt_failed("no"))
            scene.clock.jump(LIMITS.backoff_max)
        assert await scene.state("a") is JobState.DEAD

    async def test_a_retried_job_has_all_its_preemptions_before_it_again(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        for number in range(LIMITS.preemptions_max):
            delivery = await scene.handed(claim, "a")
            await scene.submit(a_job(f"b{number}", thread="footer", interrupt=DESK))
            await scene.settle(delivery, PREEMPTED)
            await scene.done(claim)
        await scene.settle(await scene.handed(claim, "a"), Outcome.failed("no"))
        await scene.retry("a")
        delivery = await scene.handed(claim, "a")

        await scene.submit(a_job("c", thread="footer", interrupt=DESK))

        assert (await scene.beat(claim, delivery)).interrupt is not None

    async def test_a_job_that_has_not_ended_is_not_retried(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        await scene.handed(await scene.claimed("w1"), "a")

        for job_id in ("a", "b"):
            with pytest.raises(NotAllowed):
                await scene.retry(job_id)

    async def test_a_job_that_succeeded_is_not_retried(self, scene: Scene) -> None:
        await scene.ended("a", Outcome.succeeded())

        with pytest.raises(NotAllowed):
            await scene.retry("a")

    async def test_a_preempted_job_is_retried_only_once_its_thread_is_quiet(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD), a_job("c", thread="footer"))
        claim = await scene.claimed("w1")
        successor = await scene.handed(claim, "b")
        with pytest.raises(NotAllowed):
            await scene.retry("a")

        await scene.settle(successor, Outcome.failed("no"))
        await scene.retry("a")

        assert [await scene.done(claim) for _ in range(2)] == ["c", "a"]

    async def test_a_retried_job_is_not_handed_its_own_interrupted_work(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "b"), Outcome.failed("no"))
        await scene.retry("a")

        delivery = await scene.handed(claim, "a")

        assert delivery.folded == ()
        await scene.settle(delivery, Outcome.failed("no"))
        await scene.submit(a_job("c"))
        assert (await scene.handed(claim, "c")).folded == ()

    async def test_a_retried_job_brings_a_worker_to_its_desk(self, scene: Scene) -> None:
        claim = await scene.ended("a", Outcome.failed("no"))
        await scene.release(claim)
        scene.clock.jump(timedelta(seconds=5))

        await scene.retry("a")

        assert (await scene.backend.desk(AMELIA)).free_since == scene.clock.now()
        await scene.handed(await scene.claimed("w2"), "a")

    async def test_a_stale_worker_cannot_settle_a_job_that_was_retried(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        first = await scene.handed(claim)
        await scene.settle(first, Outcome.failed("no"))
        await scene.retry("a")
        second = await scene.handed(claim)

        await scene.settle(first, Outcome.failed("no"))
        assert await scene.state("a") is JobState.RUNNING

        await scene.settle(second)
        assert await scene.state("a") is JobState.SUCCEEDED

    # --------------------------------------------------------------------- discard

    async def test_a_discarded_job_is_gone_with_its_log(self, scene: Scene) -> None:
        await scene.ended("a", Outcome.failed("no"))
        await scene.backend.append_log("a", 1, "some output", now=scene.clock.now())

        await scene.backend.discard("a", now=scene.clock.now())

        with pytest.raises(NotFound):
            await scene.job("a")
        assert await scene.backend.log("a") == []

    async def test_only_a_job_that_failed_or_died_is_discarded(self, scene: Scene) -> None:
        claim = await scene.ended("done", Outcome.succeeded())
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD), a_job("c"))
        await scene.cancel("c")
        await scene.handed(claim, "b")

        for job_id in ("done", "a", "b", "c"):
            with pytest.raises(NotAllowed):
                await scene.backend.discard(job_id, now=scene.clock.now())
            await scene.job(job_id)
