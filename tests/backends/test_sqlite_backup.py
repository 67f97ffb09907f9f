"""A backup is the store at one moment, however much is written meanwhile."""

import sqlite3
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Desk, NewJob
from hotdesk.errors import StoreError

from .conftest import Start, heard

pytestmark = pytest.mark.anyio


def names_in(folder: Path, pattern: str) -> list[str]:
    """The files of a folder, by pattern."""
    return sorted(each.name for each in folder.glob(pattern))


async def test_a_backup_taken_while_another_process_writes_is_whole(
    store: SqliteBackend, tmp_path: Path, start: Start
) -> None:
    now = SystemClock().now()
    desk = Desk("website", "amelia")
    big = [NewJob(id=f"big-{n}", desk=desk, thread="t", instruction="x" * 5000) for n in range(999)]
    await store.submit(big, now=now)
    writer = start("write")
    assert heard(writer) == "writing"

    await store.back_up(tmp_path / "copy.db")

    assert writer.poll() is None
    copy = SqliteBackend(tmp_path / "copy.db", SystemClock())
    assert copy._file.check() == []
    written = {job.id for job in await copy.queue(Desk("peer", "peer"), limit=1_000_000)}
    assert written == {f"job-{number}" for number in range(len(written))}
    assert len(written) > 0
    assert (await copy.desk(Desk("peer", "peer"))).pending == len(written)
    assert len(await copy.queue(desk, limit=10_000)) == len(big)
    await copy.close()


async def test_a_backup_is_one_file_that_any_sqlite_opens(
    store: SqliteBackend, tmp_path: Path
) -> None:
    await store.back_up(tmp_path / "copy.db")

    connection = sqlite3.connect(tmp_path / "copy.db")
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
    connection.close()
    assert names_in(tmp_path, "copy*") == ["copy.db"]


async def test_a_backup_does_not_overwrite_a_file(store: SqliteBackend, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")

    with pytest.raises(StoreError, match="choose another name"):
        await store.back_up(target)

    assert target.read_text() == "precious"


async def test_a_backup_to_where_nothing_can_be_written_is_refused(
    store: SqliteBackend, tmp_path: Path
) -> None:
    with pytest.raises(StoreError):
        await store.back_up(tmp_path / "missing" / "copy.db")
