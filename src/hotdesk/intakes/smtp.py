"""SMTP and LMTP in: from anybody, or from a relay; who sent a mail is the mailroom's matter.

The protocol is aiosmtpd's, on the event loop of the caller. What it leaves open is closed
here: connections, recipients, commands, mails at once and time are bounded; there is no
AUTH, no VRFY, no XCLIENT and no STARTTLS. ``250`` means that the mail is durable.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import anyio
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from anyio.abc import TaskStatus

from hotdesk.errors import Unavailable
from hotdesk.intakes.mailroom import Mailroom
from hotdesk.mail.proof.verdict import Peer, Prover
from hotdesk.mail.rejection import MailRejected

SIZE_MAX = 25 * 1024 * 1024
RECIPIENTS_MAX = 100  # RFC 5321, 4.5.3.1.8: a server must take at least 100.
CONNECTIONS_MAX = 50
MAILS_AT_ONCE = 4  # Each is in memory about four times while it is received and read.
TIMEOUT_SECONDS = 120.0
COMMANDS_MAX = 2000  # Of one kind on one connection; a relay sends many mails on each.
REFUSALS_NOTED_MAX = 20  # On one connection: each is a write, and guessing names is cheap.
STOP_SECONDS = 10.0

# A plain address or the null one; anything else makes parsers disagree.
_PATH = re.compile(
    r"\s*(?:FROM|TO)\s*:\s*<([\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+)?>(?:\s.*)?",
    re.IGNORECASE | re.ASCII,
)
_TRY_AGAIN = "451 4.3.0 this cannot be done now; please try again later"


class SmtpIntake:
    """Listens for mail and gives it to a mailroom until it is cancelled."""

    def __init__(
        self,
        mailroom: Mailroom,
        *,
        prove: Prover,
        host: str = "127.0.0.1",
        port: int,
        hostname: str,
        is_lmtp: bool = False,
        size_max: int = SIZE_MAX,
        recipients_max: int = RECIPIENTS_MAX,
        connections_max: int = CONNECTIONS_MAX,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``prove`` finds out who sent a mail; ``on_error`` is told of bugs, in a sentence.

        ``hostname`` is what it calls itself.
        """
        self._mailroom = mailroom
        self._prove = prove
        self._address = (host, port)
        self._hostname = hostname
        self._is_lmtp = is_lmtp
        self._size_max = size_max
        self._recipients_max = recipients_max
        self._connections_max = connections_max
        self._timeout = timeout_seconds
        self._on_error = on_error
        self._connections: set[_Connection] = set()
        self._slots = anyio.CapacityLimiter(MAILS_AT_ONCE)
        self._gone = anyio.Event()

    async def run(self, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled; started with the port. Mails being taken are finished.

        Raises:
            OSError: The port is taken.
        """
        # It logs each line of a mail at DEBUG, and addresses at INFO.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        host, port = self._address
        server = await asyncio.get_running_loop().create_server(self._connection, host, port)
        try:
            task_status.started(server.sockets[0].getsockname()[1])
            await anyio.sleep_forever()
        finally:
            server.close()
            with anyio.move_on_after(STOP_SECONDS, shield=True):
                await self._finish()
            for connection in self._connections:
                connection.abort()
            with anyio.move_on_after(STOP_SECONDS, shield=True):
                await self._until(lambda: not self._connections)

    async def _finish(self) -> None:
        await self._until(lambda: not any(c.is_taking for c in self._connections))

    async def _until(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            self._gone = anyio.Event()
            await self._gone.wait()

    def _connection(self) -> "_Connection":
        kind = _LmtpConnection if self._is_lmtp else _Connection
        return kind(
            self,
            data_size_limit=self._size_max,
            hostname=self._hostname,
            ident="Hotdesk",
            timeout=self._timeout,
            command_call_limit=COMMANDS_MAX,
            loop=asyncio.get_running_loop(),
        )

    def enter(self, connection: "_Connection") -> bool:
        """Count a connection in, or say that there are too many."""
        if len(self._connections) >= self._connections_max:
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: "_Connection") -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        self._gone.set()

    def taken(self) -> None:
        """Note that a mail was taken or refused, for those who wait for the last one."""
        self._gone.set()

    @property
    def slots(self) -> anyio.CapacityLimiter:
        """Held while a mail is received and taken."""
        return self._slots

    # ------------------------------------------------------------ called by aiosmtpd

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self,
        server: "_Connection",
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Accept a recipient, or say why not."""
        if len(envelope.rcpt_tos) >= self._recipients_max:
            return "452 4.5.3 too many recipients; please send the mail again for the others"
        try:
            self._mailroom.recipient(address, return_path=_return_path(envelope))
        except MailRejected as refusal:
            await server.note(refusal, self._mailroom, recipient=address)
            return refusal.reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: "_Connection", session: Session, envelope: Envelope
    ) -> str:
        """Take the mail; with LMTP there is a reply for each recipient."""
        assert isinstance(envelope.content, bytes)
        return_path = _return_path(envelope)
        recipients = [
            self._mailroom.recipient(address, return_path=return_path)
            for address in envelope.rcpt_tos
        ]
        try:
            refusals = await self._mailroom.take(
                envelope.content,
                recipients,
                peer=self._peer(session, return_path),
                prove=self._prove,
                is_whole=not self._is_lmtp,
            )
        except MailRejected as refused:
            refusals = [refused] * len(recipients)
        except (Unavailable, OSError):
            return _TRY_AGAIN
        replies = []
        for recipient, refusal in zip(recipients, refusals, strict=True):
            if refusal is not None:
                await server.note(refusal, self._mailroom, recipient=str(recipient.desk))
            replies.append("250 2.0.0 accepted" if refusal is None else refusal.reply)
        return "\r\n".join(replies if self._is_lmtp else replies[:1])

    def _peer(self, session: Session, return_path: str) -> Peer:
        # By LMTP it is the relay that speaks (RFC 2033); where the mail comes from, it knows.
        address = "" if self._is_lmtp else str(session.peer[0]) if session.peer else ""
        return Peer(address=address, hello=session.host_name or "", return_path=return_path)

    async def handle_exception(self, error: Exception) -> str:
        """Answer when our code or aiosmtpd's is wrong; the mail may come again."""
        self._on_error(f"mail could not be taken: {type(error).__name__}")
        return _TRY_AGAIN


