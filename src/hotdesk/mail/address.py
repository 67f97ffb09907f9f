"""The addresses that Hotdesk reads mail for: ``project+user@domain``, with or without a thread.

``project+user+thread-<id>-<signature>@domain`` names a thread of that desk. The
signature is HMAC-SHA-256 over desk and thread, cut to 80 bits: it lets a reply find its
thread when the mail program dropped the references, and nobody else make one up. It
does not let anyone write who otherwise may not.
"""

import base64
import hmac
from dataclasses import dataclass

from hotdesk.desks import Desk
from hotdesk.errors import Rejected
from hotdesk.mail.mailbox import LOCAL_PART_LENGTH_MAX, parse_address
from hotdesk.mail.rejection import MailRejected

KEY_BYTES_MIN = 16
SIGNATURE_LENGTH = 16  # Characters of base32, 5 bits each.

_TOKEN_START = "thread-"  # noqa: S105 - the start of a public address, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A desk that a mail was sent to; ``token`` claims a thread and proves nothing yet."""

    desk: Desk
    token: str = ""


def parse_recipient(address: str, *, domain: str) -> Recipient:
    """Read the address of a desk, in any case.

    Raises:
        MailRejected: It belongs to another domain, or is not of the form
            ``project+user@domain``.
    """
    mailbox = parse_address(address)
    if mailbox is None:
        raise MailRejected("this is not an address", code=550, status="5.1.3")
    if mailbox.domain != domain.lower():
        raise MailRejected(
            "no mail for this domain here: relaying denied", code=550, status="5.1.2"
        )
    project, _, rest = mailbox.local_part.partition("+")
    user, _, token = rest.partition("+")
    try:
        return Recipient(desk=Desk(project, user), token=token)
    except Rejected as error:
        raise MailRejected(
            f"no such address; write to project+user@{mailbox.domain}", code=550, status="5.1.1"
        ) from error


def desk_address(desk: Desk, *, domain: str) -> str:
    """Return the address that starts a new thread on *desk*.

    Raises:
        Rejected: The names are too long to stand in an address (RFC 5321: 64 octets).
    """
    local = f"{desk.project}+{desk.user}"
    if len(local) > LOCAL_PART_LENGTH_MAX:
        raise Rejected(
            f"the names of desk {desk} are too long for an address: project and user have "
            f"{LOCAL_PART_LENGTH_MAX - 1} characters together"
        )
    return f"{local}@{domain}"


def thread_address(desk: Desk, thread: str, *, domain: str, key: bytes) -> str:
    """Return the address that continues *thread*; that of the desk, if it would be too long.

    Then a reply finds its thread by its references only.

    Raises:
        Rejected: The names are too long even for the address of the desk, or the key
            is too short.
    """
    address = desk_address(desk, domain=domain)
    local = f"{desk.project}+{desk.user}+{thread_token(desk, thread, key=key)}"
    return f"{local}@{domain}" if len(local) <= LOCAL_PART_LENGTH_MAX else address


def thread_token(desk: Desk, thread: str, *, key: bytes) -> str:
    """Return the signed name of *thread*, good for this desk only.

    Raises:
        Rejected: The key is too short.
    """
    if len(key) < KEY_BYTES_MIN:
        raise Rejected(f"the key for thread addresses needs at least {KEY_BYTES_MIN} bytes")
    # "#" and NUL stand in no name, so two pairs never give one text.
    digest = hmac.digest(key, f"thread\0{desk.key}\0{thread}".encode(), "sha256")
    signature = base64.b32encode(digest)[:SIGNATURE_LENGTH].decode("ascii").lower()
    return f"{_TOKEN_START}{thread}-{signature}"


def thread_of_token(desk: Desk, token: str, *, key: bytes) -> str | None:
    """Return the thread that *token* names, or ``None`` if it was not made for this desk."""
    thread = token.removeprefix(_TOKEN_START)[: -SIGNATURE_LENGTH - 1]
    if not thread:
        return None
    genuine = thread_token(desk, thread, key=key)
    return thread if hmac.compare_digest(genuine.encode(), token.encode()) else None
