"""A Hotdesk of its own in one folder: its configuration, and ``hotdesk up`` as a process.

Nothing of the machine's own Hotdesk is read or touched: the child has a home in the folder
and an environment made from nothing.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import Process

from hotdesk.client import Client
from hotdesk.confinement import Confinement
from hotdesk.demo.mails import HOST, Person
from hotdesk.demo.site import PROJECT
from hotdesk.errors import HotdeskError, Unavailable
from hotdesk.signals import send_signal

DOMAIN = "desk.example"  # RFC 2606: it belongs to nobody.
DRAIN_SECONDS_MAX = 20
KILL_SECONDS_MAX = 5
POLL_SECONDS = 0.05
LOG_LINES_SHOWN = 20


class DeploymentFailed(HotdeskError):
    """``hotdesk up`` ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the demo chooses in ``hotdesk.toml``; the rest are the defaults.

    ``shown`` are paths that the agent must see although they may lie in hidden folders.
    """

    origin: Path
    agent: tuple[str, ...]
    shown: tuple[Path, ...]
    users: Mapping[str, Person]
    relay_port: int
    confinement: Confinement


class Deployment:
    """Hotdesk in *folder*."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written or started before ``running``."""
        self.folder = folder
        self.port = 0
        self._is_stopping = False

    @property
    def config_file(self) -> Path:
        """Its ``hotdesk.toml``."""
        return self.folder / "hotdesk.toml"

    @property
    def url(self) -> str:
        """Its backend."""
        return f"sqlite:///{self.folder / 'hotdesk.db'}"

    @property
    def data_dir(self) -> Path:
        """Where it keeps what is its own."""
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        """What ``hotdesk up`` and its workers print."""
        return self.folder / "up.log"

    @asynccontextmanager
    async def running(self, settings: Settings, client: Client) -> AsyncIterator[Process]:
        """Run ``hotdesk up`` for as long as the block lasts, or until it is stopped.

        Every process of it has ended when this returns or raises.

        Raises:
            DeploymentFailed: It ended by itself.
        """
        self._is_stopping = False
        with reserved_port() as self.port:
            self._configure(settings)
            # Not to be interrupted: a process that is started is one that we end.
            with anyio.CancelScope(shield=True):
                process = await self._start()
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._watch, process)
                    yield process
                    tasks.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True):
                    await self.stop(process)
                    await _end(process, client)

    async def stop(self, process: Process) -> int | None:
        """Ask it to drain; return its exit status, ``None`` if it does not end."""
        self._is_stopping = True
        send_signal(process, signal.SIGTERM)
        with anyio.move_on_after(DRAIN_SECONDS_MAX):
            return await process.wait()
        return None

    async def until_listening(self) -> None:
        """Return once mail is taken."""
        while True:
            with suppress(OSError):
                async with await anyio.connect_tcp(HOST, self.port):
                    return
            await anyio.sleep(POLL_SECONDS)

    def _configure(self, settings: Settings) -> None:
        key = self.folder / "mail.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(secrets.token_hex(32), encoding="ascii")
        users: dict[str, object] = {u: [person.address] for u, person in settings.users.items()}
        tables: dict[str, dict[str, object]] = {
            "": {"backend": self.url, "data_dir": str(self.data_dir)},
            "confinement": {
                "mode": str(settings.confinement.mode),
                "read_only": [str(path) for path in settings.shown],
            },
            "mail": {
                "domain": DOMAIN,
                "listen": f"{HOST}:{self.port}",
                "key": f"file:{key}",
                "proof": "none",  # Nobody but the demo reaches that port, and nothing is signed.
            },
            "web": {"listen": f"{HOST}:0"},  # Any free port: the default may be in use.
            "mail.relay": {"host": HOST, "port": settings.relay_port, "tls": "none"},
            f"projects.{PROJECT}": {"repo": str(settings.origin), "command": settings.agent},
            f"projects.{PROJECT}.users": users,
        }
        self.config_file.write_text(toml(tables), encoding="utf-8")

    async def _start(self) -> Process:
        with self.log_file.open("wb") as log:
            return await anyio.open_process(
                [sys.executable, "-m", "hotdesk", "--config", str(self.config_file), "up"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment(self.folder),
                start_new_session=True,  # Ctrl-C reaches the demo, which ends it in order.
            )

    async def _watch(self, process: Process) -> None:
        status = await process.wait()
        if not self._is_stopping:
            raise DeploymentFailed(f"hotdesk up ended by itself, with status {status}")

    def last_words(self) -> str:
        """Return the last lines of its log."""
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:])


async def _end(process: Process, client: Client) -> None:
    """Kill what did not end in time, which leaves no worker behind either."""
    workers: list[int] = []
    with anyio.move_on_after(KILL_SECONDS_MAX), suppress(Unavailable):
        workers = [worker.pid for worker in await client.workers()]
    for pid in [process.pid] * (process.returncode is None) + workers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with anyio.move_on_after(KILL_SECONDS_MAX):
        await process.wait()


def environment(home: Path) -> dict[str, str]:
    """Make the environment of a Hotdesk that knows nothing of the person who runs it."""
    path = os.pathsep.join(os.get_exec_path())
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}


@contextmanager
def reserved_port() -> Iterator[int]:
    """Hold a free port: bound, and not listening, it can be listened on by name only."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        port: int = holder.getsockname()[1]
        yield port


def toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """Write tables of texts, numbers and lists, for which TOML and JSON are the same."""
    blocks = []
    for name, values in tables.items():
        lines = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()
        ]
        blocks.append("\n".join([*([f"[{name}]"] if name else []), *lines, ""]))
    return "\n".join(blocks)
