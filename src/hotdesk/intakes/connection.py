"""The clients of an intake for SMTP or LMTP: what aiosmtpd does with them, within bounds.

What the library leaves open is closed here: how many there are, how long one may take, how
much of what it sends is kept, how often it may be wrong, and how long others wait for it.
"""
# ruff: noqa: D102 - What asyncio and aiosmtpd call, they describe.

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope

from hotdesk.intakes.incoming import Incoming
from hotdesk.intakes.mailroom import Mailroom
from hotdesk.mail.proof.hosts import Address, address_of, network_of
from hotdesk.mail.rejection import MailRejected

MAILS_AT_ONCE = 4  # Each is in memory about four times while it is read.
COMMANDS_MAX = 2000  # Of one kind on one connection; a relay sends many mails on each.
ERRORS_MAX = 20  # Lines that are no commands, on one connection.
REFUSALS_NOTED_MAX = 20  # On one connection: each is a write, and guessing names is cheap.
NETWORK_SHARE = 5  # One network gets the fifth part of the connections.
TRY_AGAIN = "451 4.3.0 this cannot be done now; please try again later"

# A plain address or the null one; anything else makes parsers disagree.
_PATH = re.compile(
    r"\s*(?:FROM|TO)\s*:\s*<([\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+)?>(?:\s.*)?",
    re.IGNORECASE | re.ASCII,
)


class Connections:
    """Those that are open, and the places that they share."""

    def __init__(self, *, most: int, is_relay: Callable[[Address], bool]) -> None:
        """*most* in all, and a part of them for one network that is not a relay's."""
        self.places = anyio.CapacityLimiter(MAILS_AT_ONCE)
        self._most = most
        self._most_of_network = max(1, most // NETWORK_SHARE)
        self._is_relay = is_relay
        self._open: dict[Connection, None] = {}  # The oldest first.
        self._changed = anyio.Event()

    def enter(self, connection: "Connection") -> bool:
        """Count a connection in, or say that there are too many."""
        address = address_of(connection.host)
        if address is not None and not self._is_relay(address):
            connection.network = network_of(address)
        staying = [each for each in self._open if not each.is_leaving]
        networks = Counter(each.network for each in staying if each.network)
        same = networks[connection.network]
        if same >= self._most_of_network:
            return False
        if len(staying) >= self._most:
            # The network that has the most makes room, if it has more than this one would have.
            [(crowd, count)] = networks.most_common(1) or [("", 0)]
            idle = (each for each in staying if each.network == crowd and not each.is_taking)
            oldest = next(idle, None)
            if count <= same + 1 or oldest is None:
                return False
            oldest.abort()
        self._open[connection] = None
        return True

    def leave(self, connection: "Connection") -> None:
        """Count a connection out."""
        self._open.pop(connection, None)
        self.tell()

    def tell(self) -> None:
        """Let those who wait for the last one look again."""
        self._changed.set()

    async def finish(self) -> None:
        """Wait until no mail is being taken."""
        await self._until(lambda: not any(each.is_taking for each in self._open))

    async def end(self) -> None:
        """Close them all, whether their clients read or not."""
        for each in self._open:
            each.abort()
        await self._until(lambda: not self._open)

    async def _until(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            self._changed = anyio.Event()
            await self._changed.wait()


class Connection(SMTP):
    """One client; what ``SMTP`` does, within bounds."""

    def __init__(
        self,
        handler: Any,  # noqa: ANN401 - aiosmtpd's
        connections: Connections,
        *,
        size_max: int,
        hostname: str,
        timeout_seconds: float,
    ) -> None:
        """``handler`` is called as aiosmtpd calls it; ``hostname`` is what we call ourselves."""
        super().__init__(
            handler,
            data_size_limit=size_max,
            hostname=hostname,
            ident="Hotdesk",
            timeout=timeout_seconds,
            command_call_limit=COMMANDS_MAX,
            loop=asyncio.get_running_loop(),
        )
        self.host = ""
        self.network = ""
        self.is_taking = False
        self.is_leaving = False
        self._connections = connections
        self._size_max = size_max
        self._is_in = False
        self._errors = 0
        self._refusals = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        self._is_in = self._connections.enter(self)
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
        self.is_leaving = True
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def note(self, refusal: MailRejected, mailroom: Mailroom, *, recipient: str) -> None:
        """Record a refusal, within the bound for one connection."""
        self._refusals += 1
        if self._refusals <= REFUSALS_NOTED_MAX:
            assert self.envelope is not None
            path = return_path_of(self.envelope)
            await mailroom.note_refusal(refusal, return_path=path, recipient=recipient)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.leave(self)
        if not task.cancelled():
            # Retrieved, since a client that resets its connection is no news.
            task.exception()

    # ------------------------------------------------------------------------------ time

    def _reset_timeout(self, duration: float | None = None) -> None:
        # The library begins anew with each command: who repeats one would stay for hours.
        if self._timeout_handle is None:
            super()._reset_timeout(duration)

    def _begin_time(self) -> None:
        """Give the client the whole time for what it does next."""
        super()._reset_timeout()

    def _timeout_cb(self) -> None:
        # The library closes gently, and so waits for ever for a client that does not read.
        self.abort()

    # -------------------------------------------------------------------------- commands

    async def push(self, status: Any) -> None:  # noqa: ANN401 - aiosmtpd's
        self._errors += status.startswith("500")
        if self._errors > ERRORS_MAX:
            await super().push("421 4.7.0 too many lines that are no commands")
            raise ConnectionResetError
        await super().push(status)
        # Of what one client sent at once the library answers all before others have their turn.
        await anyio.lowlevel.checkpoint()

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
        assert self.envelope is not None
        if await self.check_helo_needed():
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 first say for whom it is: RCPT")
        elif arg:
            await self.push("501 5.5.4 write DATA and nothing behind it")
        else:
            with Incoming(size_max=self._size_max) as incoming:
                await self._receive(incoming)
                await self._take(incoming)
            self._begin_time()

    async def _receive(self, incoming: Incoming) -> None:
        self._begin_time()
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        is_whole = False
        try:
            await incoming.receive(self._reader)
            is_whole = True
        finally:
            if not is_whole:
                # The rest of a mail must not be read as commands.
                self.abort()
        self._begin_time()

    async def _take(self, incoming: Incoming) -> None:
        assert self.envelope is not None
        self.is_taking = True
        try:
            # Only now, so that nobody waits for a client that is slow.
            async with self._connections.places:
                try:
                    self.envelope.content = await incoming.content()
                    status = await self._call_handler_hook("DATA")
                except MailRejected as refusal:
                    status = refusal.reply
                except OSError:
                    status = TRY_AGAIN
                finally:
                    self.envelope = self._create_envelope()
            await self.push(status)
        finally:
            self.is_taking = False
            self._connections.tell()

    async def smtp_VRFY(self, _arg: str) -> None:  # noqa: N802 - aiosmtpd's
        await self.push("252 2.5.2 send a mail and see")

    async def smtp_AUTH(self, _arg: str) -> None:  # noqa: N802 - aiosmtpd's
        await self.push("502 5.5.1 there is no AUTH here")


class LmtpConnection(Connection, LMTP):
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


def return_path_of(envelope: Envelope) -> str:
    """Return the address of the envelope; empty for the null one."""
    return (envelope.mail_from or "").strip("<>")
