"""Every statement stays fast with a million desks, because of what it reads."""

import sqlite3
from collections.abc import Iterator

import pytest

from hotdesk.backends.sqlite.file import DatabaseFile
from hotdesk.backends.sqlite.statements import statements
from hotdesk.testing import FakeClock

# Reads a whole table or sorts, and may: why the number of rows stays small.
ALLOWED = {
    "delete_old_events": {"SCAN event": "the first rows of the table, up to the limit"},
    "held_oldest": {
        "SCAN held USING INDEX held_by_age": "the first rows of the index, up to the limit"
    },
    "counts": {
        "SCAN held USING COVERING INDEX held_by_age": "the first rows, up to the limit",
        "SCAN job USING INDEX job_unended": "the first rows, up to the limit",
    },
    "folded": {"USE TEMP B-TREE FOR ORDER BY": "the interrupted jobs of one thread"},
    "owed": {"USE TEMP B-TREE FOR ORDER BY": "the interrupted jobs of one thread"},
    "threads_latest": {
        "USE TEMP B-TREE FOR GROUP BY": "the newest 10,000 jobs",
        "USE TEMP B-TREE FOR ORDER BY": "the newest 10,000 jobs",
    },
    "threads_of_desk": {
        "USE TEMP B-TREE FOR GROUP BY": "the newest 10,000 jobs of the desk",
        "USE TEMP B-TREE FOR ORDER BY": "the newest 10,000 jobs of the desk",
    },
    "owned_desks": {"USE TEMP B-TREE FOR ORDER BY": "as many as there are workers"},
    "jobs_running": {"USE TEMP B-TREE FOR ORDER BY": "as many as there are workers"},
    "workers": {"USE TEMP B-TREE FOR ORDER BY": "as many as there are workers"},
    "free_workers": {"USE TEMP B-TREE FOR ORDER BY": "as many as there are workers"},
}
SMALL = (
    "SCAN worker",
    "SCAN CONSTANT ROW",
    "SCAN (subquery-",
    # Only desks that wait or are held are in these indexes.
    "SCAN desk USING INDEX desk_waiting",
    "SCAN desk USING COVERING INDEX desk_waiting",
    "SCAN desk USING INDEX desk_owned",
    "SCAN desk USING INDEX desk_pinned",
)
# Rows of each table and, for its indexes, rows in all and rows with equal first columns.
MILLION = {
    ("desk", None): "1000000",
    ("desk", "sqlite_autoindex_desk_1"): "1000000 1",
    ("desk", "desk_waiting"): "320 160 80 1",
    ("desk", "desk_owned"): "20 1",
    ("desk", "desk_pinned"): "10 1",
    ("job", None): "10000000",
    ("job", "sqlite_autoindex_job_1"): "10000000 1",
    ("job", "job_pending"): "2000 6 1",
    ("job", "job_folding"): "2000 6 3 1",
    ("job", "job_preempting"): "2000 6 1",
    ("job", "job_interrupted"): "50000 5 2 1",
    ("job", "job_by_desk"): "10000000 10 1",
    ("job", "job_not_succeeded"): "100000 25000 1",
    ("job", "job_unended"): "2000 1",
    ("job", "job_ended"): "10000000 1",
    ("thread", "thread"): "3000000 3 1",
    ("event", None): "50000000",
    ("event", "event_of_job"): "40000000 5",
    ("worker", None): "30",
    ("log", "log"): "50000000 5 1",
    ("outbox", "outbox"): "1000000 1 1",
    ("outbox", "outbox_due"): "10 1",
    ("held", None): "10000",
    ("held", "sqlite_autoindex_held_1"): "10000 1",
    ("held", "held_by_age"): "10000 1 1",
    ("held", "held_by_desk"): "10000 10 1 1",
    ("held", "held_by_thread"): "10000 3 1 1",
    ("tally", "tally"): "1000000 300 1",
    ("tally", "tally_by_age"): "1000000 2000",
    ("figure", None): "2500",
    ("mail", None): "1000000",
    ("mail", "mail_by_age"): "1000000 1",
}


@pytest.fixture(scope="module", params=["as created", "with the statistics of a million desks"])
def file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseFile]:
    path = tmp_path_factory.mktemp("plans") / "hotdesk.db"
    DatabaseFile(path, FakeClock()).close()
    if request.param != "as created":
        connection = sqlite3.connect(path)
        connection.execute("ANALYZE")
        rows = [(*name, stat) for name, stat in MILLION.items()]
        connection.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.close()
    file = DatabaseFile(path, FakeClock())
    yield file
    file.close()


def costly_steps(file: DatabaseFile, name: str) -> set[str]:
    """The steps of a statement that read or sort without bound."""
    plan = [step for step in file.explain(name) if not step.startswith(SMALL)]
    return {step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step}


@pytest.mark.parametrize("name", statements())
def test_a_statement_reads_through_an_index_or_has_a_reason_not_to(
    file: DatabaseFile, name: str
) -> None:
    assert costly_steps(file, name) == set(ALLOWED.get(name, {}))


def test_the_statistics_are_of_indexes_and_tables_that_exist(file: DatabaseFile) -> None:
    connection = sqlite3.connect(file.path)
    query = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'index')"
    existing = {row[0] for row in connection.execute(query)}
    connection.close()

    ours = {name for name in existing if not name.startswith("sqlite_stat")}
    assert {index or table for table, index in MILLION} <= ours
    indexes = {name for name in ours if "_" in name and not name.startswith("sqlite_")}
    assert indexes <= {index for _, index in MILLION}
