"""The mails of the demo: people write them, and a sink takes every answer.

Both speak SMTP on loopback. The sink stands for the mail server of a provider, so what it
has is what people would have in their mailboxes.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
import anyio
from aiosmtpd.smtp import SMTP, Envelope, Session
from anyio.abc import TaskStatus

HOST = "127.0.0.1"
SEND_SECONDS_MAX = 20
STOP_SECONDS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who writes mails."""

    name: str
    address: str

    def writes(
        self, to: str, text: str, *, subject: str, answers: EmailMessage | None = None
    ) -> EmailMessage:
        """Return a new mail, or a reply to one that was received or sent before."""
        mail = EmailMessage()
        mail["From"] = f"{self.name} <{self.address}>"
        mail["To"] = to
        mail["Subject"] = subject
        mail["Message-ID"] = make_msgid(domain=self.address.partition("@")[2])
        if answers is not None:
            answered = str(answers["Message-ID"])
            mail["In-Reply-To"] = answered
            mail["References"] = f"{answers.get('References', '')} {answered}".strip()
        mail.set_content(text)
        return mail


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said to a mail: 250 is its promise that the mail is durable."""

    code: int
    text: str

    @property
    def is_taken(self) -> bool:
        """Whether the server took the mail."""
        return self.code == aiosmtplib.SMTPStatus.completed


async def send(mail: EmailMessage, port: int) -> Reply:
    """Hand *mail* to the server at *port* of this machine.

    Raises:
        aiosmtplib.SMTPException: There was no answer.
    """
    try:
        _, text = await aiosmtplib.send(
            mail,
            hostname=HOST,
            port=port,
            local_hostname="localhost",
            timeout=SEND_SECONDS_MAX,
            start_tls=False,
        )
    except aiosmtplib.SMTPRecipientsRefused as refused:
        return Reply(refused.recipients[0].code, refused.recipients[0].message)
    except aiosmtplib.SMTPResponseException as refused:
        return Reply(refused.code, refused.message)
    return Reply(aiosmtplib.SMTPStatus.completed, text)


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail that may be a page as well."""
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body else ""


class Sink:
    """Takes and keeps every mail that it is given."""

    def __init__(self, *, on_mail: Callable[[EmailMessage], None] = lambda _: None) -> None:
        """*on_mail* is told of each."""
        self._on_mail = on_mail
        self._mails: list[EmailMessage] = []
        self._came = anyio.Event()

    @property
    def mails(self) -> Sequence[EmailMessage]:
        """What came so far, oldest first."""
        return self._mails

    async def run(self, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled; started with the port."""
        transports: set[asyncio.Transport] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self, transports), HOST, 0)
        try:
            task_status.started(server.sockets[0].getsockname()[1])
            await anyio.sleep_forever()
        finally:
            server.close()
            for transport in transports:
                transport.abort()
            with anyio.move_on_after(STOP_SECONDS_MAX, shield=True):
                await server.wait_closed()

    async def until(self, is_there: Callable[[EmailMessage], bool]) -> EmailMessage:
        """Return the first mail of this kind, once it came."""
        while True:
            came = self._came
            for mail in self._mails:
                if is_there(mail):
                    return mail
            await came.wait()

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self._mails.append(mail)
        self._on_mail(mail)
        self._came.set()
        self._came = anyio.Event()
        return "250 2.0.0 kept"


class _Connection(SMTP):
    """One client, whose connection ends with the sink at the latest."""

    def __init__(self, sink: Sink, transports: set[asyncio.Transport]) -> None:
        super().__init__(sink, hostname="localhost", ident="The demo's sink")
        self._transports = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transports.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self._transports.discard(self.transport)
        super().connection_lost(error)
