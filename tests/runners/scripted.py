"""An agent for tests: a shell script that speaks a dialect of its own and remembers prompts.

The program keeps all that it was asked in its session, as the memory of a model would, and then
runs the script of the test. What it writes is read line by line: ``began ID``, ``used TOOL
FILE``, ``cost USD``, ``answer TEXT``, ``problem KIND REASON``, ``ended``; anything else is said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotdesk.agents.dialect import (
    AgentSettings,
    Began,
    Invocation,
    Problem,
    ProblemKind,
    Report,
    Said,
    Sign,
    Turn,
    Used,
)
from hotdesk.agents.plain import Plain
from hotdesk.runners.agent import Agent

# The prompt is remembered before anything is done, as coding agents do.
PROGRAM = """
mkdir -p "$HOTDESK_SESSION_DIR/memory"; touch "$HOTDESK_SESSION_DIR/elsewhere"
id=${RESUME:-$(mktemp -u conversation-XXXXXXXX)}; memory="$HOTDESK_SESSION_DIR/memory/$id"
cat > ~/prompt; cat ~/prompt >> "$memory"; echo "began $id"
asked() { grep -q "$1" ~/prompt; }
remembered() { cat "$memory"; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """``Dialect``: runs *script* after it has taken note of the prompt."""

    script: str
    name: str = "scripted"
    program: str = "sh"
    guidance_files: tuple[str, ...] = ("AGENTS.md", "GUIDE.md")
    kept: tuple[str, ...] = ("memory",)
    model_url: str = ""

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Start it."""
        env = {"RESUME": turn.session_id, "GUIDANCE": turn.guidance}
        env |= {"KEY": settings.key, "URL": settings.base_url}
        return Invocation(
            argv=("sh", "-c", PROGRAM + self.script), env=env, stdin=turn.prompt.encode()
        )

    def reader(self, turn: Turn) -> "ScriptedReader":
        """Read a run."""
        return ScriptedReader()

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Look into the memory."""
        path = session / "memory" / session_id
        return path.is_file() and mark in path.read_text()


class ScriptedReader:
    """Reads its lines."""

    has_ended = False

    def __init__(self) -> None:
        self._rest = b""
        self._session_id = ""
        self._answer: list[str] = []
        self._cost: float | None = None
        self._problem: Problem | None = None

    def feed(self, chunk: bytes) -> Iterator[Sign]:
        """Yield what the lines say."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            match word:
                case "ended":
                    self.has_ended = True
                case "began":
                    self._session_id = rest
                    yield Began(session_id=rest, model="paper")
                case "used":
                    self.has_ended = False
                    tool, _, target = rest.partition(" ")
                    yield Used(tool=tool, target=target)
                case "cost":
                    self._cost = float(rest)
                case "answer":
                    self._answer.append(rest)
                case "problem":
                    kind, _, reason = rest.partition(" ")
                    self._problem = Problem(kind=ProblemKind(kind), reason=reason)
                case _:
                    yield Said(text=f"{line.decode()}\n")

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """Say what it said."""
        problem = self._problem
        if exit_code and not was_stopped and not self.has_ended and problem is None:
            problem = Problem(kind=ProblemKind.BROKEN, reason=f"broken ({exit_code})")
        return Report(
            text="\n".join(self._answer),
            problem=problem,
            session_id=self._session_id,
            turns=1,
            tokens_in=10,
            tokens_out=2,
            cost_usd=self._cost,
        )


def scripted(script: str, **settings: Any) -> Agent:  # noqa: ANN401 - the fields of Agent
    """Make an agent of *script*."""
    return Agent(**{"dialect": Scripted(script=script), "settings": AgentSettings(), **settings})


def plain(script: str, **settings: Any) -> Agent:  # noqa: ANN401 - the fields of Agent
    """Make a program of the user's own, of a shell script."""
    argv = ("sh", "-c", script)
    return Agent(dialect=Plain("sh"), settings=AgentSettings(program=argv), **settings)
