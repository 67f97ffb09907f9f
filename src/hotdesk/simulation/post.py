"""The simulated relay: it takes answers, refuses them for now, or loses its reply."""

from collections import Counter
from collections.abc import Mapping
from email import message_from_bytes
from enum import StrEnum

import anyio.lowlevel

from hotdesk.ports import NotDelivered
from hotdesk.simulation.fates import Fates

DOMAIN = "desk.example"  # RFC 2606: it belongs to nobody.
KEY = b"a simulation keeps no secrets.  "


class Reply(StrEnum):
    """What goes wrong with one mail."""

    REFUSED = "refused for now"
    UNREACHABLE = "unreachable"
    LOST = "reply lost"


class SimulatedRelay:
    """``ports.Courier`` that remembers what it took."""

    def __init__(self, fates: Fates) -> None:
        """Take everything until ``chances`` are set."""
        self._fates = fates
        self.chances: Mapping[Reply, float] = {}
        # How often each mail was taken, by its Message-ID.
        self.taken: Counter[str] = Counter()

    async def deliver(
        self, mail: bytes, *, message_id: str, sender: str, recipient: str, hostname: str
    ) -> str:
        """Take the mail, or not."""
        del sender, recipient, hostname
        await anyio.lowlevel.checkpoint()
        fate = None
        if self.chances:
            _, moment = self._fates.turn("relay")
            fate = self._fates.draw(moment, self.chances, step="relay")
        if fate is Reply.REFUSED:
            raise NotDelivered("451 try again later", is_final=False)
        if fate is Reply.UNREACHABLE:
            raise NotDelivered("nobody listens", is_final=False)
        self.taken[str(message_from_bytes(mail)["Message-ID"])] += 1
        if fate is Reply.LOST:
            raise NotDelivered("gone before the reply", is_final=False)
        return message_id
