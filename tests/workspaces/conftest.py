"""What the tests of workspaces start from: a real origin and workspaces of its project."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from hotdesk.desks import Desk
from hotdesk.workspaces import Origin, Repository, Workspace, Workspaces
from tests.workspaces.origins import BareOrigin

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
DESK = Desk("amelia", "scott")
BRANCH = "hotdesk/scott/t1"


async def work(workspace: Workspace, text: str, name: str = "work") -> str:
    """Let the agent write a file, commit it, and return the commit."""
    (workspace.path / name).write_text(text)
    return (await workspace.commit(f"Write {text}", now=NOW)).id


def titles(origin: BareOrigin) -> list[str]:
    """Return the first lines of the messages on the thread's branch, newest first."""
    return [message.partition("\n")[0] for message in origin.messages(BRANCH)]


@pytest.fixture
def origin(tmp_path: Path) -> BareOrigin:
    made = BareOrigin.make(tmp_path / "origin.git")
    made.person_pushes({"README.md": "hello\n", "src/header.css": "red\n"})
    return made


@pytest.fixture
def workspaces(tmp_path: Path, origin: BareOrigin) -> Workspaces:
    return Workspaces(
        root=tmp_path / "root",
        repositories={"amelia": Repository(origin=Origin.parse(origin.url))},
    )


class Opens(Protocol):
    """Opens a workspace of the desk amelia/scott."""

    def __call__(
        self,
        generation: int = 1,
        *,
        job_id: str = "job-1",
        thread: str = "t1",
        owner_uid: int | None = None,
    ) -> Awaitable[Workspace]: ...


@pytest.fixture
def open_workspace(workspaces: Workspaces) -> Opens:
    async def opens(
        generation: int = 1,
        *,
        job_id: str = "job-1",
        thread: str = "t1",
        owner_uid: int | None = None,
    ) -> Workspace:
        return await workspaces.open(
            DESK, thread, generation, job_id=job_id, now=NOW, owner_uid=owner_uid
        )

    return opens


@pytest.fixture
def confirm() -> Callable[[], Awaitable[object]]:
    """Return the proof of a claim that nobody contests."""

    async def held() -> None:
        return None

    return held


@pytest.fixture
def passable() -> Iterator[Path]:
    """Return a folder that every user can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)
