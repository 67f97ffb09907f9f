"""One address out of a From field, or a refusal.

Programs disagree about comments, groups, quoted local parts and lists of addresses,
and forgers live from that: what a relay checked would not be what is read here. So a
From field is one plain address with a name beside it, and everything else is refused.
"""

import re
import unicodedata

import idna

from hotdesk.mail.characters import label
from hotdesk.mail.headers import ENCODED_WORD_START, Headers, words
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.rejection import MailRejected

LOCAL_PART_LENGTH_MAX = 64  # RFC 5321, 4.5.3.1.1.
DOMAIN_LENGTH_MAX = 253
NAME_LENGTH_MAX = 100
FIELD_BYTES_MAX = 1000

_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_DOMAIN = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# A name in front of <address>: quoted, or without any character that means something.
_WITH_NAME = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^"<>@,;:\\]*))\s*<([^<>\s]+)>')
# The oldest form, which Postfix still uses for bounces: the name is a comment behind it.
_WITH_COMMENT = re.compile(r"([^\s\"<>@,;:()]+@[^\s\"<>@,;:()]+) \(([^\"<>@,;:()\\]*)\)")
_QUOTED_PAIR = re.compile(r"\\(.)")
_ADDRESS_IN_NAME = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")


def sender_of(headers: Headers) -> Mailbox:
    """Return the one address that the From field names.

    Raises:
        MailRejected: There is no From field, more than one, or not one plain address.
    """
    values = headers.all("from")
    if len(values) != 1:
        raise MailRejected("the mail must have exactly one From field")
    if len(values[0]) > FIELD_BYTES_MAX:
        raise MailRejected("the From field is too long")
    # Encoded words are decoded after the address is found: an encoded "<" is no bracket.
    # Nor is anything but a space taken from its ends: to others it is part of the address.
    raw = values[0].decode("utf-8", "replace").strip(" \t")
    given, address = "", raw
    if match := _WITH_NAME.fullmatch(raw):
        given, address = _QUOTED_PAIR.sub(r"\1", match[1] or match[2] or ""), match[3]
    elif match := _WITH_COMMENT.fullmatch(raw):
        address, given = match[1], match[2]
    mailbox = parse_address(address)
    if mailbox is None:
        raise MailRejected("the From field must be one plain address", status="5.1.7")
    name = label(words(given.encode()), length_max=NAME_LENGTH_MAX)
    shown = _ADDRESS_IN_NAME.findall(unicodedata.normalize("NFKC", name))
    if any(address.lower() != mailbox.address for address in shown):
        raise MailRejected("the name in the From field is another address", status="5.7.1")
    return Mailbox(address=mailbox.address, name=name)


def parse_address(text: str) -> Mailbox | None:
    """Read ``local@domain``; ``None`` if it is not one plain address.

    The local part is lowered too: no provider gives ``Anna`` and ``anna`` to two people.
    One that looks like an encoded word is refused: some programs decode it.
    """
    local, at, domain = text.rpartition("@")
    domain = canonical_domain(domain)
    if not (at and domain and len(local) <= LOCAL_PART_LENGTH_MAX and _LOCAL_PART.fullmatch(local)):
        return None
    if ENCODED_WORD_START in local:
        return None
    return Mailbox(address=f"{local.lower()}@{domain}")


def canonical_domain(text: str) -> str:
    """Return the domain in lower-case ASCII (IDNA 2008), or nothing if it is none.

    The codec of the standard library follows IDNA 2003, which takes ``fuß.example`` for
    ``fuss.example``: somebody else's.
    """
    domain = text.lower()
    if not text.isascii() and len(text) <= DOMAIN_LENGTH_MAX:
        try:
            domain = idna.encode(text, uts46=True).decode("ascii")
        except idna.IDNAError:
            return ""
    return domain if len(domain) <= DOMAIN_LENGTH_MAX and _DOMAIN.fullmatch(domain) else ""
