"""The contract of submitting: durable at once, idempotent, in order."""
# ruff: noqa: D102 - A test's name is its sentence.

from datetime import timedelta

import anyio
import pytest

from hotdesk.desks import Desk, InterruptPolicy, JobState, NewJob, Origin
from hotdesk.errors import NotFound, Rejected
from hotdesk.testing.clock import FakeClock
from hotdesk.testing.scene import AMELIA, PATIENCE, SCOTT, Contract, Scene, a_job, ids


class SubmittingContract(Contract):
    """What ``submit`` promises."""

    async def test_a_submitted_job_is_there_for_every_other_process(
        self, scene: Scene, other: Scene, clock: FakeClock
    ) -> None:
        origin = Origin(
            source="mail",
            sender="amelia@example.org",
            subject="Überschrift",
            references=("<1@example.org>", "<2@example.org>"),
            attachments=("/tmp/a plan.pdf",),  # noqa: S108 - only kept, never opened
        )
        new = NewJob(
            id="a",
            desk=AMELIA,
            thread="header",
            instruction="make the header blue\n\nthank you 💙\r\n",
            interrupt=InterruptPolicy.THREAD,
            origin=origin,
        )

        [submitted] = await scene.submit(new)

        found = await other.job("a")
        assert found == submitted
        assert (found.instruction, found.origin) == (new.instruction, origin)
        assert (found.desk, found.thread, found.interrupt) == (AMELIA, "header", new.interrupt)
        assert found.state is JobState.QUEUED
        assert (found.send, found.attempt, found.outcomes) == (1, 0, 0)
        assert found.submitted_at == clock.now()

    async def test_submitting_an_id_again_changes_nothing(self, scene: Scene, other: Scene) -> None:
        [first] = await scene.submit(a_job("a"))
        cursor = await scene.backend.latest_cursor()

        scene.clock.jump(timedelta(minutes=1))
        [again] = await other.submit(a_job("a", thread="another", interrupt=InterruptPolicy.DESK))

        assert again == first
        assert await scene.job("a") == first
        assert (await scene.backend.desk(AMELIA)).pending == 1
        assert await scene.backend.latest_cursor() == cursor

    async def test_submitting_an_ended_job_again_does_not_start_it_again(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.done(claim)

        [again] = await scene.submit(a_job("a"))

        assert again.state is JobState.SUCCEEDED
        assert await scene.release(claim)

    async def test_one_id_twice_in_a_batch_is_one_job(self, scene: Scene) -> None:
        submitted = await scene.submit(a_job("a"), a_job("a"))

        assert ids(submitted) == ["a", "a"]
        assert (await scene.backend.desk(AMELIA)).pending == 1

    async def test_a_known_id_is_refused_for_another_desk(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA))

        with pytest.raises(Rejected):
            await scene.submit(a_job("a", SCOTT))

        assert (await scene.job("a")).desk == AMELIA

    async def test_a_batch_with_one_refused_job_leaves_nothing_behind(self, scene: Scene) -> None:
        await scene.submit(a_job("a", AMELIA))
        cursor = await scene.backend.latest_cursor()

        with pytest.raises(Rejected):
            await scene.submit(a_job("b", SCOTT), a_job("a", SCOTT))

        with pytest.raises(NotFound):
            await scene.job("b")
        assert await scene.backend.latest_cursor() == cursor
        assert await scene.claim("w1") is not None
        assert await scene.claim("w2") is None

    async def test_jobs_are_handed_over_in_the_order_of_their_announcement(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("c"), a_job("a", thread="footer"))
        await other.submit(a_job("d"))
        await scene.submit(a_job("b", thread="footer"), a_job("e"))
        assert ids(await scene.backend.queue(AMELIA)) == ["c", "a", "d", "b", "e"]

        claim = await other.claimed("w1")
        handed_over = [await other.done(claim) for _ in range(5)]

        assert handed_over == ["c", "a", "d", "b", "e"]

    async def test_the_jobs_of_one_desk_do_not_wait_for_those_of_another(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a", AMELIA), a_job("b", SCOTT))
        amelia = await scene.claimed("w1", AMELIA)
        await scene.handed(amelia, "a")

        scott = await scene.claimed("w2", SCOTT)

        await scene.handed(scott, "b")

    async def test_desks_are_told_apart_by_project_and_by_user(self, scene: Scene) -> None:
        desks = [
            Desk("shop", "ann"),
            Desk("shop", "ben"),
            Desk("blog", "ann"),
            Desk("shop-", "ann"),
        ]

        await scene.submit(*(a_job(f"job-{n}", desk) for n, desk in enumerate(desks)))

        claims = [await scene.claim(f"w{n}") for n in range(4)]
        assert {claim.desk for claim in claims if claim is not None} == set(desks)

    async def test_a_place_in_the_queue_counts_the_jobs_handed_over_before(
        self, scene: Scene
    ) -> None:
        jobs = await scene.submit(a_job("a"), a_job("b"), a_job("c"))
        await scene.submit(a_job("other", SCOTT))

        assert [await scene.backend.position(job) for job in jobs] == [0, 1, 2]

        claim = await scene.claimed("w1")
        await scene.done(claim)
        assert await scene.backend.position(jobs[2]) == 1

    async def test_a_free_worker_that_waits_is_woken_by_a_job(
        self, scene: Scene, other: Scene
    ) -> None:
        await other.register("w1")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.claim("w1", wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await scene.submit(a_job("a"))

        assert await other.claim("w1") is not None

    async def test_an_owner_that_waits_is_woken_by_a_job(self, scene: Scene, other: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await other.claimed("w1")
        await other.done(claim)

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.next_job(claim, wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await scene.submit(a_job("b"))

        await other.handed(claim, "b")
