"""The contract of what people are shown: jobs, desks, workers, threads, logs."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from hotdesk.desks import (
    Claim,
    Desk,
    JobState,
    Outcome,
)
from hotdesk.errors import NotFound
from hotdesk.lifecycle import LEASE
from hotdesk.testing.scene import (
    AMELIA,
    SCOTT,
    TAKEOVER,
    Contract,
    Scene,
    a_job,
    ids,
)


class RecordsContract(Contract):
    """What people are shown."""

    async def test_what_does_not_exist_is_not_found(self, scene: Scene) -> None:
        with pytest.raises(NotFound):
            await scene.job("a")
        with pytest.raises(NotFound):
            await scene.backend.desk(AMELIA)
        assert await scene.backend.queue(AMELIA) == []
        assert await scene.backend.jobs(desk=AMELIA) == []
        assert await scene.backend.threads(desk=AMELIA) == []
        assert await scene.backend.interrupted(AMELIA, "header") == []

    async def test_jobs_are_listed_newest_first_and_by_desk_thread_and_state(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b", SCOTT), a_job("c", thread="footer"), a_job("d"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "a"), Outcome.failed("no"))
        await scene.done(claim)
        await scene.handed(claim, "d")
        jobs = scene.backend.jobs

        assert ids(await jobs()) == ["d", "c", "b", "a"]
        assert ids(await jobs(limit=2)) == ["d", "c"]
        assert ids(await jobs(desk=AMELIA)) == ["d", "c", "a"]
        assert ids(await jobs(desk=AMELIA, thread="header")) == ["d", "a"]
        assert ids(await jobs(desk=AMELIA, state=JobState.SUCCEEDED)) == ["c"]
        assert ids(await jobs(state=JobState.FAILED)) == ["a"]
        assert ids(await jobs(state=JobState.RUNNING)) == ["d"]
        assert ids(await jobs(state=JobState.QUEUED)) == ["b"]
        assert ids(await jobs(state=JobState.SUCCEEDED)) == ["c"]
        assert ids(await jobs(state=JobState.DEAD)) == []

    async def test_a_queue_shows_the_running_job_first_and_no_ended_one(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b"), a_job("c"), a_job("d"))
        claim = await scene.claimed("w1")
        await scene.done(claim)
        await scene.handed(claim, "b")
        await scene.cancel("c")

        assert ids(await scene.backend.queue(AMELIA)) == ["b", "d"]
        assert ids(await scene.backend.queue(AMELIA, limit=1)) == ["b"]

    async def test_desks_with_work_come_before_idle_ones(self, scene: Scene) -> None:
        idle, waiting = Desk("website", "idle"), Desk("website", "waiting")
        await scene.submit(a_job("a", idle))
        await scene.done(claim := await scene.claimed("w1", idle))
        await scene.release(claim)
        await scene.submit(a_job("b", AMELIA))
        await scene.claimed("w1", AMELIA)
        await scene.submit(a_job("c", waiting))
        await scene.submit(a_job("d", SCOTT))

        desks = await scene.backend.desks()

        assert {status.desk for status in desks[:3]} == {AMELIA, waiting, SCOTT}
        assert [status.desk for status in desks[3:]] == [idle]
        assert [each.desk for each in await scene.backend.desks(waiting=True)] == [waiting, SCOTT]
        assert len(await scene.backend.desks(limit=2)) == 2

    async def test_a_desk_that_is_served_is_not_crowded_out_by_those_that_wait(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a", SCOTT))
        await scene.pause(SCOTT)
        await scene.submit(a_job("b", AMELIA))
        await scene.claimed("w1", AMELIA)

        assert [each.desk for each in await scene.backend.desks(limit=1)] == [AMELIA]

    async def test_a_desk_says_who_holds_it_and_what_waits(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        free_since = scene.clock.now()
        scene.clock.jump(timedelta(seconds=1))
        await scene.submit(a_job("b"))
        waiting = await scene.backend.desk(AMELIA)
        assert (waiting.owner, waiting.free_since, waiting.pending) == ("", free_since, 2)

        claim = await scene.claimed("w1")
        await scene.handed(claim)

        held = await scene.backend.desk(AMELIA)
        assert (held.owner, held.generation) == ("w1", claim.generation)
        assert (held.lease_until, held.free_since) == (scene.clock.now() + LEASE, None)
        assert (held.active_job, held.pending) == ("a", 2)
        assert not held.is_paused
        assert not held.is_pinned

    async def test_a_worker_says_what_it_does(self, scene: Scene) -> None:
        started = scene.clock.now()
        await scene.register("pinned", pinned=SCOTT)
        scene.clock.jump(timedelta(seconds=1))
        for name in ("busy", "holding"):
            await scene.register(name)
        scene.clock.jump(timedelta(seconds=1))
        for name in ("draining", "warm"):
            await scene.register(name)
        await scene.drain("draining")
        await scene.submit(a_job("a", AMELIA))
        await scene.handed(await scene.claimed("busy", AMELIA))
        await scene.submit(a_job("b", SCOTT))
        claim = await scene.claimed("holding", SCOTT)
        await scene.done(claim)
        await scene.beat(claim)

        workers = {worker.id: worker for worker in await scene.backend.workers()}

        assert list(workers) == ["pinned", "busy", "holding", "draining", "warm"]
        assert [each.state for each in workers.values()] == [
            "warm",
            "busy",
            "holding",
            "draining",
            "warm",
        ]
        assert (workers["pinned"].pinned, workers["pinned"].started_at) == (SCOTT, started)
        assert (workers["busy"].desk, workers["busy"].job_id) == (AMELIA, "a")
        assert (workers["holding"].desk, workers["holding"].job_id) == (SCOTT, "")
        assert (workers["holding"].jobs_done, workers["warm"].jobs_done) == (1, 0)
        assert workers["warm"].desk is None

    @pytest.mark.parametrize("leave", [Scene.release, Scene.give_way])
    async def test_a_worker_that_left_its_desk_is_free_from_then_on(
        self, scene: Scene, leave: Callable[[Scene, Claim], Awaitable[object]]
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.done(claim)
        assert [worker.free_since for worker in await scene.backend.workers()] == [None]
        scene.clock.jump(timedelta(seconds=1))

        await leave(scene, claim)

        [worker] = await scene.backend.workers()
        assert (worker.state, worker.desk, worker.jobs_done) == ("warm", None, 1)
        assert worker.free_since == worker.seen_at == scene.clock.now()

    async def test_a_worker_whose_lease_lapsed_is_not_shown_at_a_desk(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        await scene.handed(await scene.claimed("w1"))
        scene.clock.jump(TAKEOVER)

        await scene.sweep()

        [worker] = await scene.backend.workers()
        assert worker.desk is None
        assert worker.state != "busy"

    async def test_threads_are_listed_latest_first_with_their_last_job(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b", thread="footer"), a_job("c", SCOTT))
        scene.clock.jump(timedelta(seconds=1))
        await scene.submit(a_job("d"))

        listed = await scene.backend.threads()

        assert [(each.desk, each.thread, each.jobs, each.last_job) for each in listed] == [
            (AMELIA, "header", 2, "d"),
            (SCOTT, "header", 1, "c"),
            (AMELIA, "footer", 1, "b"),
        ]
        assert listed[0].last_at == scene.clock.now()
        of_scott = await scene.backend.threads(desk=SCOTT)
        assert [each.last_job for each in of_scott] == ["c"]
        assert len(await scene.backend.threads(limit=1)) == 1

    async def test_a_log_is_read_in_order_and_resumed_behind_a_chunk(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a"), a_job("b"))
        for attempt, text in [(1, "one\n"), (1, "zwei\n"), (2, "drei 💙\n")]:
            await scene.backend.append_log("a", attempt, text, now=scene.clock.now())
            await other.backend.append_log("b", attempt, "other", now=scene.clock.now())

        chunks = await other.backend.log("a")

        assert [(each.number, each.attempt, each.text) for each in chunks] == [
            (1, 1, "one\n"),
            (2, 1, "zwei\n"),
            (3, 2, "drei 💙\n"),
        ]
        assert chunks[0].at == scene.clock.now()
        assert await scene.backend.log("a", after=1) == chunks[1:]
        assert await scene.backend.log("a", limit=1) == chunks[:1]
        assert await scene.backend.log("nothing") == []
        last = await scene.backend.last_output(["a", "b", "nothing"])
        assert last == {"a": chunks[2], "b": (await scene.backend.log("b"))[2]}
