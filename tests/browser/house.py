"""A real ``hotdesk up`` in a folder: mails in, a git repository, agents, and the dashboard.

It is a process of its own, on free ports of this machine, with an environment made from
nothing. It can be ended and started again with the same addresses.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
from anyio.abc import Process

from hotdesk.cli.dashboard import invited
from hotdesk.clock import SystemClock
from hotdesk.confinement import find_confinement
from hotdesk.demo.deployment import reserved_port, toml
from hotdesk.demo.mails import HOST, Person, send
from hotdesk.demo.site import PROJECT, Site
from hotdesk.errors import Unavailable
from hotdesk.web.door import find_door

DOMAIN = "desk.example"
SECONDS_MAX = 30
POLL = timedelta(milliseconds=50)
VIEWER = "viewer-0123456789abcdef"
GUEST = Person(name="Gus", address="gus@guests.example")
USERS = {
    "scott": Person(name="Scott", address="scott@agency.example"),
    "ana": Person(name="Ana", address="ana@agency.example"),
}
OTHERS = ("search", "billing")

Sections = Mapping[str, Mapping[str, object]]


@dataclass(slots=True, kw_only=True)
class House:
    """Hotdesk in *folder*. ``url`` stays what it is, ``api`` asks as the operator of this machine.

    ``shown`` are paths that agents must see although they may lie in hidden folders.
    """

    folder: Path
    agent: Sequence[str]
    shown: Sequence[Path]
    settings: Sections = field(default_factory=dict)
    url: str = ""
    mail_port: int = 0
    api: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    @property
    def data(self) -> Path:
        """Where it keeps what is its own."""
        return self.folder / "data"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        """Run it for as long as the block lasts."""
        with reserved_port() as self.mail_port:
            self._configure()
            with (self.folder / "up.log").open("ab") as log:
                process = await anyio.open_process(
                    [sys.executable, "-m", "hotdesk", "up"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env={"PATH": os.defpath, "HOME": str(self.folder.parent), "VERA": VIEWER},
                    start_new_session=True,
                )
            try:
                await self._until_open(process)
                yield process
            finally:
                with anyio.CancelScope(shield=True):
                    await self._end(process)

    async def _until_open(self, process: Process) -> None:
        door = None
        with anyio.fail_after(SECONDS_MAX):
            while door is None:
                assert process.returncode is None, "hotdesk up has ended: look into its up.log"
                try:
                    door = find_door(self.data)
                except Unavailable:
                    await SystemClock().sleep(POLL)
        self.url = door.url
        self.api = httpx.AsyncClient(
            base_url=f"{door.url}/api/v1",
            headers={"Authorization": f"Bearer {door.token}"},
            trust_env=False,
        )

    async def _end(self, process: Process) -> None:
        await self.api.aclose()
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(SECONDS_MAX):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()

    def _configure(self) -> None:
        origin = Site(self.folder).origin
        project = {"repo": str(origin), "command": [*self.agent]}
        sections: dict[str, Mapping[str, object]] = {
            "": {"backend": f"sqlite:///{self.folder / 'hotdesk.db'}", "data_dir": str(self.data)},
            "confinement": {
                "mode": str(find_confinement().best.mode),
                "read_only": [str(path) for path in self.shown],
            },
            "web": {"listen": self.url.removeprefix("http://") or f"{HOST}:0"},
            "web.tokens.vera": {"secret": "env:VERA"},
            "mail": {
                "domain": DOMAIN,
                "listen": f"{HOST}:{self.mail_port}",
                "key": f"file:{self._key()}",
                "proof": "none",
            },
            f"projects.{PROJECT}": {**project, "guests": [GUEST.address]},
            f"projects.{PROJECT}.users": {u: [person.address] for u, person in USERS.items()},
            **{f"projects.{name}": project for name in OTHERS},
            **self.settings,
        }
        (self.folder / "hotdesk.toml").write_text(
            toml({name: dict(section) for name, section in sections.items()}), encoding="utf-8"
        )

    def _key(self) -> Path:
        key = self.folder / "mail.key"
        key.touch(mode=0o600)
        key.write_text("0123456789abcdef" * 4, encoding="ascii")
        return key

    # ------------------------------------------------------------------ what people do

    def invitation(self) -> str:
        """An address that lets one browser in."""
        return invited(self.data)

    async def submit(self, instruction: str, *, desk: str, **more: str) -> str:
        """Send an instruction as others do, and return the id of its job."""
        answer = await self.api.post(
            "/jobs", json={"desk": desk, "instruction": instruction, **more}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["job"])

    async def until(self, job: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of these states."""

        def is_there(found: dict[str, Any]) -> bool:
            return found["state"] in states

        found: dict[str, Any] = await self.once(f"/jobs/{job}", is_there)
        return found

    async def once(self, path: str, is_there: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - JSON
        """Ask until the answer is as expected."""
        found = None
        with anyio.move_on_after(SECONDS_MAX):
            while True:
                found = (await self.api.get(path)).json()
                if is_there(found):
                    return found
                await SystemClock().sleep(POLL)
        raise AssertionError(f"{path} is still {found}")

    async def mail(self, text: str, *, subject: str, user: str, sender: Person = GUEST) -> None:
        """Write a mail to the desk of *user*."""
        mail = sender.writes(f"{PROJECT}+{user}@{DOMAIN}", text, subject=subject)
        reply = await send(mail, self.mail_port)
        assert reply.is_taken, reply
