"""What ``doctor`` looks at for projects: git, confinement, repositories, agents, mail."""

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import aiosmtplib
import anyio

from hotdesk.backends.address import bell_folder, database_path, is_stack
from hotdesk.config import Config, MailConfig, ProjectConfig
from hotdesk.confinement import Mode
from hotdesk.desks import Claim, Desk
from hotdesk.errors import AttemptFailed
from hotdesk.runners.agent import AgentWalls
from hotdesk.runners.images import Images, NotShown, Shown
from hotdesk.runners.interpreter import interpreter
from hotdesk.wiring.agent_checks import agent_checks
from hotdesk.wiring.agents import confinement_of, git_here, hidden_files, origin_of
from hotdesk.wiring.finding import Check, Finding, fail, ok, warn
from hotdesk.wiring.lock import holder_of
from hotdesk.wiring.mail import relay_of
from hotdesk.wiring.uids import own_uid
from hotdesk.workspaces import VERSION_MIN, GitFailed, OriginUnreachable
from hotdesk.workspaces.git import Git, Place

RELAY_SECONDS_MAX = 10
# The smallest: one black pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010100000000376ef924"
    "0000000a4944415478da6360000000020001e527defc0000000049454e44ae426082"
)
TRIAL = Claim(desk=Desk("hotdesk", "doctor"), generation=1, worker_id="doctor")


def project_checks(config: Config) -> Iterator[Check]:
    """The checks of what the configured projects need."""
    git = git_here()
    yield partial(_git, git)
    yield partial(_confinement, config)
    if config.projects:
        yield partial(_pictures, config)
    for name, project in config.projects.items():
        yield partial(_repository, git, name, project)
        yield from agent_checks(config, name, project)
    if config.mail is not None:
        yield partial(_port, config, config.mail)
        yield partial(_relay, config.mail)


async def _git(git: Git) -> Finding:
    wanted = ".".join(map(str, VERSION_MIN))
    try:
        version = await git.version()
    except GitFailed as error:
        return fail(str(error), f"install git {wanted} or newer")
    known = ".".join(map(str, version))
    if version < VERSION_MIN:
        return fail(f"git {known} is too old", f"install git {wanted} or newer")
    return ok(f"git {known}")


async def _confinement(config: Config) -> Finding:
    confinement = confinement_of(config)
    if confinement.mode is Mode.BUBBLEWRAP:
        return ok("agents are confined by bubblewrap")
    missing = [name for name, is_kept in confinement.promises.items() if not is_kept]
    return warn(
        f"agents are confined by {confinement.mode} only: not {', '.join(missing)}",
        'install bubblewrap and set [confinement] mode = "auto"',
    )


async def _pictures(config: Config) -> Finding:
    """Show one as workers do: as the agents' user, who may not be let in to where Python lies."""
    hidden = tuple(hidden_files(config))
    with (
        own_uid(confinement_of(config), config.data_dir) as confinement,
        tempfile.TemporaryDirectory(prefix="hotdesk-trial-") as folder,
    ):
        walls = AgentWalls(homes=Path(folder), steps=Path(folder), hidden=hidden)
        images = Images(confinement, walls)
        try:
            shown: Shown | NotShown = await images.show(PICTURE, TRIAL, stop=anyio.sleep_forever)
        except AttemptFailed as error:
            shown = NotShown(why=error.reason)
    if isinstance(shown, Shown):
        return ok("agents are shown the pictures of mails")
    return warn(
        f"agents are not shown the pictures of mails: {shown.why}",
        f"let every user read {interpreter().program} and what belongs to it: install Python and "
        "Hotdesk outside of home directories",
    )


async def _repository(git: Git, name: str, project: ProjectConfig) -> Finding:
    origin = origin_of(name, project)
    try:
        await git.run(
            *("ls-remote", "--quiet", "origin", "HEAD"),
            at=Place(git_dir=Path(os.devnull)),
            config=origin.config(),
            is_remote=True,
        )
    except (GitFailed, OriginUnreachable) as error:
        return fail(
            f"project {name}: repository not reachable: {error}",
            f"check [projects.{name}] repo and token",
        )
    return ok(f"project {name}: repository reachable")


async def _port(config: Config, mail: MailConfig) -> Finding:
    host, _, port = mail.listen.rpartition(":")
    what = f"mail is taken at {mail.listen}"
    try:
        socket.create_server((host.strip("[]"), int(port))).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _is_up(config):
            return ok(f"{what} by hotdesk up")
        reason = os.strerror(error.errno) if error.errno else str(error)
        return fail(f"{mail.listen} cannot be used: {reason}", "set [mail] listen")
    return ok(f"{mail.listen} is free to take mail")


def _is_up(config: Config) -> bool:
    """Whether ``hotdesk up`` is known to run; on a stack nobody can tell."""
    if is_stack(config.backend):
        return False
    database = database_path(config.backend)
    return database.is_file() and holder_of(bell_folder(database)) is not None


async def _relay(mail: MailConfig) -> Finding:
    relay = relay_of(mail)
    if relay is None:
        return warn("no relay: answers stay in the outbox", "set [mail.relay]")
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        use_tls=relay.tls == "implicit",
        start_tls=relay.tls == "starttls",
        username=relay.username or None,
        password=relay.password or None,
        timeout=RELAY_SECONDS_MAX,
    )
    try:
        async with client:
            return ok(f"mail relay {relay.host}:{relay.port} reachable")
    except aiosmtplib.SMTPException as error:
        return fail(
            f"mail relay {relay.host}:{relay.port} not reachable: {error}", "check [mail.relay]"
        )
