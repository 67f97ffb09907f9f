"""git as a child process that the repository cannot talk into running anything.

Every call gets an environment built from nothing: no settings of the machine or the user,
no prompts, no hooks, no file system monitor, no credential helper, only the protocols that
are allowed. A call has a time-out and bounds on what it may say; when it is cancelled, git
and what it started are killed and waited for. It does not know what the commands mean.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE
from typing import BinaryIO

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

from hotdesk.workspaces.errors import GitFailed, OriginUnreachable
from hotdesk.workspaces.origin import redact

VERSION_MIN = (2, 38)
"""The first git with ``merge-tree --write-tree``."""

OUTPUT_BYTES_MAX = 64 * 2**20
_SAID_BYTES_MAX = 16 * 2**10
_SAID_LINES_MAX = 8
_KILL_SECONDS_MAX = 5

# What git, ssh and curl say when the trouble is between us and the origin. Everything runs
# with LC_ALL=C, so the words are these.
_UNREACHABLE = re.compile(
    r"could not read from remote repository|unable to access|could not resolve host"
    r"|authentication failed|could not read (?:username|password)|permission denied \("
    r"|host key verification failed|repository .*not found|does not appear to be a git repository"
    r"|repository '.*' does not exist|unable to connect|connection (?:refused|reset|timed out)"
    r"|remote end hung up|unexpected disconnect|early eof|rpc failed|dubious ownership"
    r"|transport '.*' not allowed|requested url returned error",
    re.IGNORECASE,
)

_SETTINGS = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("credential.helper", ""),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    # Clones borrow the mirror's objects, so nothing may ever be thrown away behind their backs.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one call works on: a git directory, and maybe a work tree with its index."""

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables that lead git there, and nowhere else."""
        found = {"GIT_DIR": str(self.git_dir)}
        if self.work_tree:
            found["GIT_WORK_TREE"] = str(self.work_tree)
        if self.index:
            found["GIT_INDEX_FILE"] = str(self.index)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a call ended: its exit status, its output, and its last words, redacted."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """The output as one stripped line of text, for commands that answer so."""
        return self.output.decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """How git is run on this machine.

    ``environment`` and ``config`` are the operator's additions: an ssh agent, a proxy, a
    certificate. They come from settings, never from a repository.
    """

    program: str = "git"
    search_path: str = "/usr/local/bin:/usr/bin:/bin"
    protocols: tuple[str, ...] = ("file", "https", "ssh")
    ssh_command: str = "ssh -o BatchMode=yes -o ConnectTimeout=15"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    short_time: timedelta = timedelta(minutes=2)
    long_time: timedelta = timedelta(minutes=10)

    async def run(
        self,
        *arguments: str,
        at: Place,
        config: Sequence[tuple[str, str]] = (),
        environment: Mapping[str, str] | None = None,
        stdin: bytes | BinaryIO = b"",
        statuses: tuple[int, ...] = (0,),
        is_remote: bool = False,
        is_long: bool = False,
        bytes_max: int = OUTPUT_BYTES_MAX,
    ) -> Said:
        """Run one git command and return what it said.

        ``statuses`` are the exit statuses that are answers. ``is_remote`` tells the failures
        of an origin apart from those here; it and ``is_long`` (a command that reads a whole
        repository) give the call ``long_time``.

        Raises:
            OriginUnreachable: A remote command failed between us and the origin, or took
                too long.
            GitFailed: Any other exit status, more output than *bytes_max*, or a local
                command that took too long.
        """
        time = self.long_time if is_remote or is_long else self.short_time
        variables = self._environment([*config, *self.config])
        variables |= {**at.environment(), **(environment or {})}
        with anyio.move_on_after(time.total_seconds()):
            command = [self.program, *arguments]
            said, is_too_long = await _talk(command, variables, stdin, bytes_max)
            if is_too_long:
                limit = f"more than {bytes_max} bytes of output"
                raise GitFailed(arguments[0], None, limit)
            if said.status in statuses:
                return said
            if is_remote and _UNREACHABLE.search(said.errors):
                raise OriginUnreachable(said.errors)
            raise GitFailed(arguments[0], said.status, said.errors)
        limit = f"it took longer than {time.total_seconds():g} s"
        if is_remote:
            raise OriginUnreachable(f"git {arguments[0]}: {limit}")
        raise GitFailed(arguments[0], None, limit)

    async def version(self) -> tuple[int, ...]:
        """Return the version of git, to be compared with ``VERSION_MIN``.

        Raises:
            GitFailed: There is no git that runs.
        """
        said = await self.run("version", at=Place(git_dir=Path(os.devnull)))
        found = re.search(r"\d+(?:\.\d+)+", said.text)
        return tuple(int(part) for part in found[0].split(".")) if found else ()

    def _environment(self, config: Sequence[tuple[str, str]]) -> dict[str, str]:
        settings = [*_SETTINGS, *config]
        variables = {
            "PATH": self.search_path,
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_SSH_COMMAND": self.ssh_command,
            "GIT_ALLOW_PROTOCOL": ":".join(self.protocols),
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for place, (key, value) in enumerate(settings):
            variables[f"GIT_CONFIG_KEY_{place}"] = key
            variables[f"GIT_CONFIG_VALUE_{place}"] = value
        return variables | dict(self.environment)


async def _talk(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes | BinaryIO,
    bytes_max: int,
) -> tuple[Said, bool]:
    """Run *command* to its end; also return whether it was stopped for saying too much."""
    try:
        # Cancelled half-way, asyncio would kill the process but not what it has started.
        with anyio.CancelScope(shield=True):
            process = await anyio.open_process(
                command,
                stdin=PIPE if isinstance(stdin, bytes) else stdin,
                stdout=PIPE,
                stderr=PIPE,
                env=environment,
                # Never a folder that an agent writes to.
                cwd="/",
                # A group of its own, so that its ssh can be killed with it.
                start_new_session=True,
            )
    except OSError as error:
        raise GitFailed(command[1], None, f"{command[0]} does not start: {error}") from error
    output, errors, is_too_long = bytearray(), bytearray(), False
    assert process.stdout
    assert process.stderr
    try:
        async with anyio.create_task_group() as tasks:
            if process.stdin:
                assert isinstance(stdin, bytes)
                tasks.start_soon(_feed, process.stdin, stdin)
            tasks.start_soon(_keep_last, process.stderr, errors)
            async for chunk in process.stdout:
                output += chunk
                if is_too_long := len(output) > bytes_max:
                    _kill(process)
                    break
            status = await process.wait()
    finally:
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _KILL_SECONDS_MAX):
            _kill(process)
            await process.aclose()
    lines = redact(errors.decode("utf-8", "replace")).strip().splitlines()
    last = "\n".join(lines[-_SAID_LINES_MAX:])
    return Said(status=status, output=bytes(output), errors=last), is_too_long


async def _feed(stream: ByteSendStream, data: bytes) -> None:
    # A git that has seen enough closes its end; its exit status tells whether that was well.
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        await stream.send(data)
    await stream.aclose()


async def _keep_last(stream: ByteReceiveStream, kept: bytearray) -> None:
    async for chunk in stream:
        kept += chunk
        del kept[:-_SAID_BYTES_MAX]


def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
