"""A place where the real Codex runs by its dialect, within the walls of an agent."""

import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from hotdesk.agents.codex import Codex
from hotdesk.agents.dialect import AgentSettings, Report, Said, Sign, Turn, Used
from hotdesk.confinement import Confinement, Walls
from hotdesk.runners.guidance import guidance
from hotdesk.runners.process import Program, run_program
from tests.presets.model_api import Model

SETUP = Path(__file__).parents[3] / "build/agents/codex"
CLI = SETUP / "codex_cli_bin/bin/codex"
KEY = "scripted-key-0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of one run."""

    report: Report
    signs: list[Sign]

    @property
    def log(self) -> str:
        return "".join(sign.text for sign in self.signs if isinstance(sign, Said))

    @property
    def used(self) -> list[tuple[str, str]]:
        return [(sign.tool, sign.target) for sign in self.signs if isinstance(sign, Used)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A workspace and a session, given to the user that the agent runs as."""

    root: Path
    confinement: Confinement

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def session(self) -> Path:
        return self.home / "session"

    def write(self, name: str, text: str) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def take_over(self, other: "Room") -> None:
        """Go on with what is kept of the session of *other*."""
        for name in Codex.kept:
            shutil.copytree(other.session / name, self.session / name)

    async def run(
        self,
        prompt: str,
        model: Model,
        *,
        stop: Callable[[], Awaitable[object]] = anyio.sleep_forever,
        session_id: str = "",
    ) -> Ran:
        """Ask for *prompt* by the dialect; return what came of it."""
        for folder in (self.workspace, self.session):
            folder.mkdir(parents=True, exist_ok=True)
        if (uid := self.confinement.uid) is not None:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
        settings = AgentSettings(program=(str(CLI),), model="m1", key=KEY, base_url=model.url)
        turn = Turn(
            prompt=prompt,
            workspace=self.workspace,
            session=self.session,
            session_id=session_id,
            guidance=guidance(self.workspace, Codex.guidance_files),
        )
        made = Codex().invocation(settings, turn)
        reader = Codex().reader(turn)
        signs: list[Sign] = []

        async def started(_: tuple[int, ...]) -> None:
            """Nothing is noted here."""

        async def heard(chunk: bytes) -> None:
            signs.extend(reader.feed(chunk))

        end = await run_program(
            Program(
                argv=made.argv,
                walls=Walls(workspace=self.workspace, home=self.home, read_only=(SETUP,)),
                env=made.env,
                stdin=made.stdin,
            ),
            self.confinement,
            on_start=started,
            on_output=heard,
            stop=stop,
        )
        report = reader.report(exit_code=end.exit_code, was_stopped=end.was_stopped)
        return Ran(report=report, signs=signs)
