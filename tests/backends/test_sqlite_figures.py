"""How events become figures in a file: in bounded spans, each of them once, for a week."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend, backend, figuring
from hotdesk.backends.sqlite.file import DatabaseFile, to_us
from hotdesk.desks import JobState
from hotdesk.events import DeskPaused
from hotdesk.ports import FIGURES_KEPT, TALLY_STEP
from hotdesk.testing import FakeClock

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hotdesk.db"


@pytest.fixture
def file(path: Path, clock: FakeClock) -> Iterator[DatabaseFile]:
    file = DatabaseFile(path, clock)
    yield file
    file.close()


def add_ends(path: Path, clock: FakeClock, number: int) -> None:
    """Let *number* jobs have ended now."""
    connection = sqlite3.connect(path)
    ended = ("JobEnded", "website#a", "j", '{"state": "succeeded"}', to_us(clock.now()))
    connection.executemany(
        "INSERT INTO event (kind, desk, job, generation, details, at) VALUES (?, ?, ?, 1, ?, ?)",
        [ended] * number,
    )
    connection.commit()
    connection.close()


def steps(path: Path) -> list[str]:
    """What is kept."""
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT counts FROM figure ORDER BY step")]
    connection.close()
    return found


async def test_what_two_have_read_is_added_once(
    file: DatabaseFile, path: Path, clock: FakeClock
) -> None:
    add_ends(path, clock, 3)
    first, second = file.read(figuring.uncounted), file.read(figuring.uncounted)

    added = [
        (await file.write(partial(figuring.count, found=found), now=clock.now()))[0]
        for found in (first, second)
    ]

    assert added == [True, False]
    assert steps(path) == ['{"succeeded": 3}']


async def test_a_trend_says_that_not_everything_is_counted_yet(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figuring, "SPAN", 10)
    monkeypatch.setattr(backend, "COUNT_BATCHES", 2)
    store = SqliteBackend(path, clock)
    add_ends(path, clock, 35)

    seen = []
    for _ in range(3):
        found = await store.trend(since=clock.now() - HOUR)
        seen.append((sum(each.outcomes() for each in found.steps), found.is_complete))
        await store.sweep(retention=None, now=clock.now())

    await store.close()
    assert seen == [(10, False), (30, False), (35, True)]
    assert steps(path) == ['{"succeeded": 35}']


async def test_a_gap_that_retention_has_left_is_passed_at_once(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figuring, "SPAN", 10)
    store = SqliteBackend(path, clock)
    add_ends(path, clock, 500)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM event WHERE cursor <= 495")
    connection.commit()
    connection.close()

    found = await store.trend(since=clock.now() - HOUR)

    await store.close()
    assert [(each.ended, each.at.minute) for each in found.steps] == [({JobState.SUCCEEDED: 5}, 0)]
    assert found.is_complete


async def test_a_step_is_removed_when_it_is_too_old(path: Path, clock: FakeClock) -> None:
    store = SqliteBackend(path, clock)
    for number in (1, 2):
        add_ends(path, clock, number)
        await store.sweep(retention=None, now=clock.now())
        clock.jump(FIGURES_KEPT / 2)
    clock.jump(TALLY_STEP)
    add_ends(path, clock, 3)

    await store.sweep(retention=None, now=clock.now())

    await store.close()
    assert steps(path) == ['{"succeeded": 2}', '{"succeeded": 3}']


async def test_a_sweep_with_nothing_to_count_writes_nothing(path: Path, clock: FakeClock) -> None:
    store, other = SqliteBackend(path, clock), DatabaseFile(path, clock)
    await store.record([DeskPaused(desk="website#a")], now=clock.now())
    mark = other.others_mark()

    await store.sweep(retention=None, now=clock.now())

    assert other.others_mark() == mark
    other.close()
    await store.close()
