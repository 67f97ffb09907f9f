"""The simulated relay: it takes answers, refuses them for now, or loses its reply."""

from collections import Counter
from collections.abc import Mapping
from email import message_from_bytes
from enum import StrEnum

import aiosmtplib
import anyio.lowlevel

from hotdesk.simulation.fates import Fates

DOMAIN = "desk.example"  # RFC 2606: it belongs to nobody.
KEY = b"a simulation keeps no secrets.  "
FOR_NOW = 451  # RFC 5321, 4.2.3: local error in processing.


class Reply(StrEnum):
    """What goes wrong with one mail."""

    REFUSED = "refused for now"
    UNREACHABLE = "unreachable"
    LOST = "reply lost"


class SimulatedRelay:
    """``mail.outbox.Courier`` that remembers what it took."""

    def __init__(self, fates: Fates) -> None:
        """Take everything until ``chances`` are set."""
        self._fates = fates
        self.chances: Mapping[Reply, float] = {}
        # How often each mail was taken, by its Message-ID.
        self.taken: Counter[str] = Counter()

    async def deliver(self, mail: bytes, *, sender: str, recipient: str, hostname: str) -> None:
        """Take the mail, or not."""
        del sender, recipient, hostname
        await anyio.lowlevel.checkpoint()
        fate = None
        if self.chances:
            _, moment = self._fates.turn("relay")
            fate = self._fates.draw(moment, self.chances, step="relay")
        if fate is Reply.REFUSED:
            raise aiosmtplib.SMTPDataError(FOR_NOW, "try again later")
        if fate is Reply.UNREACHABLE:
            raise ConnectionRefusedError("nobody listens")
        self.taken[str(message_from_bytes(mail)["Message-ID"])] += 1
        if fate is Reply.LOST:
            raise aiosmtplib.SMTPServerDisconnected("gone before the reply")
