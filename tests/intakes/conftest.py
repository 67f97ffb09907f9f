"""A mailroom on a temporary store, and an intake that listens beside the test."""

from __future__ import annotations

import os
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.client import Client
from hotdesk.clock import SystemClock
from hotdesk.desks import Job
from hotdesk.intakes.decision import MailRules
from hotdesk.intakes.files import MailFiles
from hotdesk.intakes.mailroom import Mailroom
from hotdesk.intakes.smtp import SmtpIntake
from hotdesk.mail.proof.verdict import believe
from hotdesk.mail.sender import AllowedSenders

DOMAIN = "desk.example"
KEY = b"a key of 32 bytes, kept in a file"
RULES = {
    "amelia": MailRules(
        senders=AllowedSenders.parse(
            {
                "scott": ["anna@example.org", "scott@example.org", "ben@elsewhere.example"],
                "tim": ["anna@example.org"],
            }
        )
    ),
    "berta": MailRules(senders=AllowedSenders.parse({"*": ["example.org", "x@team.example.org"]})),
}


@dataclass(frozen=True)
class Post:
    """Everything that a test of mail needs."""

    mailroom: Mailroom
    client: Client
    backend: SqliteBackend
    files: MailFiles
    folder: Path

    async def events(self, kind: str) -> list[dict[str, object]]:
        """Return the details of the events of one kind."""
        return [dict(e.details) for e in await self.backend.events() if e.kind == kind]

    async def the_job(self) -> Job:
        """Return the one job that there is."""
        (job,) = await self.client.jobs()
        return job

    def stored(self) -> dict[str, bytes]:
        """Return the content of every file that was stored, by its path."""
        return {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    clock = SystemClock()
    backend = SqliteBackend(tmp_path / "hotdesk.db", clock)
    client = Client(backend, clock, random_bytes=os.urandom)
    files = MailFiles(tmp_path / "mail")
    mailroom = Mailroom(client, backend, clock, files, domain=DOMAIN, key=KEY, rules=RULES)
    yield Post(mailroom, client, backend, files, tmp_path / "mail")
    await client.close()


Listen = Callable[..., AbstractAsyncContextManager[int]]


@pytest.fixture
def listen(post: Post) -> Listen:
    """Start an intake for the length of a block; gives its port."""

    @asynccontextmanager
    async def listening(**options: Any) -> AsyncIterator[int]:  # noqa: ANN401 - of the intake
        bugs: list[str] = []
        settings: dict[str, Any] = {
            "port": 0,
            "hostname": DOMAIN,
            "prove": believe,
            "on_error": bugs.append,
        } | options
        intake = SmtpIntake(post.mailroom, **settings)
        async with anyio.create_task_group() as tasks:
            yield await tasks.start(intake.run)
            tasks.cancel_scope.cancel()
        assert bugs == []

    return listening


@contextmanager
def connected(port: int, *, is_lmtp: bool = False) -> Iterator[smtplib.SMTP]:
    """A client that has said hello; call it in a thread."""
    kind = smtplib.LMTP if is_lmtp else smtplib.SMTP
    with kind("127.0.0.1", port, timeout=15) as smtp:
        smtp.ehlo_or_helo_if_needed()
        yield smtp


async def deliver(
    port: int,
    raw: bytes,
    *recipients: str,
    sender: str = "anna@example.org",
    is_lmtp: bool = False,
) -> tuple[int, bytes]:
    """Send one mail and return the reply to its data, or the first refusal."""

    def talk() -> tuple[int, bytes]:
        with connected(port, is_lmtp=is_lmtp) as smtp:
            for reply in (smtp.mail(sender), *map(smtp.rcpt, recipients)):
                if reply[0] != 250:
                    return reply
            return smtp.data(raw)

    return await to_thread.run_sync(talk)


def start_of_mail(recipient: str) -> bytes:
    """Everything that a client says before the mail itself."""
    return f"EHLO x\r\nMAIL FROM:<anna@example.org>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()


async def everything_from(stream: anyio.abc.ByteReceiveStream) -> bytes:
    received = b""
    with anyio.fail_after(15):
        try:
            while True:
                received += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return received
