"""The projects of a configuration become agents, workspaces and the walls around them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from hotdesk.agents.dialect import AgentSettings, Dialect
from hotdesk.agents.known import KNOWN
from hotdesk.agents.plain import Plain
from hotdesk.agents.prompt import Prompts, standard
from hotdesk.backends.address import database_path, files_of, is_stack
from hotdesk.backends.aws.address import stack_of
from hotdesk.backends.folder import FolderArchive
from hotdesk.clock import SystemClock
from hotdesk.config import Config, ProjectConfig, SecretRef
from hotdesk.config.environment import variables
from hotdesk.confinement import (
    Confinement,
    Findings,
    Limits,
    Mode,
    Network,
    find_confinement,
)
from hotdesk.errors import ConfigError, Rejected
from hotdesk.ports import Archive, Backend
from hotdesk.runners.agent import Agent, AgentWalls
from hotdesk.runners.command import CommandRunner
from hotdesk.runners.model_proxy import ModelAccess
from hotdesk.runners.step import StepPlan
from hotdesk.wiring.extras import import_aws
from hotdesk.wiring.uids import own_uid
from hotdesk.workspaces import Git, Origin, Repository, Workspaces

TOKEN_USER = "x-access-token"  # noqa: S105 - the name that goes with a token; hosts take any
# What git may know of the machine: how to reach origins and to log in there.
GIT_VARIABLES = "SSH_AUTH_SOCK HTTPS_PROXY https_proxy NO_PROXY no_proxy".split()
# A program has one after SIGINT and one after SIGTERM; the third is for reading what it did.
GRACE_SHARES = 3


@contextmanager
def open_archive(config: Config) -> Iterator[Archive]:
    """Where workers keep what must outlive their machine: the stack's bucket, or a folder.

    Raises:
        ConfigError: boto3 is not installed.
        StoreError: AWS is not set up on this machine.
    """
    if not is_stack(config.backend):
        yield folder_archive(config)
        return
    region, stack = stack_of(config.backend)
    bucket, calls = import_aws("bucket"), import_aws("calls").Calls(region)
    try:
        yield bucket.Bucket(calls, stack)
    finally:
        calls.close()


def folder_archive(config: Config) -> FolderArchive:
    """The archive of the workers of one disk."""
    return FolderArchive(config.data_dir.absolute() / "archive")


@contextmanager
def open_agents(config: Config, backend: Backend) -> Iterator[CommandRunner]:
    """Make the runner of one worker; as root its programs run as a user of their own.

    Raises:
        ConfigError: The confinement does not work here, a secret is not there, or a prompt
            cannot be used.
    """
    confinement = confinement_of(config)
    walls = AgentWalls(
        homes=config.data_dir.absolute() / "homes",
        steps=config.data_dir.absolute() / "steps",
        hidden=tuple(hidden_files(config)),
        read_only=tuple(path.absolute() for path in config.confinement.read_only),
        limits=Limits(disk_bytes=config.confinement.disk_max_bytes),
        grace=config.worker.limits.grace / GRACE_SHARES,
    )
    agents = agents_of(config)
    _make_data_dir(config)
    with own_uid(confinement, config.data_dir) as own, open_archive(config) as archive:
        workspaces = workspaces_of(config, archive if is_stack(config.backend) else None)
        yield CommandRunner(
            agents,
            workspaces,
            own,
            walls,
            SystemClock(),
            archive=archive,
            records=backend,
            tallies=backend,
        )


def confinement_of(config: Config, findings: Findings | None = None) -> Confinement:
    """The confinement that is configured, out of what this machine offers.

    Raises:
        ConfigError: It does not work here, or none was chosen and the best is not here.
    """
    findings = findings or find_confinement()
    wanted = config.confinement.mode
    if wanted != "auto":
        return findings.of(Mode(wanted))
    if findings.best.mode is Mode.BUBBLEWRAP:
        return findings.best
    reason = next(each.reason for each in findings.refused if each.mode is Mode.BUBBLEWRAP)
    raise ConfigError(
        "confinement.mode",
        f"agents cannot be confined by bubblewrap here: {reason}",
        f"install bubblewrap, or choose a weaker mode, which lets agents read other files: "
        f'mode = "{findings.best.mode}"',
    )


def workspaces_of(config: Config, archive: Archive | None = None) -> Workspaces:
    """The workspaces of every project; *archive* is for a disk that does not last.

    Raises:
        ConfigError: The token of a repository is not there.
    """
    return Workspaces(
        root=config.data_dir.absolute() / "workspaces",
        repositories={
            name: Repository(origin=origin_of(name, project), base=project.base)
            for name, project in config.projects.items()
        },
        git=git_here(),
        archive=archive,
    )


def git_here() -> Git:
    """The git of this machine, which reaches origins as everything else here does."""
    return Git(
        environment={each: variables()[each] for each in GIT_VARIABLES if each in variables()}
    )


def origin_of(name: str, project: ProjectConfig) -> Origin:
    """The repository of the project *name*, with its token if it has one.

    Raises:
        ConfigError: The token is not there, or has no place in this address.
    """
    is_path = "://" not in project.repo and ":" not in project.repo.partition("/")[0]
    url = str(Path(project.repo).expanduser().absolute()) if is_path else project.repo
    if project.token is None:
        return Origin.parse(url)
    key, parts = f"projects.{name}.token", urlsplit(url)
    if parts.scheme != "https":
        raise ConfigError(key, "is only for a repository at https://", "leave it out")
    user, _, host = parts.netloc.rpartition("@")
    try:
        secret = quote(project.token.read(), safe="")
    except ConfigError as error:
        raise ConfigError(key, f"{error.key}: {error.problem}", error.hint) from None
    return Origin.parse(parts._replace(netloc=f"{user or TOKEN_USER}:{secret}@{host}").geturl())


def agents_of(config: Config) -> dict[str, Agent]:
    """The agents by the name of their project, with their secrets read.

    Raises:
        ConfigError: A secret is not there, a prompt cannot be used, or nobody says where the
            model is that alone should be reached.
    """
    return {name: _agent(name, project) for name, project in config.projects.items()}


def _agent(name: str, project: ProjectConfig) -> Agent:
    dialect = Plain(project.command[0]) if project.agent is None else KNOWN[project.agent]()
    settings = AgentSettings(
        program=project.command,
        model=project.model,
        turns_max=project.limits.turns,
        budget_usd=project.limits.budget_usd,
        key="" if project.key is None else project.key.read(),
        base_url=project.base_url,
    )
    network = Network(project.network)
    if network is Network.NONE and project.agent is not None:
        raise ConfigError(
            f"projects.{name}.network",
            f"with none, {project.agent} cannot reach its model",
            'set it to "model-only"',
        )
    env = _read(project.env)
    after_env = _read(project.after_env)
    own = _secret(project.env)
    secrets = (settings.key, *(env[name] for name in own))
    prompts = standard()
    if folder := project.prompts_folder:
        prompts = Prompts.load(folder, key=f"projects.{name}.prompts")
    return Agent(
        dialect=dialect,
        settings=settings,
        prompts=prompts,
        env=env,
        secrets=secrets,
        author=project.identity,
        network=network,
        model=_model(name, dialect, settings) if network is Network.MODEL_ONLY else None,
        time_max=project.limits.agent_time,
        steps=StepPlan(
            after=project.after,
            after_time=timedelta(seconds=project.after_seconds),
            publish=project.publish,
            publish_time=timedelta(seconds=project.publish_seconds),
            publish_env=_read(project.publish_env),
            # The agent's secrets are its own; what was written by it runs here, and has a network.
            env={name: value for name, value in env.items() if name not in own},
            after_env=after_env,
            secrets=(*secrets, *(after_env[name] for name in _secret(project.after_env))),
            network=Network(project.after_network or network),
            fix_attempts=project.fix_attempts,
        ),
    )


def _model(name: str, dialect: Dialect, settings: AgentSettings) -> ModelAccess:
    key = f"projects.{name}.base_url"
    url = settings.base_url or dialect.model_url
    if not url:
        raise ConfigError(key, "is needed for network = model-only", "say where the model is")
    try:
        return ModelAccess(url=url, key=settings.key)
    except Rejected as error:
        # It says itself whether it means the address or the key.
        raise ConfigError(f"projects.{name}", str(error)) from error


def _secret(variables: Mapping[str, str | SecretRef]) -> list[str]:
    """The names of those that stand for secrets."""
    return [name for name, value in variables.items() if isinstance(value, SecretRef)]


def _read(variables: Mapping[str, str | SecretRef]) -> dict[str, str]:
    return {
        name: value.read() if isinstance(value, SecretRef) else value
        for name, value in variables.items()
    }


def hidden_files(config: Config) -> Iterator[Path]:
    """Hotdesk's own files, and those that hold secrets."""
    yield config.data_dir.absolute()
    if not is_stack(config.backend):
        yield from files_of(database_path(config.backend).absolute())
    yield from (path.absolute() for path in config.confinement.hidden)
    yield from config.secret_files()


def _make_data_dir(config: Config) -> None:
    try:
        # Others may pass through, because agents may run as another user, but not list it.
        config.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("data_dir", f"{config.data_dir} cannot be made: {error}") from error
