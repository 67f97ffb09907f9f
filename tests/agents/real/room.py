"""A place where the real Claude Code runs by its dialect, within the walls of an agent."""

import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import anyio

from hotdesk.agents.claude import Claude
from hotdesk.agents.dialect import AgentSettings, Began, Report, Said, Sign, Turn, Used
from hotdesk.confinement import Confinement, Walls
from hotdesk.runners.process import Program, ProgramEnd, run_program
from tests.agents.model_api import ModelApi

CLI = Path(__file__).parents[3] / "build/agents/claude/claude_agent_sdk/_bundled/claude"
KEY = "sk-ant-api03-scripted-0123456789"
# What fails is not tried again: that it is, and how long it takes, has tests of its own.
AT_ONCE = MappingProxyType({"CLAUDE_CODE_MAX_RETRIES": "0"})
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of one run."""

    report: Report
    end: ProgramEnd
    signs: list[Sign]

    @property
    def log(self) -> str:
        return "".join(sign.text for sign in self.signs if isinstance(sign, Said))

    @property
    def used(self) -> list[tuple[str, str]]:
        return [(sign.tool, sign.target) for sign in self.signs if isinstance(sign, Used)]

    @property
    def has_begun(self) -> bool:
        return any(isinstance(sign, Began) for sign in self.signs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A workspace and a session, given to the user that the agent runs as."""

    root: Path
    confinement: Confinement
    settings: AgentSettings = field(default_factory=AgentSettings)

    @classmethod
    def make(cls, root: Path, confinement: Confinement, api: ModelApi) -> "Room":
        settings = AgentSettings(program=(str(CLI),), key=KEY, base_url=api.url)
        room = cls(root=root, confinement=confinement, settings=settings)
        for folder in (room.root, room.workspace, room.home, room.session):
            folder.mkdir(exist_ok=True, mode=0o755)
        return room.give()

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def session(self) -> Path:
        return self.home / "session"

    def give(self) -> "Room":
        if (uid := self.confinement.uid) is not None:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)
        return self

    def write(self, name: str, text: str) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.give()
        return path

    def take_over(self, other: "Room", kept: tuple[str, ...] = Claude.kept) -> None:
        """Go on with what is kept of the session of *other*."""
        for name in kept:
            shutil.copytree(other.session / name, self.session / name, dirs_exist_ok=True)
        self.give()

    async def run(
        self,
        prompt: str,
        *,
        stop: Callable[[], Awaitable[object]] = anyio.sleep_forever,
        env: Mapping[str, str] = NONE,
        session_id: str = "",
        guidance: str = "",
        settings: AgentSettings | None = None,
    ) -> Ran:
        """Ask for *prompt* by the dialect; return what came of it."""
        turn = Turn(
            prompt=prompt,
            workspace=self.workspace,
            session=self.session,
            session_id=session_id,
            guidance=guidance,
        )
        dialect = Claude()
        made = dialect.invocation(settings or self.settings, turn)
        reader = dialect.reader(turn)
        signs: list[Sign] = []

        async def started(_: tuple[int, ...]) -> None:
            """Nothing is noted here."""

        async def heard(chunk: bytes) -> None:
            signs.extend(reader.feed(chunk))

        end = await run_program(
            Program(
                argv=made.argv,
                walls=Walls(workspace=self.workspace, home=self.home, read_only=(CLI,)),
                env={**made.env, **env},
                stdin=made.stdin,
                output_bytes_max=1_000_000_000,
            ),
            self.confinement,
            on_start=started,
            on_output=heard,
            stop=stop,
        )
        report = reader.report(exit_code=end.exit_code, was_stopped=end.was_stopped)
        return Ran(report=report, end=end, signs=signs)
