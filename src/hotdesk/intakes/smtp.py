"""SMTP and LMTP in: from anybody, or from a relay; who sent a mail is the mailroom's matter.

The protocol is aiosmtpd's, on the event loop of the caller, within the bounds of
``connection``; there is no AUTH, no VRFY, no XCLIENT and no STARTTLS. ``250`` means that the
mail is durable.
"""

import asyncio
import logging
from collections.abc import Callable

import anyio
from aiosmtpd.smtp import Envelope, Session
from anyio.abc import TaskStatus

from hotdesk.errors import Unavailable
from hotdesk.intakes.connection import (
    TRY_AGAIN,
    Connection,
    Connections,
    LmtpConnection,
    return_path_of,
)
from hotdesk.intakes.mailroom import Mailroom
from hotdesk.mail.proof.hosts import Address, is_inside
from hotdesk.mail.proof.verdict import Peer, Prover
from hotdesk.mail.rejection import MailRejected

SIZE_MAX = 25 * 1024 * 1024
RECIPIENTS_MAX = 100  # RFC 5321, 4.5.3.1.8: a server must take at least 100.
CONNECTIONS_MAX = 50
TIMEOUT_SECONDS = 120.0  # From one mail to DATA, for the mail, and for taking it.
STOP_SECONDS = 10.0


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
        is_relay: Callable[[Address], bool] = is_inside,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``prove`` finds out who sent a mail; ``on_error`` is told of bugs, in a sentence.

        ``hostname`` is what it calls itself. A host for which ``is_relay`` holds speaks for many,
        and may have all connections.
        """
        self._mailroom = mailroom
        self._prove = prove
        self._address = (host, port)
        self._hostname = hostname
        self._is_lmtp = is_lmtp
        self._size_max = size_max
        self._recipients_max = recipients_max
        self._timeout = timeout_seconds
        self._on_error = on_error
        self._connections = Connections(
            most=connections_max, is_relay=(lambda _: True) if is_lmtp else is_relay
        )

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
                await self._connections.finish()
            with anyio.move_on_after(STOP_SECONDS, shield=True):
                await self._connections.end()

    def _connection(self) -> Connection:
        kind = LmtpConnection if self._is_lmtp else Connection
        return kind(
            self,
            self._connections,
            size_max=self._size_max,
            hostname=self._hostname,
            timeout_seconds=self._timeout,
        )

    # ------------------------------------------------------------ called by aiosmtpd

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self,
        server: Connection,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Accept a recipient, or say why not."""
        if len(envelope.rcpt_tos) >= self._recipients_max:
            return "452 4.5.3 too many recipients; please send the mail again for the others"
        try:
            self._mailroom.recipient(address, return_path=return_path_of(envelope))
        except MailRejected as refusal:
            await server.note(refusal, self._mailroom, recipient=address)
            return refusal.reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: Connection, session: Session, envelope: Envelope
    ) -> str:
        """Take the mail; with LMTP there is a reply for each recipient."""
        assert isinstance(envelope.content, bytes)
        return_path = return_path_of(envelope)
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
            return TRY_AGAIN
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
        return TRY_AGAIN
