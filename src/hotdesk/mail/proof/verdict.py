"""What was found about the sender of a mail: proved or not, by what, and for which domain."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hotdesk.mail.letter import Mailbox


class How(StrEnum):
    """What a proof rests on."""

    DMARC = "dmarc"  # The domain's own DMARC record says that SPF or DKIM is enough.
    SPF = "spf"  # The domain has no such record.
    DKIM = "dkim"
    RELAY = "relay"
    SES = "ses"
    NONE = "none"  # Nobody was asked, because nobody else can reach the port.


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The finding on one mail.

    It is about the *domain* of the From field; which person there wrote the mail is that
    domain's own matter. ``reason`` says why nothing is proved, in words for the writer.
    ``written_to`` has the addresses that are signed together with the text, so that a
    signed mail to somebody else is no instruction; ``None`` if no signature covers them.
    ``known_by`` tells a signed mail from others where its Message-ID is not signed: with another
    one it is the same instruction.
    """

    how: How
    domain: str
    is_proved: bool = True
    reason: str = ""
    written_to: frozenset[str] | None = None
    known_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who handed a mail over: the address of the host, what it calls itself, and its MAIL FROM.

    ``address`` is empty where it is no finding: by LMTP, and for mail from a bucket.
    """

    address: str = ""
    hello: str = ""
    return_path: str = ""


Prover = Callable[[Mailbox, bytes, Peer, datetime], Awaitable[Proof]]
"""Finds out about a mail with this sender, raw, from this peer, at this instant.

Raises:
    Unavailable: It cannot be found out now; the mail may come again.
"""


async def believe(sender: Mailbox, _raw: bytes, _peer: Peer, _now: datetime) -> Proof:
    """Take the From field's word for it."""
    return Proof(how=How.NONE, domain=sender.domain)


def unproven(how: How, sender: Mailbox, reason: str) -> Proof:
    """Say that nothing shows that a mail comes from the domain of *sender*."""
    return Proof(how=how, domain=sender.domain, is_proved=False, reason=reason)
