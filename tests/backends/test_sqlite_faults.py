"""What the world can do to the file: the right error, and nothing confirmed is lost."""

import itertools
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hotdesk.backends.sqlite import SqliteBackend, file
from hotdesk.desks import Desk, NewJob
from hotdesk.errors import StoreError, Unavailable
from hotdesk.testing import FakeClock

from .conftest import Start, heard

pytestmark = pytest.mark.anyio
DESK = Desk("website", "amelia")
Use = Callable[[SqliteBackend], Awaitable[object]]


def a_job(job_id: str, *, size: int = 10) -> NewJob:
    return NewJob(id=job_id, desk=DESK, thread="t", instruction="x" * size)


def damage(path: Path, *, start: float) -> None:
    """Overwrite the file from a fraction of its size on."""
    content = path.read_bytes()
    kept = int(len(content) * start)
    path.write_bytes(content[:kept] + b"\xa5" * (len(content) - kept))


def damage_text(path: Path) -> None:
    """Overwrite a part of the first instruction."""
    path.write_bytes(path.read_bytes().replace(b"x" * 100, b"x" * 50 + b"\xa5" * 50, 1))


async def submit_until_refused(store: SqliteBackend) -> tuple[int, Unavailable]:
    """Submit one job after another; return how many were confirmed, and what ended it."""
    for number in itertools.count():
        try:
            await store.submit([a_job(f"more-{number}", size=1000)], now=FakeClock().now())
        except Unavailable as error:
            return number, error
    raise AssertionError


class HurriedClock(FakeClock):
    """A clock on which sleeping passes the time at once."""

    async def sleep(self, span: timedelta) -> None:
        self.jump(span)
        await anyio.lowlevel.checkpoint()


@pytest.fixture
def clock() -> FakeClock:
    return HurriedClock()


@pytest.fixture
async def confirmed(path: Path, clock: FakeClock) -> Path:
    """A closed store with a few hundred jobs in it."""
    backend = SqliteBackend(path, clock)
    await backend.submit([a_job(f"job-{n}", size=1000) for n in range(300)], now=clock.now())
    await backend.close()
    return path


def test_a_missing_folder_is_named(tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(StoreError, match="missing does not exist"):
        SqliteBackend(tmp_path / "missing" / "hotdesk.db", clock)


def test_a_folder_in_place_of_the_file_is_refused(path: Path, clock: FakeClock) -> None:
    path.mkdir()

    with pytest.raises(StoreError, match="check its owner and permissions"):
        SqliteBackend(path, clock)


@pytest.mark.parametrize("content", ["a shopping list\n" * 1000, "SQLite format 3"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    path: Path, clock: FakeClock, content: str
) -> None:
    path.write_text(content)

    with pytest.raises(StoreError, match="restore a backup"):
        SqliteBackend(path, clock)

    assert path.read_text() == content


USES: dict[str, Use] = {
    "read": lambda store: store.queue(DESK),
    "write": lambda store: store.submit([a_job("new")], now=FakeClock().now()),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
async def test_damage_inside_the_file_is_told_as_damage(
    confirmed: Path, clock: FakeClock, use: Use
) -> None:
    damage(confirmed, start=0.3)
    store = SqliteBackend(confirmed, clock)

    with pytest.raises(StoreError, match="restore a backup"):
        await use(store)

    await store.close()


async def test_a_text_in_which_bytes_have_changed_is_told_as_damage_and_not_shown(
    confirmed: Path, clock: FakeClock
) -> None:
    damage_text(confirmed)
    store = SqliteBackend(confirmed, clock)

    with pytest.raises(StoreError, match="restore a backup") as caught:
        await store.queue(DESK, limit=1000)

    assert "xxx" not in str(caught.value)
    await store.close()


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
async def test_a_file_that_is_overwritten_while_it_is_open_is_told_as_damage(
    confirmed: Path, clock: FakeClock, use: Use
) -> None:
    store = SqliteBackend(confirmed, clock)
    damage(confirmed, start=0)

    with pytest.raises(StoreError, match="restore a backup"):
        await use(store)

    await store.close()


async def test_the_quick_check_finds_damage(confirmed: Path, clock: FakeClock) -> None:
    store = SqliteBackend(confirmed, clock)
    assert store._file.check() == []
    await store.close()
    damage(confirmed, start=0.9)

    store = SqliteBackend(confirmed, clock)

    assert store._file.check()
    await store.close()


async def test_a_lock_that_is_held_too_long_is_unavailable_and_nothing_was_written(
    confirmed: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "LOCK_WAIT", timedelta(milliseconds=100))
    store = SqliteBackend(confirmed, clock)
    holder = sqlite3.connect(confirmed)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="locked") as caught:
        await store.submit([a_job("new")], now=clock.now())

    assert caught.value.committed is False
    assert len(await store.queue(DESK, limit=1000)) == 300
    holder.close()
    await store.submit([a_job("new")], now=clock.now())
    await store.close()


async def test_a_lock_is_waited_for_while_reading_goes_on(
    confirmed: Path, clock: FakeClock
) -> None:
    store = SqliteBackend(confirmed, FakeClock())
    holder = sqlite3.connect(confirmed)
    holder.execute("BEGIN IMMEDIATE")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: store.submit([a_job("new")], now=clock.now()))
        await anyio.wait_all_tasks_blocked()
        assert len(await store.queue(DESK, limit=1000)) == 300
        holder.close()
        assert isinstance(store._file._clock, FakeClock)
        store._file._clock.jump(timedelta(seconds=1))

    assert len(await store.queue(DESK, limit=1000)) == 301
    await store.close()


async def test_a_full_disk_is_told_and_what_was_confirmed_is_kept(
    confirmed: Path, clock: FakeClock
) -> None:
    store = SqliteBackend(confirmed, clock)
    connection = store._file._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    # SQLite's own bound fails in the same way as a file system without space.
    connection.execute(f"PRAGMA max_page_count = {pages + 5}")

    added, error = await submit_until_refused(store)

    assert "is full: free some space; nothing was lost" in str(error)
    assert error.committed is False
    assert added > 0
    assert len(await store.queue(DESK, limit=1000)) == 300 + added
    assert store._file.check() == []
    connection.execute(f"PRAGMA max_page_count = {pages + 500}")
    await store.submit([a_job(f"more-{added}", size=1000)], now=clock.now())
    await store.close()


async def test_a_write_that_the_system_refuses_leaves_what_was_confirmed(
    confirmed: Path, clock: FakeClock, start: Start
) -> None:
    filler = start("fill", str(1_000_000))

    number, committed = heard(filler).split()

    assert committed in ("False", "None")
    store = SqliteBackend(confirmed, clock)
    jobs = await store.queue(Desk("peer", "peer"), limit=10_000)
    assert len(jobs) >= int(number) > 0
    assert store._file.check() == []
    await store.close()


def test_a_file_that_may_only_be_read_is_refused(start: Start, clock: FakeClock) -> None:
    # Not below tmp_path: whom the peer becomes may not enter there.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hotdesk.db"
        Path(folder).chmod(0o755)
        file.DatabaseFile(path, clock).close()
        path.chmod(0o444)
        Path(folder).chmod(0o555)

        answer = heard(start("read_only", at=path))

        Path(folder).chmod(0o755)
        assert answer.startswith("refused")
        assert "check its owner and permissions" in answer
