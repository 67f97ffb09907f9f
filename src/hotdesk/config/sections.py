"""Every setting there is: its name, its bounds, its default and what it means.

Numbers with units exist here and in backends only; the properties make of them what the
engine takes.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self, get_args, get_origin

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from hotdesk.config import values
from hotdesk.config.prices import PricesConfig
from hotdesk.config.project import ProjectConfig
from hotdesk.config.secret import SecretRef
from hotdesk.config.section import Section
from hotdesk.config.values import DAY, WEEK, wrong
from hotdesk.config.web import WebConfig
from hotdesk.desks import InterruptPolicy
from hotdesk.errors import Rejected
from hotdesk.lifecycle import Limits
from hotdesk.placement import PinnedDesk, PoolLimits
from hotdesk.session import WorkerLimits

Key = tuple[str, ...]

CHOSEN = "NAME"  # Stands in a key for a name that the user chooses.


class PinnedConfig(Section):
    """A desk with a worker of its own: one of ``pool.pinned``."""

    desk: values.DeskName = Field(
        description="The desk, as project/user, that a worker of its own serves.",
        examples=["amelia/scott"],
    )
    always_on: bool = Field(
        default=True, description="Keep that worker running; false starts it with the first job."
    )


class PoolConfig(Section):
    """How many workers there are."""

    min_workers: values.Whole = Field(
        2, ge=0, le=256, description="Workers that are kept warm; 0 starts them on demand."
    )
    max_workers: values.Whole = Field(
        4, ge=0, le=256, description="The most workers at once, not counting pinned ones."
    )
    idle_seconds: values.Whole = Field(
        600, ge=1, le=WEEK, description="How long a worker beyond the minimum stays without work."
    )
    pinned: tuple[PinnedConfig, ...] = Field(
        (),
        description="Desks with a worker of their own.",
        examples=[[{"desk": "amelia/scott", "always_on": True}]],
    )

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.min_workers > self.max_workers:
            raise wrong(
                f"min_workers is {self.min_workers}, more than max_workers, {self.max_workers}",
                is_hidden=True,
            )
        return self

    @property
    def limits(self) -> PoolLimits:
        """The same for the pool."""
        return PoolLimits(
            workers_min=self.min_workers,
            workers_max=self.max_workers,
            idle=timedelta(seconds=self.idle_seconds),
            pinned=tuple(PinnedDesk(desk=p.desk, is_always_on=p.always_on) for p in self.pinned),
        )


class WorkerConfig(Section):
    """How a worker serves a desk."""

    lease_seconds: values.Whole = Field(
        90, ge=15, le=3600, description="How long a claim lasts; it is renewed three times in it."
    )
    linger_seconds: values.Whole = Field(
        300, ge=0, le=DAY, description="How long a worker stays with an idle desk."
    )
    session_max_seconds: values.Whole = Field(
        1800,
        ge=1,
        le=WEEK,
        description="After this a worker leaves a busy desk if others wait and none is free.",
    )
    job_time_seconds: values.Whole = Field(
        14_400, ge=1, le=WEEK, description="The most time for one attempt."
    )
    grace_seconds: values.Whole = Field(
        30, ge=1, le=3600, description="How long an attempt may take to stop when interrupted."
    )
    idle_exit_seconds: values.Whole | None = Field(
        None,
        ge=1,
        le=WEEK,
        description="A worker that is no part of a pool ends after so long without a desk.",
        examples=[900],
    )
    handler: values.Function | None = Field(
        None,
        description="Serve this Python function instead of projects.",
        examples=["module:function"],
    )

    @property
    def limits(self) -> WorkerLimits:
        """The same for a worker."""
        return WorkerLimits(
            lease=timedelta(seconds=self.lease_seconds),
            linger=timedelta(seconds=self.linger_seconds),
            session_max=timedelta(seconds=self.session_max_seconds),
            job_time=timedelta(seconds=self.job_time_seconds),
            grace=timedelta(seconds=self.grace_seconds),
            idle_exit=None
            if self.idle_exit_seconds is None
            else timedelta(seconds=self.idle_exit_seconds),
        )


class LimitsConfig(Section):
    """The bounds of a job, and how long it is kept."""

    attempts_max: values.Whole = Field(
        3, ge=1, le=1000, description="Attempts that may fail before a job is dead."
    )
    preemptions_max: values.Whole = Field(
        3, ge=0, le=1000, description="After so many, only a job's own thread preempts it."
    )
    given_back_max: values.Whole = Field(
        10, ge=0, le=1000, description="How often an attempt is given back without counting."
    )
    backoff_seconds: values.Number = Field(
        2.0, ge=0, le=3600, description="The wait after a failed attempt; it doubles each time."
    )
    backoff_max_seconds: values.Number = Field(
        60.0, ge=0, le=3600, description="The longest such wait."
    )
    retention_days: values.Whole = Field(
        30, ge=1, le=36_500, description="How long ended jobs and their logs are kept."
    )

    @property
    def limits(self) -> Limits:
        """The same for the rules."""
        return Limits(
            attempts_max=self.attempts_max,
            preemptions_max=self.preemptions_max,
            given_back_max=self.given_back_max,
            backoff=timedelta(seconds=self.backoff_seconds),
            backoff_max=timedelta(seconds=self.backoff_max_seconds),
        )

    @property
    def retention(self) -> timedelta:
        """How long an ended job is kept."""
        return timedelta(days=self.retention_days)


class ConfinementConfig(Section):
    """What an agent may see and use."""

    mode: Literal["auto", "bubblewrap", "namespaces", "groups"] = Field(
        "auto", description="auto means bubblewrap; a weaker mode is used only when named here."
    )
    read_only: tuple[values.Folder, ...] = Field(
        (),
        description="Folders to show to agents although they lie in a home: tools, interpreters.",
        examples=[["~/.local/bin"]],
    )
    hidden: tuple[values.Folder, ...] = Field(
        (),
        description="More to hide from agents, beyond homes, /run and Hotdesk's own files.",
        examples=[["/srv/other"]],
    )
    disk_max_bytes: values.Whole = Field(
        20 << 30,
        ge=1_000_000,
        le=1 << 50,
        description="The most that one agent's workspace and home may take on the disk.",
    )


class RelayConfig(Section):
    """The mail server that takes the answers."""

    host: str = Field(min_length=1, description="Its name.", examples=["smtp.example.org"])
    port: values.Whole = Field(587, ge=1, le=values.PORT_MAX, description="Its port.")
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="How the connection is encrypted; none for a relay on this machine."
    )
    username: str = Field(
        "", description="Whom to log in as; empty for nobody.", examples=["hotdesk"]
    )
    password: values.Secret | None = Field(
        None,
        description="Where the password is: env:NAME or file:/path.",
        examples=["env:RELAY_PASSWORD"],
    )

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if bool(self.username) != (self.password is not None):
            raise wrong("username and password belong together", is_hidden=True)
        return self


class MailConfig(Section):
    """Mail in and out; without this table there is none."""

    domain: values.Domain = Field(
        description="Mail to project+user@domain is an instruction for that desk.",
        examples=["desk.example.org"],
    )
    key: values.Secret = Field(
        description="Where the key is that signs the addresses of threads, 16 bytes or more.",
        examples=["env:MAIL_KEY"],
    )
    listen: values.Endpoint = Field("127.0.0.1:2525", description="Where mail is taken.")
    protocol: Literal["smtp", "lmtp"] = Field(
        "smtp", description="What is spoken there; lmtp behind Postfix."
    )
    size_max_bytes: values.Whole = Field(
        25_000_000, ge=10_000, le=1_000_000_000, description="The largest mail that is taken."
    )
    proof: Literal["dmarc", "relay", "none"] = Field(
        "dmarc",
        description="What proves a sender: DMARC, looked up here; the findings of a relay that "
        "takes the mail first; or nothing, where nobody else can reach the port.",
    )
    relay_name: str = Field(
        "",
        description="The name under which that relay writes its findings (Authentication-Results).",
        examples=["mx.example.org"],
    )
    connections_max: values.Whole = Field(50, ge=1, le=10_000, description="Connections at once.")
    relay: RelayConfig | None = None

    @model_validator(mode="after")
    def _names_its_relay(self) -> Self:
        if self.proof == "relay" and not self.relay_name:
            raise wrong('proof = "relay" needs relay_name', is_hidden=True)
        return self


class Config(Section):
    """Everything that can be set."""

    backend: values.BackendUrl = Field(
        "sqlite:///hotdesk.db", description="Where desks and jobs are kept."
    )
    data_dir: values.Folder = Field(
        Path("hotdesk-data"), description="The folder of workspaces, attachments and raw mail."
    )
    pool: PoolConfig = PoolConfig()
    worker: WorkerConfig = WorkerConfig()
    limits: LimitsConfig = LimitsConfig()
    confinement: ConfinementConfig = ConfinementConfig()
    web: WebConfig = WebConfig()
    prices: PricesConfig = PricesConfig()
    mail: MailConfig | None = None
    projects: values.ByProject[ProjectConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.projects and self.worker.handler is not None:
            raise wrong("worker.handler and projects exclude each other", is_hidden=True)
        if self.mail is not None and not self.projects:
            raise wrong("mail is for projects, and there is none", is_hidden=True)
        for pin in self.pool.pinned:
            if self.projects and pin.desk.project not in self.projects:
                raise wrong(
                    f"pool.pinned names {pin.desk}, and there is no project {pin.desk.project}",
                    is_hidden=True,
                )
        return self

    def policy_of(self, project: str) -> InterruptPolicy:
        """What a new job of *project* may interrupt, unless it says otherwise."""
        found = self.projects.get(project)
        return InterruptPolicy.DESK if found is None else found.interrupt

    def secret_files(self) -> Iterator[Path]:
        """The files that hold secrets."""
        for _, value in leaves(self):
            if isinstance(value, SecretRef) and (file := value.file):
                yield file

    def check_project(self, project: str) -> None:
        """Refuse a project that is not configured, where any is.

        Raises:
            Rejected: The message names those that are.
        """
        if self.projects and project not in self.projects:
            known = ", ".join(sorted(self.projects))
            raise Rejected(f"there is no project {project!r} here; configured: {known}")


def leaves(value: object, at: Key = ()) -> Iterator[tuple[Key, object]]:
    """Yield every value of a section with its key."""
    if isinstance(value, Section):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*at, name))
    else:
        yield at, value


def settings(section: type[Section] = Config, at: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield every setting with its key, in which ``NAME`` stands for a name to choose."""
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is None:
            yield (*at, name), field
        else:
            is_chosen = get_origin(field.annotation) is dict
            yield from settings(inner, (*at, name, CHOSEN) if is_chosen else (*at, name))


def section_of(annotation: object) -> type[Section] | None:
    """Return the table that *annotation* is about, if it is about one."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(section_of, get_args(annotation))), None)
