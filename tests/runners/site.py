"""A desk at work for tests: its clone, its attempt, and where commands after it run."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hotdesk.confinement import Confinement
from hotdesk.runners.agent import AgentWalls
from hotdesk.runners.step import StepFailed, StepPlan, StepsStopped
from hotdesk.runners.steps import Steps
from hotdesk.workspaces import Origin, Repository, Workspace, Workspaces
from tests.runners.attempts import DESK, Attempt, attempt
from tests.workspaces.origins import BareOrigin

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "made-up-t0ken"
GRACE = timedelta(seconds=2)


@dataclass(kw_only=True)
class Site:
    """A desk at work: its clone, its attempt, and the folder of the steps."""

    root: Path
    data: Path
    attempt: Attempt
    workspaces: Workspaces
    workspace: Workspace
    new_steps: Callable[[], Steps]
    steps: Steps

    @property
    def place(self) -> Path:
        return self.root / "steps/amelia/scott/1"

    def write(self, name: str, text: str = "x") -> None:
        """Let the agent write a file."""
        path = self.workspace.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    async def after(self, *commands: str, **plan: Any) -> StepFailed | StepsStopped | None:  # noqa: ANN401 - the fields of a plan
        self.write("work")
        return await self.steps.after(
            StepPlan(after=commands, **plan),
            self.workspace,
            self.attempt.delivery,
            self.attempt.context,
        )

    async def push(self) -> str:
        await self.workspace.commit("all of it", now=NOW)
        return await self.workspace.push(confirm=self.attempt.confirm)

    async def publish(self, commit: str, **plan: Any) -> None:  # noqa: ANN401 - the fields of a plan
        await self.steps.publish(
            StepPlan(publish_env={"TOKEN": SECRET}, **plan),
            commit,
            self.attempt.delivery,
            self.attempt.context,
            workspace=self.workspace,
        )


@pytest.fixture
def upstream(passable: Path) -> BareOrigin:
    made = BareOrigin.make(passable / "upstream.git")
    made.person_pushes({"index.html": "<h1>hello</h1>\n", ".gitignore": "dist\n"})
    return made


@pytest.fixture
def data() -> Iterator[Path]:
    """Where Hotdesk keeps what is not for agents; not in /tmp, which is theirs anyway."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        Path(name, "secret").write_text("made-up")
        yield Path(name)


@pytest.fixture
async def site(
    passable: Path, data: Path, upstream: BareOrigin, confinement: Confinement
) -> AsyncIterator[Site]:
    workspaces = Workspaces(
        root=passable / "workspaces",
        repositories={"amelia": Repository(origin=Origin.parse(upstream.url))},
    )
    walls = AgentWalls(
        homes=passable / "homes",
        steps=passable / "steps",
        hidden=(data,),
        grace=GRACE,
    )

    def new_steps() -> Steps:
        return Steps(confinement, walls, workspaces, walls.steps)

    async with attempt(passable) as one:
        workspace = await workspaces.open(
            DESK, "t1", 1, job_id="j1", now=NOW, owner_uid=confinement.uid
        )
        yield Site(
            root=passable,
            data=data,
            attempt=one,
            workspaces=workspaces,
            workspace=workspace,
            new_steps=new_steps,
            steps=new_steps(),
        )
