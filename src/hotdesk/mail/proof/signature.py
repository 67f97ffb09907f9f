"""One DKIM signature (RFC 6376, RFC 8463): what it says, and whether it is worth checking.

It must cover all of the mail that is read for its meaning: text or a subject that anybody
can add behind the signature would be anybody's instruction.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hotdesk.errors import Rejected
from hotdesk.mail.mailbox import canonical_domain

CLOCKS_DIFFER_MAX = timedelta(minutes=10)
TAGS_LENGTH_MAX = 10_000
SIGNED_FIELDS_MAX = 200

_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WHITE = re.compile(r"\s+")
_SELECTOR = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_-]+)*")
_ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_CANONICAL = ("simple", "relaxed")
# The year 9999 and later is no date.
_SECONDS = re.compile(r"\d{1,11}")


class Invalid(Rejected):
    """A signature or a key that proves nothing; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a field ``DKIM-Signature`` says. ``signed`` are the names of fields, in lower case.

    ``at`` is when it was made, if it says so.
    """

    domain: str
    at: datetime | None
    selector: str
    identity_domain: str
    key_type: str
    is_header_relaxed: bool
    is_body_relaxed: bool
    signed: tuple[str, ...]
    body_hash: bytes
    value: bytes

    @property
    def key_name(self) -> str:
        """Where its key is in DNS."""
        return f"{self.selector}._domainkey.{self.domain}"


def tags_of(text: str) -> dict[str, str]:
    """Read a list of tags (RFC 6376, 3.2).

    Raises:
        Invalid: It is none, or a tag comes twice: programs differ in which one they take.
    """
    if len(text) > TAGS_LENGTH_MAX:
        raise Invalid("it is too long")
    tags: dict[str, str] = {}
    # Behind the last semicolon there may be nothing.
    for part in text.strip().removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _TAG_NAME.fullmatch(name) or name in tags:
            raise Invalid("it cannot be read")
        tags[name] = value.strip()
    return tags


def read_signature(text: str, *, now: datetime) -> Signature:
    """Read the value of a field ``DKIM-Signature``.

    Raises:
        Invalid: It is not of the form that the RFC asks for, or not to be relied on.
    """
    tags = tags_of(text)
    try:
        if tags["v"] != "1":
            raise Invalid("it is of another version")
        key_type = _ALGORITHMS.get(tags["a"].lower())
        if key_type is None:
            raise Invalid("its algorithm is not rsa-sha256 or ed25519-sha256")
        domain = canonical_domain(tags["d"])
        selector = tags["s"]
        body_hash, value = base64_of(tags["bh"]), base64_of(tags["b"])
        signed = tuple(_WHITE.sub("", tags["h"]).lower().split(":"))
    except KeyError as error:
        raise Invalid(f"it has no tag {error.args[0]}") from None
    if not domain or not _SELECTOR.fullmatch(selector) or len(signed) > SIGNED_FIELDS_MAX:
        raise Invalid("it cannot be read")
    if "from" not in signed:
        raise Invalid("it leaves the From field open")
    if "l" in tags:
        raise Invalid("it covers a part of the text only (l=)")
    if "dns/txt" not in _WHITE.sub("", tags.get("q", "dns/txt")).split(":"):
        raise Invalid("its key is not in DNS")
    identity = canonical_domain(tags.get("i", f"@{domain}").rpartition("@")[2])
    if identity != domain and not identity.endswith(f".{domain}"):
        raise Invalid("it is made for another domain (i=)")
    header, _, body = tags.get("c", "simple/simple").lower().partition("/")
    if header not in _CANONICAL or (body or "simple") not in _CANONICAL:
        raise Invalid("it cannot be read")
    _check_times(tags, now)
    return Signature(
        domain=domain,
        at=_instant(tags, "t"),
        selector=selector.lower(),
        identity_domain=identity,
        key_type=key_type,
        is_header_relaxed=header == "relaxed",
        is_body_relaxed=body == "relaxed",
        signed=signed,
        body_hash=body_hash,
        value=value,
    )


def _check_times(tags: Mapping[str, str], now: datetime) -> None:
    at, until = _instant(tags, "t"), _instant(tags, "x")
    if at is not None and at > now + CLOCKS_DIFFER_MAX:
        raise Invalid("it is from the future (t=)")
    if until is not None and (until <= now or (at is not None and until <= at)):
        raise Invalid("it has expired (x=)")


def _instant(tags: Mapping[str, str], name: str) -> datetime | None:
    if name not in tags:
        return None
    if not _SECONDS.fullmatch(tags[name]):
        raise Invalid(f"its time cannot be read ({name}=)")
    return datetime.fromtimestamp(int(tags[name]), UTC)


def base64_of(text: str) -> bytes:
    """Decode what a tag holds, white space allowed.

    Raises:
        Invalid: It is no base64, or empty.
    """
    try:
        raw = base64.b64decode(_WHITE.sub("", text), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise Invalid("it cannot be read")
    return raw