class _Connection(SMTP):
    """One client; what ``SMTP`` does, within bounds."""

    def __init__(self, intake: SmtpIntake, **options: Any) -> None:  # noqa: ANN401 - aiosmtpd's
        super().__init__(intake, **options)
        self.is_taking = False
        self._intake = intake
        self._is_in = False
        self._refusals = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._is_in = self._intake.enter(self)
        if not self._is_in:
            transport.write(b"421 4.3.2 too many connections; please try again later\r\n")
            transport.close()
            return
        super().connection_made(transport)
        assert self._handler_coroutine is not None
        self._handler_coroutine.add_done_callback(self._ended)

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_in:
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return super().eof_received() if self._is_in else None

    def abort(self) -> None:
        """Close without waiting for a client that does not read."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def note(self, refusal: MailRejected, mailroom: Mailroom, *, recipient: str) -> None:
        """Record a refusal, within the bound for one connection."""
        self._refusals += 1
        if self._refusals <= REFUSALS_NOTED_MAX:
            assert self.envelope is not None
            sender = _return_path(self.envelope)
            await mailroom.note_refusal(refusal, sender=sender, recipient=recipient)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._intake.leave(self)
        if not task.cancelled():
            # Retrieved, since a client that resets its connection is no news.
            task.exception()

    def _timeout_cb(self) -> None:
        # The library closes gently, and so waits for ever for a client that does not read.
        self.abort()

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's
        if arg and not _PATH.fullmatch(arg):
            await self.push("553 5.1.7 this is not a plain address")
            return
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's
        if arg and not _PATH.fullmatch(arg):
            await self.push("553 5.1.3 this is not a plain address")
            return
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's
        async with self._intake.slots:
            self.is_taking = True
            try:
                await super().smtp_DATA(arg)
            finally:
                self.is_taking = False
                self._intake.taken()

    async def smtp_VRFY(self, _arg: str) -> None:  # noqa: N802 - aiosmtpd's
        await self.push("252 2.5.2 send a mail and see")

    async def smtp_AUTH(self, _arg: str) -> None:  # noqa: N802 - aiosmtpd's
        await self.push("502 5.5.1 there is no AUTH here")


class _LmtpConnection(_Connection, LMTP):
    """LMTP: after DATA, each recipient gets a reply (RFC 2033), errors included."""

    _replies_owed = 0

    async def push(self, status: Any) -> None:  # noqa: ANN401 - aiosmtpd's
        owed, self._replies_owed = self._replies_owed, 0
        if status.startswith("354"):
            assert self.envelope is not None
            self._replies_owed = len(self.envelope.rcpt_tos)
        elif owed and "\r\n" not in status:
            status = "\r\n".join([status] * owed)
        await super().push(status)


def _return_path(envelope: Envelope) -> str:
    """Return the address of the envelope; empty for the null one."""
    return (envelope.mail_from or "").strip("<>")
