"""A folder in memory: a simulated day should not wait for a real disk."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotdesk.simulation.world import MEMORY


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where there is one."""
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as name:
        yield Path(name)
