"""One project: its repository, its agent, what runs after it, and who may write."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from hotdesk.config import values
from hotdesk.config.section import Section
from hotdesk.config.values import DAY, WEEK, understood, wrong
from hotdesk.desks import InterruptPolicy
from hotdesk.mail.sender import AllowedSenders
from hotdesk.workspaces import Identity


class ProjectLimits(Section):
    """How much one job of a project may use, and how much its senders may ask for."""

    turns: values.Whole | None = Field(
        None, ge=1, le=10_000, description="The most turns of the agent in one run.", examples=[50]
    )
    budget_usd: values.Number | None = Field(
        None, gt=0, le=100_000, description="What one run of the agent may cost.", examples=[2.5]
    )
    agent_seconds: values.Whole | None = Field(
        None,
        ge=1,
        le=WEEK,
        description="The most time for one run of the agent.",
        examples=[3600],
    )
    jobs_per_hour: values.Whole | None = Field(
        None, ge=1, le=1_000_000, description="The most jobs by mail in an hour.", examples=[60]
    )
    sender_jobs_per_hour: values.Whole | None = Field(
        None, ge=1, le=1_000_000, description="The same for one sender.", examples=[20]
    )
    usd_per_day: values.Number | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="What agents may cost in a day; no job after that.",
        examples=[50],
    )
    sender_usd_per_day: values.Number | None = Field(
        None, gt=0, le=1_000_000, description="The same for the jobs of one sender.", examples=[10]
    )

    @property
    def agent_time(self) -> timedelta | None:
        """The most time for one run of the agent."""
        return None if self.agent_seconds is None else timedelta(seconds=self.agent_seconds)


class ProjectConfig(Section):
    """One project: its repository, its agent, and who may write."""

    repo: values.Repo = Field(
        min_length=1,
        description="The repository: a URL or a path, without a password.",
        examples=["https://git.example.org/amelia.git"],
    )
    agent: Literal["claude", "codex", "opencode", "gemini", "aider"] | None = Field(
        None,
        description="The coding agent; without it, command is a program of your own.",
        examples=["claude"],
    )
    command: tuple[str, ...] = Field(
        (),
        description="The program and its arguments; with agent, what to start instead of its name.",
        examples=[["./agent.sh"]],
    )
    model: str = Field(
        "", description="The model; empty for the agent's own choice.", examples=["sonnet"]
    )
    key: values.Secret | None = Field(
        None,
        description="Where the key for the model is.",
        examples=["env:ANTHROPIC_API_KEY"],
    )
    base_url: str = Field(
        "",
        description="Where the model is; empty for the agent's own choice.",
        examples=["https://api.example.org"],
    )
    network: Literal["open", "model-only", "none"] = Field(
        "open", description="What an agent can reach: everything, its model, or nothing."
    )
    prompts: values.Folder | None = Field(
        None,
        description="A folder with prompts of your own.",
        examples=["prompts"],
    )
    base: str = Field(
        "", description="The branch that threads start from; empty for the repository's own."
    )
    token: values.Secret | None = Field(
        None,
        description="Where the access token of an https repository is.",
        examples=["env:AMELIA_TOKEN"],
    )
    env: values.Variables = Field(
        default_factory=dict,
        description="What the agent's environment has beyond PATH, HOME and LANG; the commands "
        "after it have what is no secret of it.",
        examples=[{"NODE_ENV": "development"}],
    )
    after: tuple[str, ...] = Field(
        (),
        description="Commands that must succeed on what the agent committed.",
        examples=[["npm ci", "npm run build"]],
    )
    after_seconds: values.Whole = Field(
        900, ge=1, le=DAY, description="The most time for each of them."
    )
    after_network: Literal["open", "none"] | None = Field(
        None,
        description="What they can reach; open only where the agent's network is, unless it is "
        "set: what the agent wrote runs in them.",
        examples=["open"],
    )
    after_env: values.Variables = Field(
        default_factory=dict,
        description="What only their environment has.",
        examples=[{"NPM_TOKEN": "env:NPM_TOKEN"}],
    )
    fix_attempts: values.Whole = Field(
        0, ge=0, le=3, description="How often the agent may mend what such a command refused."
    )
    publish: tuple[str, ...] = Field(
        (),
        description="Commands that make a finished job visible, with secrets of their own.",
        examples=[["deploy-site dist"]],
    )
    publish_seconds: values.Whole = Field(
        900, ge=1, le=DAY, description="The most time for each of them."
    )
    publish_env: values.Variables = Field(
        default_factory=dict,
        description="What only the environment of publish has.",
        examples=[{"DEPLOY_TOKEN": "env:DEPLOY_TOKEN"}],
    )
    users: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Whose mail is taken for which user: addresses or domains.",
        examples=[{"scott": ["scott@example.org"]}],
    )
    maintainers: tuple[str, ...] = Field(
        (),
        description="Whose mail is taken for every user: addresses or domains.",
        examples=[["anna@example.org"]],
    )
    guests: tuple[str, ...] = Field(
        (),
        description="Whose mail waits until an operator approves it: addresses or domains.",
        examples=[["*@example.com"]],
    )
    unproven: Literal["refuse", "hold"] = Field(
        "refuse",
        description="What becomes of mail whose sender is not proved; hold lets it wait "
        "until an operator approves it.",
    )
    limits: ProjectLimits = ProjectLimits()
    interrupt: InterruptPolicy = Field(
        InterruptPolicy.DESK, description="What a new job may interrupt: desk, thread or never."
    )
    preview: values.Preview | None = Field(
        None,
        description="A link for the answer, with {branch}, {project}, {user} or {thread} in it.",
        examples=["https://{branch}.preview.example.org"],
    )
    show_cost: bool = Field(default=False, description="Say in the answer what the agent cost.")
    author: values.Author = Field(
        "Hotdesk <hotdesk@localhost>", description="Who makes the commits."
    )

    @model_validator(mode="after")
    def _has_an_agent(self) -> Self:
        if self.agent is None and not self.command:
            raise wrong("either agent or command is needed", is_hidden=True)
        return self

    @model_validator(mode="after")
    def _senders_are_readable(self) -> Self:
        understood(_senders_of)(self)
        return self

    @property
    def senders(self) -> AllowedSenders:
        """The same for the mail intake."""
        return _senders_of(self)

    @property
    def identity(self) -> Identity:
        """The author, for git."""
        match = values.AUTHOR.fullmatch(self.author)
        assert match is not None, "checked when it was read"
        return Identity(name=match["name"], email=match["email"])

    @property
    def prompts_folder(self) -> Path | None:
        """The folder with the user's own prompts."""
        return None if self.prompts is None else self.prompts.absolute()


def _senders_of(project: ProjectConfig) -> AllowedSenders:
    return AllowedSenders.parse(
        project.users, maintainers=project.maintainers, guests=project.guests
    )
