"""What every coding agent has in common: it is asked something, tells of it, and ends.

A dialect is what differs from one program to the next: its command line, where it keeps a
conversation, and how its output is read. A dialect only reads and writes values, but for
``remembers`` and ``reader``, which may look into a folder; all that comes from the program is
hostile.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What a project says of its agent.

    ``program`` replaces the name that the dialect would start, with arguments before its own.
    ``key`` and ``base_url`` are for the model's API; behind a proxy they are the proxy's.
    """

    program: tuple[str, ...] = ()
    model: str = ""
    turns_max: int | None = None
    budget_usd: float | None = None
    key: str = field(default="", repr=False)
    base_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One run of an agent: what it is asked, and what it goes on from.

    ``session`` is the folder that outlives the run; ``session_id`` names a conversation in it
    that is resumed, and is empty for a new one. ``guidance`` is what the repository tells
    agents in the files that the dialect names, read by us, and handed over as text.
    """

    prompt: str
    workspace: Path
    session: Path
    session_id: str = ""
    guidance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How a run is started. ``env`` is added to an environment that is made from nothing."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something for the job's log, with its line break: words, or output that says nothing else."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """The agent is at work. ``session_id`` is the conversation, so that it can be resumed."""

    session_id: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The agent used a tool. ``target`` is the file, relative to the workspace, if it has one."""

    tool: str
    target: str = ""


Sign = Said | Began | Used
"""What the output of an agent tells."""


class ProblemKind(StrEnum):
    """Why a run came to nothing, for whoever decides what follows."""

    LOGIN = "login"  # The key is missing or refused: an operator must act.
    RATE_LIMIT = "rate_limit"  # Too much was asked of the model: it passes.
    API = "api"  # The model did not answer, or broke off: it may pass.
    REFUSAL = "refusal"  # The model does not want to: asking again is useless.
    DENIED = "denied"  # A tool that it needed was not permitted.
    TURNS = "turns"  # It used up its turns.
    BUDGET = "budget"  # It used up its budget.
    PROMPT = "prompt"  # What it was asked is too long for the model.
    INVALID = "invalid"  # The API takes no request that holds what the conversation does.
    VERSION = "version"  # It does not know an option that it is given: too old, most often.
    BROKEN = "broken"  # It ended without a word on how, or with an error of its own.


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What kept an agent from doing it. ``reason`` ends with the next step for who reads it."""

    kind: ProblemKind
    reason: str

    @property
    def is_given_back(self) -> bool:
        """Whether the attempt never had a chance, and may be repeated without being counted."""
        return self.kind is ProblemKind.RATE_LIMIT

    @property
    def is_retryable(self) -> bool:
        """Whether the same may work later."""
        return self.kind in (ProblemKind.RATE_LIMIT, ProblemKind.API, ProblemKind.BROKEN)

    @property
    def ends_conversation(self) -> bool:
        """Whether whatever is asked next in the same conversation would meet it again."""
        return self.kind in (ProblemKind.PROMPT, ProblemKind.INVALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one run: what the program says, not what its exit code does.

    ``text`` is the answer for the user. ``problem`` is ``None`` for a success. Tokens are
    counted with those that were read from a cache; ``cost_usd`` is ``None`` where the program
    does not say it.
    """

    text: str = ""
    problem: Problem | None = None
    session_id: str = ""
    turns: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None


class Reader(Protocol):
    """Reads the output of one run as it comes."""

    @property
    def has_ended(self) -> bool:
        """Whether the program has said what came of it, and has not gone on to work since.

        It may live on for some reason, but is no longer waited for. Never true of a program
        that has no word for its end.
        """
        ...

    def feed(self, chunk: bytes) -> Iterator[Sign]:
        """Take the next piece, cut anywhere, and yield what is complete. Never raises."""
        ...

    def report(self, *, exit_code: int, was_stopped: bool) -> Report:
        """Say what came of it, once the program has ended. Never raises."""
        ...


class Dialect(Protocol):
    """One kind of agent."""

    @property
    def name(self) -> str:
        """The word for it in a configuration."""
        ...

    @property
    def program(self) -> str:
        """What is started, where the project names no program of its own."""
        ...

    @property
    def guidance_files(self) -> tuple[str, ...]:
        """Files of a repository that tell this agent how to work; the first one found counts."""
        ...

    @property
    def kept(self) -> tuple[str, ...]:
        """The folders of the session directory that outlive a run; nothing else of it does.

        What an agent left elsewhere in it (settings, hooks) must not meet the next run. Empty
        keeps everything.
        """
        ...

    @property
    def model_url(self) -> str:
        """Where its model is, if neither the project nor its user says it; empty if unknown."""
        ...

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """How *turn* is started."""
        ...

    def reader(self, turn: Turn) -> Reader:
        """Make what reads the run of *turn*, before it begins; it may look into its session.

        What a program says of a conversation that is resumed may count from its beginning.
        """
        ...

    def remembers(self, session: Path, session_id: str, mark: str) -> bool:
        """Whether the conversation *session_id* is in *session* and holds the text *mark*.

        With an empty *mark*: whether it is there at all. Follows no link, reads a bounded
        number of bytes, and never raises.
        """
        ...
