"""The SQLite backend keeps the contract."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.ports import Backend
from hotdesk.testing import BackendContract, FakeClock


class TestSqliteBackend(BackendContract):
    """One file in a folder of its own for each test."""

    @pytest.fixture
    def connect(self, tmp_path: Path, clock: FakeClock) -> Callable[[], Backend]:
        """Open the file once more."""
        return lambda: SqliteBackend(tmp_path / "hotdesk.db", clock)
