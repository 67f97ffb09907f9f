"""One command after the agent: what it gets, and how it may end. Nothing is run here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from hotdesk.agents.prompt import Failure
from hotdesk.confinement import Network
from hotdesk.runners.tail import last_lines

COMMAND_LENGTH_MAX = 200
Kind = Literal["after", "publish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command for ``/bin/sh``, the ``number``-th of ``count``.

    ``secrets`` are values of ``env`` that nobody may read in its output.
    """

    kind: Kind
    number: int
    count: int
    command: str
    time: timedelta
    network: Network
    env: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def title(self) -> str:
        """A line that says which one it is."""
        return f"{self.kind} {self.number}/{self.count}: {shown(self.command)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """The commands of a project; the times are for each of them.

    ``env`` is given to all of them, ``after_env`` to those of ``after`` and ``publish_env`` to
    those of ``publish``. ``secrets`` are what nobody may read in their output: values of
    ``after_env``, and the agent's own, which it may have left where they print them; all of
    ``publish_env`` are. ``network`` is that of ``after``, which gets none unless it is open;
    ``publish`` always has it.
    """

    after: tuple[str, ...] = ()
    after_time: timedelta = timedelta(minutes=15)
    after_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    publish: tuple[str, ...] = ()
    publish_time: timedelta = timedelta(minutes=15)
    publish_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    network: Network = Network.OPEN
    fix_attempts: int = 0

    @property
    def steps_after(self) -> list[Step]:
        """What must succeed on the work of the agent."""
        # The model is the agent's alone: without it nothing is left of "model-only".
        network = Network.OPEN if self.network is Network.OPEN else Network.NONE
        return [
            Step(
                kind="after",
                number=number,
                count=len(self.after),
                command=command,
                time=self.after_time,
                network=network,
                env={**self.env, **self.after_env},
                secrets=self.secrets,
            )
            for number, command in enumerate(self.after, start=1)
        ]

    @property
    def steps_publish(self) -> list[Step]:
        """What makes a finished job visible, with its secrets."""
        return [
            Step(
                kind="publish",
                number=number,
                count=len(self.publish),
                command=command,
                time=self.publish_time,
                network=Network.OPEN,
                env={**self.env, **self.publish_env},
                secrets=(*self.secrets, *self.publish_env.values()),
            )
            for number, command in enumerate(self.publish, start=1)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """A command did not succeed; ``number`` is its place, from 1.

    ``tail`` are its last lines, fit to be shown. ``exceeded`` is the time limit that ended it.
    """

    command: str
    number: int
    exit_code: int
    tail: str
    exceeded: timedelta | None = None

    @property
    def reason(self) -> str:
        """What happened, in words for the user."""
        return self._with(self.tail)

    @property
    def brief(self) -> str:
        """The same with fewer lines, so that a mail has room for more than this."""
        return self._with(last_lines(self.tail.encode(), lines_max=10, length_max=1000))

    @property
    def told(self) -> Failure:
        """What happened, as the agent is told of it."""
        end = f"exit status {self.exit_code}"
        if self.exceeded is not None:
            end = f"not finished within {self.exceeded.total_seconds():g} s"
        return Failure(command=self.command, end=end, lines=self.tail)

    def _with(self, tail: str) -> str:
        how = f"failed (exit status {self.exit_code})"
        if self.exceeded is not None:
            how = f"was not finished within {self.exceeded.total_seconds():g} s"
        return f"{shown(self.command)} {how}" + (f":\n{tail}" if tail else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsStopped:
    """An interrupt came, and the commands were not run to their end."""


def shown(command: str) -> str:
    """Return a command as one line of bounded length."""
    line = " ".join(command.split())
    return line if len(line) <= COMMAND_LENGTH_MAX else line[:COMMAND_LENGTH_MAX] + "…"
