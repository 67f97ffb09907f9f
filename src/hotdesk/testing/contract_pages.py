"""The contract of pages: a long list is read to its end, piece by piece."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest

from hotdesk.desks import Desk, Job, JobState, Outcome
from hotdesk.errors import Rejected
from hotdesk.ports import Page
from hotdesk.testing.scene import AMELIA, SCOTT, Contract, Scene, a_job, ids

T = TypeVar("T")
PAGES_MAX = 20


async def leafed(ask: Callable[..., Awaitable[Page[T]]], limit: int) -> list[T]:
    """Everything that the pages of *limit* hold, to the last one."""
    found: list[T] = []
    before = ""
    for _ in range(PAGES_MAX):
        page = await ask(limit=limit, before=before)
        assert len(page) <= limit
        found += page
        before = page.next
        if not before:
            return found
    raise AssertionError("the pages have no end")


async def fill(scene: Scene) -> None:
    """Jobs of two threads of one desk in every state, and jobs of another one."""
    claim = None
    for name in ("a", "b", "c"):
        await scene.submit(a_job(f"{name}1"), a_job(f"{name}2", thread="footer"), a_job(f"{name}3"))
        claim = claim or await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), Outcome.failed("no"))
        await scene.done(claim)
        await scene.cancel(f"{name}3")
    await scene.submit(*[a_job(f"s{number}", SCOTT) for number in range(3)])
    await scene.submit(*[a_job(f"q{number}", thread="queue") for number in range(3)])


class PagesContract(Contract):
    """Lists that can be long."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_jobs_are_read_to_the_end_once_each_in_pages_of_any_length(
        self, scene: Scene, limit: int
    ) -> None:
        await fill(scene)
        jobs = scene.backend.jobs

        asked: list[Callable[..., Awaitable[Page[Job]]]] = [
            jobs,
            partial(jobs, desk=AMELIA),
            partial(jobs, desk=AMELIA, thread="header"),
            partial(jobs, desk=AMELIA, thread="footer", state=JobState.SUCCEEDED),
            *(partial(jobs, state=state) for state in JobState),
            *(partial(jobs, desk=AMELIA, state=state) for state in JobState),
        ]
        for ask in asked:
            whole = await ask()
            assert whole.next == ""
            assert ids(await leafed(ask, limit)) == ids(whole)

        assert len(await jobs()) == 15
        assert ids(await jobs(state=JobState.CANCELLED)) == ["c3", "b3", "a3"]
        assert ids(await jobs(desk=AMELIA, state=JobState.FAILED)) == ["c1", "b1", "a1"]

    async def test_jobs_that_come_meanwhile_do_not_move_the_pages(self, scene: Scene) -> None:
        await scene.submit(*[a_job(f"j{number}") for number in range(4)])
        first = await scene.backend.jobs(limit=2)
        await scene.submit(a_job("new"), a_job("newer", SCOTT))

        second = await scene.backend.jobs(limit=2, before=first.next)

        assert (ids(first), ids(second), second.next) == (["j3", "j2"], ["j1", "j0"], "")

    async def test_a_page_goes_on_though_the_job_that_ended_it_is_gone(self, scene: Scene) -> None:
        for name in ("a", "b", "c"):
            claim = await scene.ended(name, Outcome.failed("no"))
            await scene.release(claim)
        first = await scene.backend.jobs(state=JobState.FAILED, limit=1)
        await scene.backend.discard("c", now=scene.clock.now())

        second = await scene.backend.jobs(state=JobState.FAILED, before=first.next)

        assert (ids(first), ids(second)) == (["c"], ["b", "a"])

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_threads_are_read_to_the_end_once_each(self, scene: Scene, limit: int) -> None:
        await fill(scene)
        threads = scene.backend.threads

        assert await leafed(threads, limit) == await threads()
        assert [each.thread for each in await leafed(partial(threads, desk=AMELIA), limit)] == [
            "queue",
            "header",
            "footer",
        ]

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_desks_are_read_to_the_end_once_each(self, scene: Scene, limit: int) -> None:
        names = [Desk("website", f"{kind}{number}") for kind in "iowp" for number in range(3)]
        for name, desk in enumerate(names[:6]):
            await scene.submit(a_job(f"{name}", desk))
            claim = await scene.claimed(f"w{name}", desk)
            await scene.done(claim)
            if name < 3:
                await scene.release(claim)
        for desk in names[6:]:
            await scene.submit(a_job(f"of-{desk.user}", desk))
        for desk in names[9:]:
            await scene.pause(desk)

        found = [each.desk for each in await leafed(scene.backend.desks, limit)]

        assert found == [each.desk for each in await scene.backend.desks()]
        assert sorted(found[:3]) == names[3:6]
        assert found[3:9] == names[6:]
        assert sorted(found[9:]) == names[:3]
        waiting = await leafed(partial(scene.backend.desks, waiting=True), limit)
        assert [each.desk for each in waiting] == names[6:]

    @pytest.mark.parametrize("cursor", ["x", "-1", "1;2", "9" * 40, "٣", "1.", "7.1", "' OR 1=1"])
    async def test_a_cursor_that_is_not_one_of_ours_is_rejected(
        self, scene: Scene, cursor: str
    ) -> None:
        await fill(scene)

        for ask in (
            scene.backend.jobs,
            partial(scene.backend.jobs, desk=AMELIA),
            scene.backend.threads,
            partial(scene.backend.threads, desk=AMELIA),
            scene.backend.desks,
            partial(scene.backend.desks, waiting=True),
        ):
            with pytest.raises(Rejected, match="not one of ours"):
                await ask(before=cursor)

    async def test_a_cursor_of_another_list_is_rejected(self, scene: Scene) -> None:
        await fill(scene)
        of_desks = (await scene.backend.desks(limit=1)).next

        assert of_desks
        for ask in (
            scene.backend.jobs,
            scene.backend.threads,
            partial(scene.backend.desks, waiting=True),
        ):
            with pytest.raises(Rejected, match="not one of ours"):
                await ask(before=of_desks)
