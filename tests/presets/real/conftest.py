"""The real Codex, and rooms for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hotdesk.confinement import Confinement
from tests.missing import is_missing
from tests.presets.real.room import CLI, SETUP, Room
from tests.runners.attempts import confinement, passable

__all__ = ["confinement", "passable"]

MakeRoom = Callable[[], Room]


@pytest.fixture(autouse=True)
def cli() -> Path:
    """The program; without it these tests say what to do."""
    if not CLI.is_file() or not (SETUP / "ready").is_file():
        is_missing("Codex", remedy="`make test-agents` sets it up")
    return CLI


@pytest.fixture
def make_room(passable: Path, confinement: Confinement) -> MakeRoom:
    """Make a room with a path of its own."""
    count = iter(range(100))

    def make() -> Room:
        room = Room(root=passable / f"room-{next(count)}", confinement=confinement)
        room.workspace.mkdir(parents=True)
        return room

    return make


@pytest.fixture
def room(make_room: MakeRoom) -> Room:
    """One room."""
    return make_room()
