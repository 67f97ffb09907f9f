"""The real Claude Code, a scripted model, and rooms for the two to meet."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotdesk.confinement import Confinement
from tests.agents.model_api import ModelApi
from tests.agents.real.room import CLI, Room
from tests.missing import is_missing
from tests.runners.attempts import confinement, passable

__all__ = ["confinement", "passable"]

MakeRoom = Callable[[], Room]


@pytest.fixture(autouse=True)
def cli() -> Path:
    """The program; without it these tests say what to do."""
    if not CLI.with_name("claude").is_file() or not (CLI.parents[2] / "ready").is_file():
        is_missing("Claude Code", remedy="`make test-agents` sets it up")
    return CLI


@pytest.fixture
def api() -> Iterator[ModelApi]:
    """A model that does what the test tells it; anything else fails the test."""
    with ModelApi().serve() as served:
        yield served


@pytest.fixture
def make_room(passable: Path, confinement: Confinement, api: ModelApi) -> MakeRoom:
    """Make a room with a path of its own."""
    count = iter(range(100))

    def make() -> Room:
        return Room.make(passable / f"room-{next(count)}", confinement, api)

    return make


@pytest.fixture
def room(make_room: MakeRoom) -> Room:
    """One room."""
    return make_room()
