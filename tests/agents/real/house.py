"""A whole Hotdesk whose project has Claude Code as its agent: mails in, a repository, mails out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

import anyio
from anyio.abc import Process

from hotdesk.client import Client
from hotdesk.confinement import find_confinement
from hotdesk.demo.deployment import DOMAIN, Deployment, Settings, toml
from hotdesk.demo.mails import HOST, Person, Sink, send
from hotdesk.demo.site import PROJECT, Site
from hotdesk.demo.watch import Watch
from hotdesk.desks import Job
from hotdesk.events import StoredEvent
from hotdesk.wiring import connect
from tests.agents.model_api import ModelApi
from tests.agents.real.room import CLI, KEY

T = TypeVar("T")

SCOTT = Person(name="Scott", address="scott@agency.example")
DESK = f"{PROJECT}/scott"
ADDRESS = f"{PROJECT}+scott@{DOMAIN}"
WAIT_SECONDS_MAX = 30


class ClaudeDeployment(Deployment):
    """``hotdesk up`` with one project, whose agent is Claude Code."""

    def __init__(self, folder: Path, api: ModelApi, *, workers: int, network: str) -> None:
        super().__init__(folder)
        self._network = network
        self._api = api
        self._workers = workers

    def _configure(self, settings: Settings) -> None:
        mail_key, model_key = self.folder / "mail.key", self.folder / "model.key"
        for key, text in ((mail_key, "0" * 64), (model_key, KEY)):
            key.touch(mode=0o600)
            key.write_text(text)
        tables: dict[str, Mapping[str, object]] = {
            "": {"backend": self.url, "data_dir": str(self.folder / "data")},
            "pool": {"min_workers": self._workers, "max_workers": self._workers},
            "confinement": {"mode": str(settings.confinement.mode), "read_only": [str(CLI)]},
            "mail": {
                "domain": DOMAIN,
                "listen": f"{HOST}:{self.port}",
                "key": f"file:{mail_key}",
                "proof": "none",
            },
            "web": {"enabled": False},
            "mail.relay": {"host": HOST, "port": settings.relay_port, "tls": "none"},
            f"projects.{PROJECT}": {
                "repo": str(settings.origin),
                "agent": "claude",
                "command": [str(CLI)],
                "key": f"file:{model_key}",
                "base_url": self._api.url,
                "network": self._network,
            },
            f"projects.{PROJECT}.users": {"scott": [SCOTT.address]},
        }
        self.config_file.write_text(toml(tables), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a test sees of it."""

    api: ModelApi
    client: Client
    deployment: Deployment
    process: Process
    site: Site
    sink: Sink
    watch: Watch

    async def mail(self, text: str, *, answers: EmailMessage | None = None) -> EmailMessage:
        """Send an instruction, in a new thread or in that of *answers*."""
        mail = SCOTT.writes(ADDRESS, text, subject="The header", answers=answers)
        reply = await send(mail, self.deployment.port)
        assert reply.is_taken, reply
        return mail

    async def job_of(self, mail: EmailMessage) -> Job:
        """The job that a mail became."""
        jobs = await self.client.jobs(limit=1000)
        return next(job for job in jobs if job.origin.message_id == mail["Message-ID"])

    async def answer_to(self, mail: EmailMessage) -> EmailMessage:
        """What came back."""
        return await self.wait(
            self.sink.until(lambda each: each["In-Reply-To"] == mail["Message-ID"])
        )

    async def asked(self, count: int) -> None:
        """Return once the model has been asked *count* times."""
        await anyio.to_thread.run_sync(self.api.wait_for, count)

    async def happened(self, kind: str, *, job_id: str = "", times: int = 1) -> StoredEvent:
        """Return the event of this kind that came at last."""

        def is_it(event: StoredEvent) -> bool:
            return event.kind == kind and job_id in ("", event.job_id)

        await self.wait(self.watch.until(is_it, times=times))
        return [event for event in self.watch.events if is_it(event)][times - 1]

    async def wait(self, happens: Awaitable[T]) -> T:
        """Wait, with a bound and with what the log says in the end."""
        with anyio.move_on_after(WAIT_SECONDS_MAX):
            return await happens
        raise AssertionError(self.deployment.last_words())


@asynccontextmanager
async def telling(deployment: Deployment) -> AsyncIterator[None]:
    """Show what it said last, if something goes wrong."""
    try:
        yield
    except BaseException:
        print(deployment.last_words())  # noqa: T201 - pytest shows it with what failed
        raise


@asynccontextmanager
async def house(
    folder: Path,
    api: ModelApi,
    *,
    workers: int = 1,
    network: str = "open",
    on_event: Callable[[StoredEvent], None] = lambda _: None,
) -> AsyncIterator[House]:
    """Run it for as long as the block lasts."""
    deployment, site, sink, watch = (
        ClaudeDeployment(folder, api, workers=workers, network=network),
        Site(folder),
        Sink(),
        Watch(on_event),
    )
    await site.build()
    async with connect(deployment.url) as client, anyio.create_task_group() as tasks:
        settings = Settings(
            origin=site.origin,
            agent=(),
            shown=(),
            users={},
            relay_port=await tasks.start(sink.run),
            confinement=find_confinement().best,
        )
        tasks.start_soon(watch.run, client)
        async with telling(deployment), deployment.running(settings, client) as process:
            made = House(
                api=api,
                client=client,
                deployment=deployment,
                process=process,
                site=site,
                sink=sink,
                watch=watch,
            )
            await made.happened("WorkerStarted", times=workers)
            await made.wait(deployment.until_listening())
            yield made
        tasks.cancel_scope.cancel()
