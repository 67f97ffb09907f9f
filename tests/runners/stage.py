"""A worker, real git and real processes: what tests of agents play on."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

import hotdesk
from hotdesk import Client, Job
from hotdesk.backends.folder import FolderArchive
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.confinement import find_confinement
from hotdesk.lifecycle import Limits
from hotdesk.ports import Archive, Backend, WorkerCard
from hotdesk.runners.agent import Agent, AgentWalls
from hotdesk.runners.command import CommandRunner
from hotdesk.session import WorkerLimits
from hotdesk.worker import Worker
from hotdesk.workspaces import Confirm, Origin, Repository, Workspaces
from tests.runners.scripted import plain
from tests.workspaces.origins import BareOrigin

SOON = 15.0
Serve = Callable[..., AbstractAsyncContextManager[Client]]
MakeRunner = Callable[..., CommandRunner]


class DistantStore(SqliteBackend):
    """A store that is not asked in an instant, so that who asks may be cancelled meanwhile."""

    async def count(self, name: str, amount: int, *, now: datetime) -> None:
        """Take a moment."""
        await anyio.lowlevel.checkpoint()
        await super().count(name, amount, now=now)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the agents' user can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def origin(folder: Path) -> BareOrigin:
    """A repository with a first commit."""
    made = BareOrigin.make(folder / "origin.git")
    made.person_pushes({"index.html": "<h1>hello</h1>\n"})
    return made


@pytest.fixture
def workspaces(folder: Path, origin: BareOrigin) -> Workspaces:
    """The workspaces of the worker."""
    return Workspaces(
        root=folder / "workspaces",
        repositories={"amelia": Repository(origin=Origin.parse(origin.url))},
    )


@pytest.fixture
def confirm() -> Confirm:
    """The proof of a claim that nobody contests."""

    async def held() -> None:
        return None

    return held


@pytest.fixture
def archive(folder: Path) -> FolderArchive:
    """Where sessions are kept."""
    return FolderArchive(folder / "archive")


@pytest.fixture
def make_runner(folder: Path, workspaces: Workspaces, archive: FolderArchive) -> MakeRunner:
    """Make the runner of one worker."""

    def make(
        agent: Agent, backend: Backend, kept_in: Archive | None = None, shown: tuple[Path, ...] = ()
    ) -> CommandRunner:
        return CommandRunner(
            {"amelia": agent},
            workspaces,
            find_confinement().best,
            AgentWalls(
                homes=folder / "homes",
                steps=folder / "steps",
                hidden=(folder / "hotdesk.db",),
                read_only=shown,
                grace=timedelta(seconds=2),
            ),
            SystemClock(),
            archive=kept_in or archive,
            records=backend,
            tallies=backend,
        )

    return make


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteBackend]:
    """Look into the store of the worker."""
    backend = SqliteBackend(folder / "hotdesk.db", SystemClock())
    yield backend
    await backend.close()


@pytest.fixture
def serve(folder: Path, make_runner: MakeRunner) -> Serve:
    """Run a worker whose agent is given, or a shell script, and give a client."""

    @asynccontextmanager
    async def serve(
        agent: Agent | str,
        limits: WorkerLimits | None = None,
        kept_in: Archive | None = None,
        shown: tuple[Path, ...] = (),
    ) -> AsyncIterator[Client]:
        if isinstance(agent, str):
            agent = plain(agent, env={"COLOUR": "blue"})
        clock = SystemClock()
        path = folder / "hotdesk.db"
        backend = DistantStore(path, clock, limits=Limits(backoff=timedelta(0)))
        runner = make_runner(agent, backend, kept_in, shown)
        worker = Worker(WorkerCard(id="w1", pid=os.getpid()), backend, runner, clock, limits)
        url = f"sqlite:///{path}"
        async with hotdesk.connect(url) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            yield client
            await worker.drain()
        await backend.close()

    return serve


async def logged(client: Client, job: Job, text: str) -> None:
    """Wait until the job's log has *text*."""
    with anyio.fail_after(SOON):
        while text not in "".join(chunk.text for chunk in await client.log(job.id)):
            with suppress(TimeoutError):
                await client.result(job.id, timeout=0.05)
