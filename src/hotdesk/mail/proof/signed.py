"""What a DKIM signature was made over: the text of a mail and its fields, in canonical form.

Everything is linear in the size of the mail, and cut into pieces, so that a thread that
does it lets the others run. A pattern for white space at the ends of lines is neither.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from hotdesk.mail.headers import read_headers
from hotdesk.mail.proof.form import is_form_certain
from hotdesk.mail.proof.signature import Invalid, Signature

SIGNATURE_FIELD = "dkim-signature"
PIECE_BYTES = 64 * 1024
# A mail server tries for five days (RFC 5321, 4.5.4.1). What is older was sent once more, by
# whoever has it; the job that it became then is remembered for a while only.
AGE_MAX = timedelta(days=7)
DATES_DIFFER_MAX = timedelta(days=1)  # A person's own clock may be wrong by its time zone.

# What a mail is read for: each of these counts only if all of its fields are signed.
_MEANING = (
    "from subject date message-id in-reply-to references reply-to to cc "
    "mime-version content-type content-transfer-encoding"
).split()
_WHITE = re.compile(rb"[ \t]+")
# A name beside an address shows whatever its owner chose, another address as well.
_DECORATION = re.compile(
    r'"(?:[^"\\]|\\.)*+"|\((?:[^()\\]|\\.)*+\)|=\?[^?\s]*+\?[bq]\?[^?]*+\?=',
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN = re.compile(r"[,;:]")
_ADDRESS = re.compile(r"\s*(?:[^<>]*<([^<>\s]+)>|([^<>\s]+))\s*")


class SignedMail:
    """A mail as its signers saw it."""

    def __init__(self, raw: bytes) -> None:
        """*raw* is a mail that was read already: its header fields are of the usual form.

        Raises:
            MailRejected: They are not.
        """
        self._headers, start = read_headers(raw, 0, len(raw))
        self._fields = list(_fields(raw[:start]))
        self._body = raw[start:]
        self._hashes: dict[bool, bytes] = {}

    def signatures(self) -> Iterator[tuple[int, str]]:
        """The signatures from the top, each with the number of its field."""
        for number, (name, raw) in enumerate(self._fields):
            if name == SIGNATURE_FIELD:
                text = raw.partition(b":")[2].decode("ascii", "replace")
                yield number, text.replace("\r\n", "")

    def check_coverage(self, signature: Signature) -> None:
        """See that nothing of what is read was added behind the signature.

        Raises:
            Invalid: Something may have been.
        """
        names = [name for name, _ in self._fields]
        if "subject" in names and "subject" not in signature.signed:
            raise Invalid("it leaves the subject open")
        for name in _MEANING:
            count = signature.signed.count(name)
            if count and names.count(name) > count:
                raise Invalid(f"a field {name} was added behind it")
        if not is_form_certain(self._headers, self._body, signed=signature.signed):
            raise Invalid(
                "it leaves open how its text is to be read: write plain text, or let the domain "
                "sign Content-Type"
            )

    def check_age(self, signature: Signature, now: datetime) -> None:
        """See that the mail was sent just now.

        Raises:
            Invalid: It is old, or nothing that is signed says when it was sent.
        """
        at = signature.at or (self._date() if "date" in signature.signed else None)
        if at is None:
            raise Invalid("nothing says when it was made")
        if at > now + DATES_DIFFER_MAX:
            raise Invalid("it is from the future")
        if at < now - AGE_MAX:
            raise Invalid(f"it is older than {AGE_MAX.days} days")

    def _date(self) -> datetime | None:
        text = next((raw for name, raw in self._fields if name == "date"), b"")
        try:
            date = parsedate_to_datetime(text.partition(b":")[2].decode("ascii", "replace")[:100])
            return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None

    def body_hash(self, *, is_relaxed: bool) -> bytes:
        """The digest of the text (RFC 6376, 3.4.3 and 3.4.4)."""
        if is_relaxed not in self._hashes:
            pieces = _relaxed(self._body) if is_relaxed else _simple(self._body)
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
            self._hashes[is_relaxed] = digest.digest()
        return self._hashes[is_relaxed]

    def signed_fields(self, signature: Signature, number: int) -> bytes:
        """The signed fields and, without its value, the signature that is field *number*."""
        canonical = _relaxed_field if signature.is_header_relaxed else _simple_field
        written = [canonical(raw) for raw in self._chosen(signature)]
        own = canonical(_without_value(self._fields[number][1]))
        return b"".join(written) + own.removesuffix(b"\r\n")

    def written_to(self, signature: Signature) -> frozenset[str] | None:
        """The addresses in the signed To and Cc; ``None`` if neither is signed."""
        named = {"to", "cc"}.intersection(signature.signed)
        if not named:
            return None
        text = b",".join(raw.partition(b":")[2] for name, raw in self._fields if name in named)
        return frozenset(_addresses(text[:PIECE_BYTES].decode("utf-8", "replace")))

    def known_by(self, signature: Signature) -> str:
        """What the mail is known by instead of its Message-ID; nothing if that one is signed."""
        if "message-id" in signature.signed and len(self._headers.ids("message-id")) == 1:
            return ""
        return hashlib.sha256(signature.value).hexdigest()

    def _chosen(self, signature: Signature) -> Iterator[bytes]:
        """Yield the fields that are meant: of several with one name, the lowest first."""
        left: dict[str, list[bytes]] = {}
        for name, raw in self._fields:
            left.setdefault(name, []).append(raw)
        for name in signature.signed:
            if left.get(name):
                yield left[name].pop()


def _addresses(text: str) -> Iterator[str]:
    """Yield to whom a list of addresses sends, in lower case; nothing where that is unclear."""
    plain = _DECORATION.sub(" ", text)
    if set(plain) & set('"()'):
        return
    for each in _BETWEEN.split(plain):
        if match := _ADDRESS.fullmatch(each):
            yield (match[1] or match[2]).lower()


def _fields(head: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each field as it stands, with its line breaks."""
    lines: list[bytes] = []
    for line in head.splitlines(keepends=True):
        if line[:1] in (b" ", b"\t") and lines:
            lines.append(line)
            continue
        if lines:
            yield _field(lines)
        lines = [line]
    if lines and lines[0].strip(b"\r\n"):
        yield _field(lines)


