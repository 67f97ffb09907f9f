"""What ``doctor`` looks at for the agent of a project: program, login, network, model.

An agent is only asked for its version, within walls and without a network or a key. Its
model is only connected to: nothing is sent to it.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import anyio

from hotdesk.agents import claude
from hotdesk.agents.dialect import Dialect
from hotdesk.agents.known import KNOWN
from hotdesk.agents.output import label, printable
from hotdesk.config import Config, ProjectConfig, SecretRef
from hotdesk.confinement import Confinement, Network, Walls
from hotdesk.confinement.modes import SHELL
from hotdesk.errors import ConfigError
from hotdesk.runners.process import PROGRAM_PATH, Program, ProgramEnd, run_program
from hotdesk.runners.step import shown
from hotdesk.wiring.agents import confinement_of, hidden_files
from hotdesk.wiring.finding import Check, Finding, fail, ok, warn
from hotdesk.wiring.uids import own_uid

VERSION_SECONDS_MAX = 15
CONNECT_SECONDS_MAX = 5
NOT_FOUND = 120  # Not 127: that is also what a program lacks that it needs, node for example.
PORTS = {"http": 80, "https": 443}

# It is looked for first, so that what cannot be found and what cannot run are told apart.
LOOK = f'command -v -- "$1" >&2 || exit {NOT_FOUND}; if [ "$2" ]; then exec "$@"; fi'

BELIEVING = frozenset({"aider", "gemini", "opencode"})
"""Agents that can be led by files of the repository: see their modules."""
LEAST = {"claude": (claude.VERSION_MIN, claude.INSTALL)}
"""The oldest version that an agent was tried with, and what installs a newer one."""
WITHOUT_TURNS = frozenset({"aider", "codex"})
WITHOUT_BUDGET = frozenset({"aider", "codex", "gemini", "opencode"})

# Commands that hardly anybody runs for what is there already.
_FETCHES = re.compile(
    r"(?<![\w./-])(?:(?:npm|pnpm|yarn|bun|pip3?|poetry|bundle|composer) (?:ci|i|install)|uv sync"
    r"|go mod download|cargo fetch|git clone|curl|wget)(?![\w-])(?!.* --offline\b)"
)
_VERSION = re.compile(r"\b(\d{1,9})\.(\d{1,9})\.(\d{1,9})", re.ASCII)
_KEY_NAME = re.compile(r"_(?:KEY|TOKEN)$")


def agent_checks(config: Config, name: str, project: ProjectConfig) -> Iterator[Check]:
    """The checks of the agent of project *name*."""
    dialect = None if project.agent is None else KNOWN[project.agent]()
    if project.after_network is None and Network(project.network) is not Network.OPEN:
        fetching = (each for each in project.after if _FETCHES.search(each))
        yield from (partial(_fetches, name, command) for command in fetching)
    yield partial(_program, config, name, project, dialect)
    if Network(project.network) is not Network.OPEN:
        yield partial(_network, config, name, project)
    if dialect is None:
        return
    yield partial(_login, name, project, dialect)
    if dialect.name in BELIEVING and Network(project.network) is Network.OPEN:
        yield partial(_believes, name, dialect)
    if unknown := _unknown_limits(project, dialect):
        yield partial(_limits, name, dialect, unknown)
    if url := project.base_url or dialect.model_url:
        yield partial(_model, name, project, url)


async def _program(
    config: Config, name: str, project: ProjectConfig, dialect: Dialect | None
) -> Finding:
    path = str(project.env.get("PATH", PROGRAM_PATH))
    argv = project.command or (() if dialect is None else (dialect.program,))
    assert argv, "a project has a command or an agent"
    program = shutil.which(argv[0], path=path)
    key = f"[projects.{name}] command"
    if program is None:
        return fail(
            f"project {name}: there is no program {argv[0]} on {path}",
            f"install it, or write its whole path in {key}",
        )
    confinement = confinement_of(config)
    # A program that we do not know is not run: it may take this for work.
    wanted = argv[:1] if dialect is None else (*argv, "--version")
    end = None
    with anyio.move_on_after(VERSION_SECONDS_MAX), own_uid(confinement, config.data_dir) as own:
        end = await _look(wanted, path, config, own)
    if end is not None and end.exit_code == NOT_FOUND and confinement.hides_files:
        return fail(
            f"project {name}: {program} is hidden from agents, or they may not run it",
            "install it in /usr/local/bin, or add its folder to [confinement] read_only, "
            "and that of what it links to",
        )
    if dialect is None:
        return ok(f"project {name}: agent {program}")
    return _of_version(f"project {name}: agent {program}", end, dialect)


def _of_version(what: str, end: ProgramEnd | None, dialect: Dialect) -> Finding:
    step = "run it with --version as another user; what it needs must be seen by agents, too"
    if end is None:
        return fail(f"{what} says no version within {VERSION_SECONDS_MAX} s", step)
    lines = printable(end.tail.decode(errors="replace")).strip().splitlines()
    if end.exit_code != 0:
        said = label(lines[-1]) if lines else "it does not say why"
        return fail(f"{what} does not start (exit status {end.exit_code}): {said}", step)
    found = ((label(line), _VERSION.search(line)) for line in reversed(lines))
    version, numbers = next(filter(itemgetter(1), found), ("unknown", None))
    least, install = LEAST.get(dialect.name, ((), ""))
    if numbers is not None and tuple(map(int, numbers.groups())) < least:
        oldest = ".".join(map(str, least))
        return fail(
            f"{what}, version {version}, is older than {oldest}, the oldest that was tried; it may "
            "not know an option that it is given, and then every job fails",
            f"install a newer one: {install}",
        )
    return ok(f"{what}, version {version}")


async def _look(
    argv: tuple[str, ...], path: str, config: Config, confinement: Confinement
) -> ProgramEnd:
    """Look for a program where an agent would, within the same walls; run it with arguments."""

    async def ignore(_: object) -> None:
        pass

    with tempfile.TemporaryDirectory(prefix="hotdesk-trial-") as folder:
        if confinement.uid is not None:
            os.chown(folder, confinement.uid, confinement.uid)
        look = Program(
            argv=(SHELL, "-c", LOOK, "look", *argv),
            walls=Walls(
                workspace=Path(folder),
                home=Path(folder),
                read_only=tuple(each.absolute() for each in config.confinement.read_only),
                hidden=tuple(hidden_files(config)),
                network=Network.NONE if confinement.closes_network else Network.OPEN,
            ),
            env={"PATH": path},
        )
        return await run_program(
            look,
            confinement,
            on_start=ignore,
            on_output=ignore,
            stop=anyio.sleep_forever,
        )


async def _network(config: Config, name: str, project: ProjectConfig) -> Finding:
    confinement_of(config).check_network(Network(project.network), f"projects.{name}.network")
    what = "nothing" if Network(project.network) is Network.NONE else "its model"
    return ok(f"project {name}: the agent can reach {what} on the network")


async def _fetches(name: str, command: str) -> Finding:
    return warn(
        f"project {name}: {shown(command)} seems to fetch something, and the commands of after "
        "have no network",
        f'set [projects.{name}] after_network = "open"; what the agent wrote has it then, too',
    )


async def _login(name: str, project: ProjectConfig, dialect: Dialect) -> Finding:
    given = next(filter(_KEY_NAME.search, project.env), "")
    key = project.key or project.env.get(given)
    if isinstance(key, SecretRef):
        try:
            key.read()
        except ConfigError as error:
            return fail(
                f"project {name}: the key for {dialect.name} cannot be had: {error}",
                f"see to [projects.{name}] {'key' if project.key else 'env'}",
            )
    if key:
        where = "" if project.key else f", {given} in its environment"
        return ok(f"project {name}: there is a key for {dialect.name}{where}")
    what = (
        f"project {name}: there is no key for {dialect.name}, and agents cannot see where a "
        "person has logged in to it"
    )
    step = f'set [projects.{name}] key = "env:…"'
    # A model of one's own may ask nobody who they are.
    return warn(what, f"{step} if the model wants one") if project.base_url else fail(what, step)


async def _believes(name: str, dialect: Dialect) -> Finding:
    return warn(
        f"project {name}: {dialect.name} believes some settings of the repository, and can be "
        "led by them to send its key elsewhere",
        f'set [projects.{name}] network = "model-only", or trust who writes to the repository',
    )


def _unknown_limits(project: ProjectConfig, dialect: Dialect) -> str:
    limits = project.limits
    unknown = [
        *(["turns"] if limits.turns is not None and dialect.name in WITHOUT_TURNS else []),
        *(["budget_usd"] if limits.budget_usd and dialect.name in WITHOUT_BUDGET else []),
    ]
    return " and ".join(f"limits.{each}" for each in unknown)


async def _limits(name: str, dialect: Dialect, unknown: str) -> Finding:
    return warn(
        f"project {name}: {dialect.name} does not know {unknown}",
        f"set [projects.{name}.limits] agent_seconds",
    )


async def _model(name: str, project: ProjectConfig, url: str) -> Finding:
    if any(each.lower().endswith("_proxy") for each in project.env):
        return ok(f"project {name}: the way to the model is its proxy's")
    try:
        parts = urlsplit(url)
        host, port = _address(parts)
    except ValueError:
        return fail(f"project {name}: base_url is no address", f"set [projects.{name}] base_url")
    try:
        with anyio.fail_after(CONNECT_SECONDS_MAX):
            await (await anyio.connect_tcp(host, port)).aclose()
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {CONNECT_SECONDS_MAX} s"
        return fail(
            f"project {name}: the model at {host}:{port} is not reachable: {label(reason)}",
            f"check [projects.{name}] base_url, and the network of this machine",
        )
    return ok(f"project {name}: model at {host}:{port} reachable")


def _address(parts: SplitResult) -> tuple[str, int]:
    """Where to connect to.

    Raises:
        ValueError: It is no address of a web server.
    """
    port = parts.port or PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError(parts.scheme)
    return parts.hostname, port
