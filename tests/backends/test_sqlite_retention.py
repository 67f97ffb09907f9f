"""What a sweep takes out of the file that no verb shows."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.ports import TALLY_KEPT, TALLY_STEP
from hotdesk.testing import FakeClock

pytestmark = pytest.mark.anyio


async def test_a_tally_is_removed_two_days_after_its_step(path: Path) -> None:
    clock = FakeClock()
    store = SqliteBackend(path, clock)
    await store.count("old", 1, now=clock.now())
    clock.jump(TALLY_STEP)
    await store.count("young", 1, now=clock.now())
    clock.jump(TALLY_KEPT)

    await store.sweep(retention=timedelta(days=30), now=clock.now())

    await store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM tally").fetchall() == [("young",)]
    connection.close()
