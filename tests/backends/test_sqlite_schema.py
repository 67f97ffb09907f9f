"""The file is brought up to date once, as a whole, or refused and left as it is."""

import sqlite3
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import file
from hotdesk.backends.sqlite.file import APPLICATION_ID, DatabaseFile
from hotdesk.backends.sqlite.statements import migrations
from hotdesk.errors import StoreError
from hotdesk.testing import FakeClock

from .conftest import Start, heard, tell

KNOWN = len(migrations())
NEXT = """
-- A comment; with a semicolon.
ALTER TABLE job ADD COLUMN mood TEXT NOT NULL DEFAULT 'good; really';
CREATE TRIGGER cheer_up AFTER INSERT ON job BEGIN
    UPDATE job SET mood = 'better' WHERE seq = new.seq;
END;
"""


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What another program reads in the file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def change(path: Path, *statements: str) -> None:
    """Let another program change the file."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def open_and_close(path: Path) -> int:
    """Open the file as Hotdesk; return its schema."""
    opened = DatabaseFile(path, FakeClock())
    schema = opened.schema
    opened.close()
    return schema


@pytest.fixture
def existing(path: Path) -> Path:
    """A file of this version with a desk in it."""
    open_and_close(path)
    change(path, "INSERT INTO desk (key, generation) VALUES ('website#amelia', 7)")
    return path


def test_a_missing_file_is_created_with_the_newest_schema_and_our_mark(path: Path) -> None:
    assert open_and_close(path) == KNOWN

    assert rows(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_an_older_file_is_brought_up_to_date_and_keeps_what_is_in_it(
    existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "migrations", lambda: (*migrations(), NEXT))

    assert open_and_close(existing) == KNOWN + 1
    assert open_and_close(existing) == KNOWN + 1

    assert rows(existing, "SELECT key, generation FROM desk") == [("website#amelia", 7)]
    change(
        existing,
        """INSERT INTO job (id, desk, thread, instruction, interrupt, "order", place,
        submitted_at, origin) VALUES ('a', 1, 't', 'i', 'never', 1, 1, 0, '')""",
    )
    assert rows(existing, "SELECT mood FROM job") == [("better",)]


def test_a_migration_that_fails_changes_nothing(
    existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(existing, "SELECT * FROM sqlite_schema")
    broken = NEXT + "ALTER TABLE nothing ADD COLUMN at_all TEXT;"
    monkeypatch.setattr(file, "migrations", lambda: (*migrations(), broken))

    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        open_and_close(existing)

    assert rows(existing, "SELECT * FROM sqlite_schema") == before
    assert rows(existing, "PRAGMA user_version") == [(KNOWN,)]


def test_a_newer_file_that_says_we_cannot_read_it_is_refused_with_the_way_out(
    existing: Path,
) -> None:
    change(
        existing,
        "PRAGMA user_version = 99",
        "UPDATE meta SET value = '99' WHERE key = 'compatible_with'",
    )
    before = existing.read_bytes()

    with pytest.raises(StoreError, match=r"newer Hotdesk.*schema 99.*upgrade"):
        open_and_close(existing)

    assert existing.read_bytes() == before


def test_a_newer_file_that_says_we_can_read_it_is_opened_and_stays_newer(existing: Path) -> None:
    change(
        existing,
        "PRAGMA user_version = 99",
        "UPDATE meta SET value = '1' WHERE key = 'compatible_with'",
    )

    assert open_and_close(existing) == 99

    assert rows(existing, "PRAGMA user_version") == [(99,)]


def test_the_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    change(path, "CREATE TABLE bookmark (url TEXT)", "INSERT INTO bookmark VALUES ('x')")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="another program"):
        open_and_close(path)

    assert path.read_bytes() == before


def test_an_empty_file_becomes_ours(path: Path) -> None:
    path.touch()

    assert open_and_close(path) == KNOWN


def test_processes_that_create_the_file_at_the_same_moment_share_it(
    path: Path, start: Start
) -> None:
    racers = [start("create", f"job-{number}") for number in range(6)]
    assert {heard(racer) for racer in racers} == {"ready"}

    for racer in racers:
        tell(racer)

    assert {heard(racer) for racer in racers} == {"done"}
    assert rows(path, "SELECT count(*) FROM job") == [(6,)]
    assert rows(path, "SELECT count(*), pending, last_place FROM desk") == [(1, 6, 6)]
