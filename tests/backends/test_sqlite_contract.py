"""The SQLite backend keeps the contract."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.backends.sqlite.bell import SocketBell
from hotdesk.ports import Backend
from hotdesk.testing import BackendContract, FakeClock


class PatientBell(SocketBell):
    """A bell whose waiters do not look by themselves, so that every ring is needed."""

    poll = timedelta(hours=1)


class TestSqliteBackend(BackendContract):
    """One file in a folder of its own for each test."""

    @pytest.fixture
    def connect(self, path: Path, clock: FakeClock) -> Callable[[], Backend]:
        """Open the file once more."""
        return lambda: SqliteBackend(path, clock, bell=PatientBell(path))