def _field(lines: list[bytes]) -> tuple[str, bytes]:
    name = lines[0].partition(b":")[0].rstrip(b" \t").decode("ascii", "replace").lower()
    return name, b"".join(line.rstrip(b"\r\n") + b"\r\n" for line in lines)


def _simple_field(raw: bytes) -> bytes:
    return raw


def _relaxed_field(raw: bytes) -> bytes:
    name, _, value = raw.partition(b":")
    text = _WHITE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + text + b"\r\n"


def _without_value(raw: bytes) -> bytes:
    """Return a signature field with the tag ``b`` empty, and all else as it is."""
    name, _, value = raw.partition(b":")
    parts = value.split(b";")
    for number, part in enumerate(parts):
        tag, equals, _ = part.partition(b"=")
        if tag.strip() == b"b" and equals:
            # The line break at the end belongs to the field.
            end = b"\r\n" if number == len(parts) - 1 else b""
            parts[number] = tag + equals + end
    return name + b":" + b";".join(parts)


def _simple(body: bytes) -> Iterator[bytes]:
    yield body.rstrip(b"\r\n")
    yield b"\r\n"


def _relaxed(body: bytes) -> Iterator[bytes]:
    text = body.rstrip(b" \t\r\n")
    at = 0
    while at < len(text):
        end = text.find(b"\n", at + PIECE_BYTES) + 1 or len(text)
        piece = text[at:end].replace(b"\t", b" ")
        while b"  " in piece:
            piece = piece.replace(b"  ", b" ")
        yield piece.replace(b" \r\n", b"\r\n")
        at = end
    if text:
        yield b"\r\n"
