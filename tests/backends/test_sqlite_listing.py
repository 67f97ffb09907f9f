"""A page looks through so many rows, and goes on where it stopped."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend, listing
from hotdesk.desks import Desk, JobState, Outcome
from hotdesk.testing import FakeClock
from hotdesk.testing.contract_pages import leafed
from hotdesk.testing.scene import AMELIA, SCOTT, Scene, a_job, ids

pytestmark = pytest.mark.anyio

NUMBER = 7


@pytest.fixture
async def scene(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A store in which a page looks through three rows."""
    monkeypatch.setattr(listing, "LOOKED_THROUGH_MAX", 3)
    clock = FakeClock()
    backend = SqliteBackend(path, clock)
    yield Scene(backend, clock)
    await backend.close()


async def test_a_thread_is_read_to_its_end_behind_pages_that_are_short(scene: Scene) -> None:
    await scene.submit(a_job("first", thread="rare"))
    await scene.submit(*[a_job(f"j{number}") for number in range(NUMBER)])
    jobs = partial(scene.backend.jobs, desk=AMELIA, thread="rare")

    page = await jobs()

    assert page == []
    assert page.next
    assert ids(await leafed(jobs, 2)) == ["first"]


async def test_successes_are_read_to_their_end_behind_jobs_that_are_none(scene: Scene) -> None:
    claim = await scene.ended("done", Outcome.succeeded())
    await scene.release(claim)
    await scene.submit(*[a_job(f"j{number}", SCOTT) for number in range(NUMBER)])
    jobs = partial(scene.backend.jobs, state=JobState.SUCCEEDED)

    page = await jobs()

    assert page == []
    assert page.next
    assert ids(await leafed(jobs, 2)) == ["done"]


async def test_idle_desks_are_read_to_their_end_behind_those_that_wait(scene: Scene) -> None:
    idle, *waiting = (Desk("website", f"d{number}") for number in range(NUMBER))
    await scene.submit(a_job("done", idle))
    claim = await scene.claimed("w1", idle)
    await scene.done(claim)
    await scene.release(claim)
    await scene.submit(*[a_job(f"of-{desk.user}", desk) for desk in waiting])

    found = await leafed(scene.backend.desks, 3)

    assert [each.desk for each in found] == [*waiting, idle]
