"""The file is brought up to date once, as a whole, or refused and left as it is."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend, file
from hotdesk.backends.sqlite.file import APPLICATION_ID, DatabaseFile
from hotdesk.backends.sqlite.statements import migrations
from hotdesk.desks import Delivery, Desk, NewJob, Outcome, Result
from hotdesk.errors import StoreError
from hotdesk.lifecycle import LEASE
from hotdesk.ports import WorkerCard
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


def made_at_schema(path: Path, number: int) -> None:
    """Make a file as a Hotdesk did that knew *number* schemas."""
    connection = sqlite3.connect(path)
    connection.executescript("".join(migrations()[:number]))
    connection.execute(f"PRAGMA user_version = {number}")
    connection.commit()
    connection.close()


# What schema 1 has of a job that came to its end, and of one that waits behind it.
OF_SCHEMA_1 = (
    """INSERT INTO desk (key, generation, pending, last_place, free_since)
    VALUES ('website#amelia', 3, 1, 2, 0)""",
    """INSERT INTO job (id, desk, thread, instruction, interrupt, state, "order", place, attempt,
        submitted_at, started_at, ended_at, worker, generation, result, outcomes, deliveries,
        settled, origin)
    VALUES ('done', 1, 't', 'make it blue', 'desk', 'succeeded', 1, 1, 1, 0, 1, 2, 'w', 3,
        '{"text": "It is blue.", "commit": "", "changes": ["a.css"]}', 1, 1, 1, '')""",
    """INSERT INTO job (id, desk, thread, instruction, interrupt, "order", place, submitted_at,
        origin)
    VALUES ('waits', 1, 't', 'make it red', 'desk', 2, 2, 3, '')""",
)


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


@pytest.mark.anyio
async def test_a_file_of_schema_1_is_migrated_and_its_jobs_go_on(path: Path) -> None:
    made_at_schema(path, 1)
    change(path, *OF_SCHEMA_1)
    clock = FakeClock()

    store = SqliteBackend(path, clock)

    assert (await store.job("done")).result == Result(text="It is blue.", changes=("a.css",))
    await store.register(WorkerCard(id="w1", pid=1), now=clock.now())
    claim = await store.claim("w1", wait=timedelta(0), lease=LEASE, now=clock.now())
    assert claim is not None
    assert claim.generation == 4
    delivery = await store.next_job(claim, wait=timedelta(0), now=clock.now())
    assert isinstance(delivery, Delivery)
    assert delivery.job.id == "waits"
    outcome = Outcome.succeeded(Result(text="It is red.", notes=("a note",), cost_usd=0.5))
    await store.settle(delivery, outcome, and_next=False, now=clock.now())
    assert (await store.job("waits")).result == outcome.result
    new = NewJob(id="new", desk=Desk("website", "scott"), thread="t", instruction="i")
    await store.hold(new, "a guest", now=clock.now())
    assert [each.job for each in await store.held()] == [new]
    await store.close()


def test_a_hotdesk_that_knows_only_schema_1_refuses_a_migrated_file(
    existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = existing.read_bytes()
    older = migrations()[:1]
    monkeypatch.setattr(file, "migrations", lambda: older)

    with pytest.raises(StoreError, match=r"newer Hotdesk \(schema 3, this one knows 1\)"):
        open_and_close(existing)

    assert existing.read_bytes() == before


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
