"""What the file does for its speed and its peace: few commits, and none for nothing."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.backends.sqlite.file import to_us
from hotdesk.desks import Delivery, InterruptPolicy
from hotdesk.lifecycle import ACTIVE_TTL, HEARTBEAT
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA, MOMENT, Scene, a_job

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def scene(path: Path, clock: FakeClock) -> AsyncIterator[Scene]:
    """The store of this test."""
    store = SqliteBackend(path, clock)
    yield Scene(store, clock)
    await store.close()


class Watcher:
    """Another program that sees each commit to the file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._seen = self._version()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def saw_a_commit(self) -> bool:
        """Whether something was committed since the last question."""
        before, self._seen = self._seen, self._version()
        return before != self._seen

    def value(self, query: str) -> object:
        """The only value of a query."""
        return self._connection.execute(query).fetchone()[0]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
async def watcher(path: Path, scene: Scene) -> AsyncIterator[Watcher]:
    """A watcher of the store of this test."""
    watcher = Watcher(path)
    yield watcher
    watcher.close()


async def test_a_settled_job_and_the_next_one_share_a_commit(
    scene: Scene, path: Path, watcher: Watcher
) -> None:
    await scene.submit(a_job("a"), a_job("b"))
    delivery = await scene.handed(await scene.claimed("w1"))
    assert isinstance(scene.backend, SqliteBackend)
    before = scene.backend._file._commits

    following = await scene.settle(delivery, and_next=True)

    assert isinstance(following, Delivery)
    assert following.job.id == "b"
    assert scene.backend._file._commits == before + 1


async def test_jobs_dropped_between_a_settled_one_and_the_next_are_pending_no_more(
    scene: Scene,
) -> None:
    folding = InterruptPolicy.THREAD
    await scene.submit(a_job("a"))
    delivery = await scene.handed(await scene.claimed("w1"))
    await scene.submit(
        *(a_job(each, thread="footer", interrupt=folding) for each in ("b", "c", "d"))
    )

    following = await scene.settle(delivery, and_next=True)

    assert following is not None
    assert following.job.id == "d"
    assert (await scene.backend.desk(AMELIA)).pending == 1


async def test_a_batch_of_jobs_is_one_commit(scene: Scene) -> None:
    assert isinstance(scene.backend, SqliteBackend)
    before = scene.backend._file._commits

    await scene.submit(*(a_job(f"job-{number}") for number in range(100)))

    assert scene.backend._file._commits == before + 1


async def test_a_worker_that_asks_in_vain_disturbs_nobody(scene: Scene, watcher: Watcher) -> None:
    await scene.register("w1")
    watcher.saw_a_commit()

    for _ in range(10):
        assert await scene.claim("w1") is None
        scene.clock.jump(timedelta(seconds=1))
    assert not watcher.saw_a_commit()

    # But now and then it says that it lives.
    scene.clock.jump(HEARTBEAT + MOMENT)
    assert await scene.claim("w1") is None
    assert watcher.saw_a_commit()


async def test_looking_at_records_disturbs_nobody(scene: Scene, watcher: Watcher) -> None:
    await scene.submit(a_job("a"))
    watcher.saw_a_commit()

    await scene.backend.jobs()
    await scene.backend.desks()
    await scene.backend.threads()
    await scene.backend.workers()
    await scene.due()

    assert not watcher.saw_a_commit()


async def test_the_record_of_a_running_job_lives_two_hours_from_its_last_heartbeat(
    scene: Scene, clock: FakeClock, watcher: Watcher
) -> None:
    query = "SELECT active_expires FROM desk"
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    delivery = await scene.handed(claim)
    assert watcher.value(query) == to_us(clock.now() + ACTIVE_TTL)

    clock.jump(HEARTBEAT)
    await scene.beat(claim, delivery)
    assert watcher.value(query) == to_us(clock.now() + ACTIVE_TTL)

    await scene.settle(delivery)
    assert watcher.value(query) is None
