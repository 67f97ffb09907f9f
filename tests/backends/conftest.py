"""A store on a temporary file, and processes beside the test that use it as well."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable

import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock

pytest.register_assert_rewrite("hotdesk.testing")

PEER = Path(__file__).with_name("peer.py")
Start = Callable[..., Popen[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of this test is."""
    return tmp_path / "hotdesk.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteBackend]:
    """The store, through a connection of this process."""
    backend = SqliteBackend(path, SystemClock())
    yield backend
    await backend.close()


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Start ``peer.py`` on the store: ``start("hold", "w1")``; killed with the test."""
    with ExitStack() as processes:

        def start(*arguments: str, at: Path = path) -> Popen[str]:
            process = processes.enter_context(
                Popen([executable, PEER, at, *arguments], stdin=PIPE, stdout=PIPE, text=True)
            )
            processes.callback(process.kill)
            return process

        yield start


def heard(process: Popen[str]) -> str:
    """The next line that a peer says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: Popen[str]) -> None:
    """Tell a peer to go on."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
