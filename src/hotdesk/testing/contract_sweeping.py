"""The contract of the sweep: the guarantee behind the fast path, and retention."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from datetime import timedelta

import anyio
import pytest

from hotdesk.desks import (
    InterruptPolicy,
    JobState,
    Outcome,
)
from hotdesk.lifecycle import Limits
from hotdesk.testing.clock import FakeClock
from hotdesk.testing.scene import (
    AMELIA,
    MOMENT,
    PATIENCE,
    RETENTION,
    SCOTT,
    TAKEOVER,
    Contract,
    Scene,
    a_job,
    a_mail,
    ids,
)

LIMITS = Limits()
THREAD = InterruptPolicy.THREAD
OLD = RETENTION + MOMENT


class SweepingContract(Contract):
    """What the sweep guarantees, and what it keeps."""

    async def test_a_sweep_frees_the_desks_of_silent_owners(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA), a_job("b", SCOTT))
        await scene.handed(await scene.claimed("w1", AMELIA))
        scene.clock.jump(MOMENT)
        await scene.handed(await scene.claimed("w2", SCOTT))
        scene.clock.jump(TAKEOVER - MOMENT)

        report = await scene.sweep()

        assert (report.lapsed_owners, report.desks_waiting) == (1, 1)
        freed, kept = await scene.backend.desk(AMELIA), await scene.backend.desk(SCOTT)
        assert (freed.owner, freed.active_job, freed.free_since) == ("", "", scene.clock.now())
        assert kept.owner == "w2"
        assert await scene.state("a") is JobState.QUEUED

    async def test_a_sweep_frees_a_silent_owner_without_jobs(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        await scene.done(await scene.claimed("w1"))
        scene.clock.jump(TAKEOVER)

        assert (await scene.sweep()).lapsed_owners == 1

        desk = await scene.backend.desk(AMELIA)
        assert (desk.owner, desk.free_since) == ("", None)

    async def test_a_sweep_with_nothing_to_do_writes_nothing(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        await scene.handed(await scene.claimed("w1"))
        cursor = await scene.backend.latest_cursor()

        report = await scene.sweep()

        assert (report.lapsed_owners, report.dead_workers, report.jobs_removed) == (0, 0, 0)
        assert report.desks_waiting == 0
        assert await scene.backend.latest_cursor() == cursor

    @pytest.mark.parametrize("is_held", [False, True])
    async def test_a_clock_that_is_set_back_does_not_stretch_a_backoff(
        self,
        scene: Scene,
        is_held: bool,  # noqa: FBT001 - pytest gives it
    ) -> None:
        claim = await scene.ended("a", Outcome.attempt_failed("no"))
        if not is_held:
            await scene.give_way(claim)

        scene.clock = FakeClock(scene.clock.now() - timedelta(days=1))
        await scene.sweep()
        scene.clock.jump(LIMITS.backoff_max)

        await scene.handed(await scene.claimed("w1"), "a")

    async def test_a_sweep_wakes_a_waiting_worker_for_the_desk_it_frees(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        await scene.claimed("w1")
        scene.clock.jump(TAKEOVER - MOMENT)
        await other.register("w2")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.claim("w2", wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                scene.clock.jump(MOMENT)
                await scene.sweep()

        await other.claimed("w2")

    async def test_ended_jobs_are_removed_after_their_time_and_no_sooner(
        self, scene: Scene
    ) -> None:
        await scene.submit(*(a_mail(name, thread=name) for name in ("good", "bad", "stopped")))
        claim = await scene.claimed("w1")
        await scene.done(claim)
        await scene.settle(await scene.handed(claim), Outcome.failed("no"))
        await scene.cancel("stopped")
        await scene.backend.append_log("good", 1, "text", now=scene.clock.now())
        for answer in await scene.due():
            message_id = f"<answer-to-{answer.job.id}@example.org>"
            await scene.backend.answer_sent(answer, message_id, now=scene.clock.now())

        scene.clock.jump(RETENTION)
        assert (await scene.sweep()).jobs_removed == 0

        scene.clock.jump(MOMENT)
        assert (await scene.sweep()).jobs_removed == 3

        assert await scene.backend.jobs() == []
        assert await scene.backend.log("good") == []
        assert await scene.due() == []
        assert await scene.backend.thread_of_mail("<good@example.org>", AMELIA) is None

    async def test_a_job_whose_answer_was_not_sent_yet_is_kept(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        await scene.done(await scene.claimed("w1"))
        scene.clock.jump(OLD)

        assert (await scene.sweep()).jobs_removed == 0

        assert [answer.job.id for answer in await scene.due()] == ["a"]

    async def test_what_has_not_ended_is_kept_however_old_it_is(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        await scene.handed(await scene.claimed("w1"), "a")
        scene.clock.jump(OLD)

        await scene.sweep()

        assert ids(await scene.backend.queue(AMELIA)) == ["a", "b"]

    async def test_dead_letters_are_kept_until_a_person_decides(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        for _ in range(LIMITS.attempts_max):
            await scene.settle(await scene.handed(claim), Outcome.attempt_failed("no"))
            scene.clock.jump(LIMITS.backoff_max)
        scene.clock.jump(OLD)

        await scene.sweep()

        assert await scene.state("a") is JobState.DEAD
        await scene.backend.discard("a", now=scene.clock.now())

    async def test_interrupted_work_is_kept_while_its_thread_is_owed_it(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "b"), Outcome.failed("no"))
        await scene.release(claim)
        scene.clock.jump(OLD)
        await scene.sweep()
        await scene.submit(a_job("c"))
        delivery = await scene.handed(await scene.claimed("w1"), "c")
        assert [each.job_id for each in delivery.folded] == ["a"]

        await scene.settle(delivery)
        scene.clock.jump(OLD)
        await scene.sweep()

        assert await scene.backend.jobs() == []

    async def test_old_events_are_removed_and_cursors_go_on(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.done(claim)
        await scene.release(claim)
        old = await scene.backend.latest_cursor()
        scene.clock.jump(OLD)
        await scene.submit(a_job("b"))

        await scene.sweep()

        assert [event.kind for event in await scene.backend.events()] == [
            "JobSubmitted",
            "RetentionApplied",
        ]
        assert await scene.kinds("a") == []
        assert [event.job_id for event in await scene.backend.events(after=old)] == ["b", ""]
