"""What a project says of its agent, and what is the same for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from hotdesk.agents.dialect import AgentSettings, Dialect
from hotdesk.agents.plain import Plain
from hotdesk.agents.prompt import Prompts, standard
from hotdesk.confinement import Limits, Network
from hotdesk.runners.model_proxy import ModelAccess
from hotdesk.runners.step import StepPlan
from hotdesk.workspaces import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The agent of one project.

    ``env`` is all that its environment has beyond the usual and what the dialect needs. One
    run may last ``time_max``, if that is set. ``steps`` is what follows it. ``model`` is what it
    reaches with the network ``model-only``. ``secrets`` are values that nobody may read in
    what it says.
    """

    dialect: Dialect
    settings: AgentSettings
    prompts: Prompts = field(default_factory=standard)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    author: Identity | None = None
    network: Network = Network.OPEN
    model: ModelAccess | None = None
    time_max: timedelta | None = None
    steps: StepPlan = field(default_factory=StepPlan)

    @property
    def is_plain(self) -> bool:
        """Whether it is a program of the user's own, which is given instructions as they are."""
        return isinstance(self.dialect, Plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWalls:
    """What is the same for every agent: see ``confinement.Walls``.

    ``homes`` is a folder for their private homes, one for each generation of a desk, and
    ``steps`` one for the commands that follow them.
    """

    homes: Path
    steps: Path
    hidden: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)
    grace: timedelta = timedelta(seconds=10)
