"""No page reads a whole table: what each asks SQLite is explained on a file of 20,000 rows."""

from pathlib import Path

import pytest

from benchmarks.large import fill, make
from benchmarks.pages import costly, measure, urls

pytestmark = pytest.mark.anyio
ROWS, OK = 20_000, 200


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "hotdesk.db"
    await make(path)
    fill(path, ROWS)
    return path


async def test_every_page_is_answered_without_reading_a_whole_table(path: Path) -> None:
    pages = await measure(path, ROWS, repeats=1)

    assert [page.url for page in pages if page.status == OK] == urls(ROWS)
    assert {page.url: page.costly for page in pages if page.costly} == {}
    # What was asked was seen, or there was nothing to explain.
    assert [page.url for page in pages if not page.statements] == []


async def test_a_query_that_reads_a_whole_table_is_told_of(path: Path) -> None:
    asked = [
        "SELECT * FROM job WHERE instruction = 'x'",
        "SELECT count(*) FROM event WHERE kind = 'JobEnded'",
        "SELECT desk FROM job ORDER BY desk",
        "SELECT * FROM held ORDER BY held_at",
        "SELECT * FROM held INDEXED BY held_by_age WHERE thread = 't' ORDER BY held_at LIMIT 7",
        "SELECT * FROM job WHERE seq < 7",
        "SELECT * FROM event ORDER BY cursor DESC LIMIT 7",
        "SELECT * FROM held ORDER BY held_at, job LIMIT 7",
    ]

    assert [costly(path, [each])[:1] for each in asked] == [
        ["SCAN job"],
        ["SCAN event"],
        ["SCAN job USING COVERING INDEX job_by_desk"],
        ["SCAN held USING INDEX held_by_age"],
        ["SCAN held USING INDEX held_by_age"],
        [],
        [],
        [],
    ]
