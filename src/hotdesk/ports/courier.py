"""Who takes the answers by mail, and answers for them from then on."""

from __future__ import annotations

from typing import Protocol

from hotdesk.errors import HotdeskError


class NotDelivered(HotdeskError):
    """A mail was not taken; ``is_final`` when this mail never will be.

    Its text is what was said about it, and is kept with the answer.
    """

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


class Courier(Protocol):
    """Takes mails: a relay, or SES."""

    async def deliver(
        self, mail: bytes, *, message_id: str, sender: str, recipient: str, hostname: str
    ) -> str:
        """Give one mail away; bounces go to *sender*, and *hostname* is who calls.

        Returns the Message-ID under which it travels: *message_id*, which stands in it,
        or another one that the courier gave it.

        Raises:
            NotDelivered: It was not taken, or it is not known whether it was.
        """
        ...
