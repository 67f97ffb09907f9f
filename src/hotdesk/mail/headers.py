"""Header fields as bytes, and the few ways in which Hotdesk reads them.

The standard library's ``policy.default`` raises ``IndexError`` on
``Message-ID: <[abc]@x>``, ``TypeError`` on a parameter that is numbered and not
numbered, ``ValueError`` on one with 5,000 digits. So fields stay raw here, and each
reader takes what it can use and leaves the rest.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from hotdesk.mail.characters import decoded, plain_text
from hotdesk.mail.rejection import MailRejected

FIELDS_MAX = 500
FIELDS_BYTES_MAX = 256 * 1024
VALUE_BYTES_MAX = 16 * 1024  # What is read of one field; the rest of it is ignored.
MESSAGE_ID_LENGTH_MAX = 250
ENCODED_WORD_START = "=?"  # RFC 2047, 2.

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
# What is between the brackets is opaque (RFC 5322, 3.6.4), but it goes into headers and
# logs of ours, so it is visible ASCII.
_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,%d}>" % MESSAGE_ID_LENGTH_MAX)
_ENCODED_WORD = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]*)\?=")
_PARAMETER = re.compile(
    r";\s*([^\s=;*\"]{1,60})(?:\*(\d{1,3}))?(\*?)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^;]*)", re.DOTALL
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of one header section, names in lower case, in their order."""

    fields: tuple[tuple[str, bytes], ...] = ()

    def all(self, name: str) -> list[bytes]:
        """Every value of the field *name*, raw."""
        return [value for field, value in self.fields if field == name]

    def first(self, name: str) -> bytes:
        """The first value of the field *name*, raw; empty without one."""
        return next((value for field, value in self.fields if field == name), b"")

    def text(self, name: str) -> str:
        """The first value of the field *name*, with its encoded words decoded (RFC 2047)."""
        return words(self.first(name))

    def ids(self, name: str) -> tuple[str, ...]:
        """The message ids in all fields *name*, in their order, each once."""
        return message_ids(b" ".join(value[:VALUE_BYTES_MAX] for value in self.all(name)))

    def keyword(self, name: str) -> str:
        """The first word of the field *name* in lower case, without comment or parameter."""
        value = decoded(self.first(name)[:VALUE_BYTES_MAX])
        return re.split(r"[;(\s]", value.strip().lower(), maxsplit=1)[0]

    def parameters(self, name: str) -> dict[str, str]:
        """The parameters of the field *name*, as of Content-Type (RFC 2045 and 2231)."""
        return _parameters(decoded(self.first(name)[:VALUE_BYTES_MAX]))


def read_headers(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    """Read the header section at *start*; return it and where the body begins.

    A line that is no field ends the section, as with Postfix and the standard library.

    Raises:
        MailRejected: There is more than any mail program writes, or a NUL or a bare
            carriage return, which other programs take for the end of a line: what
            they checked would not be what is read here.
    """
    fields: list[tuple[str, list[bytes]]] = []
    at = start
    while at < end and len(fields) <= FIELDS_MAX:
        newline = raw.find(b"\n", at, end)
        behind = newline + 1 if newline >= 0 else end
        if behind - start > FIELDS_BYTES_MAX:
            raise MailRejected("the headers are too long; please send a new mail")
        line = raw[at:behind].removesuffix(b"\n").removesuffix(b"\r")
        if not line:
            at = behind
            break
        if line[:1] in b" \t" and fields:
            fields[-1][1].append(line)
        elif match := _FIELD.fullmatch(line):
            fields.append((match[1].decode("ascii").lower(), [match[2]]))
        elif not (line.startswith(b"From ") and at == start):  # The first line of an mbox.
            break
        if b"\r" in line or b"\0" in line:
            raise MailRejected("a header contains control characters")
        at = behind
    if len(fields) > FIELDS_MAX:
        raise MailRejected("there are too many headers; please send a new mail")
    return Headers(tuple((name, b"".join(lines).strip(b" \t")) for name, lines in fields)), at


def message_ids(raw: bytes) -> tuple[str, ...]:
    """Return what looks like a message id in *raw*, each once; the rest is ignored."""
    return tuple(dict.fromkeys(i.decode("ascii") for i in _MESSAGE_ID.findall(raw)))


def words(value: bytes) -> str:
    """Decode a header's text: encoded words, and raw bytes where there should be none."""
    text = decoded(value[:VALUE_BYTES_MAX])
    return plain_text("".join(_words(text)))


def _words(text: str) -> Iterator[str]:
    at, pending, charset = 0, b"", ""
    for match in _ENCODED_WORD.finditer(text):
        between = text[at : match.start()]
        # White space between two encoded words is not part of the text (RFC 2047, 6.2),
        # and some programs cut one character in two: only bytes joined again decode.
        if between.strip() or not charset or charset != match[1].lower():
            yield decoded(pending, charset)
            pending = b""
            yield between if between.strip() or not charset else ""
        charset = match[1].lower()
        pending += _word_bytes(match[2], match[3])
        at = match.end()
    yield decoded(pending, charset)
    yield text[at:]


def _word_bytes(encoding: str, word: str) -> bytes:
    if encoding in "bB":
        return base64_bytes(word.encode("ascii", "ignore"))
    return binascii.a2b_qp(word.encode("utf-8"), header=True)


def base64_bytes(raw: bytes) -> bytes:
    """Decode what can be decoded of *raw*; foreign characters and a cut end do no harm."""
    digits = raw.translate(None, _NOT_BASE64).partition(b"=")[0]
    # One digit alone holds six bits: not yet a byte.
    whole = digits[:-1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)


def _parameters(value: str) -> dict[str, str]:
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(value):
        name, number, star, text = match[1].lower(), match[2], match[3], match[4].strip()
        if text.startswith('"') and text.endswith('"'):
            text = _QUOTED_PAIR.sub(r"\1", text[1:-1])
        if number or star:
            pieces.setdefault(name, {}).setdefault(int(number or 0), (text, bool(star)))
        else:
            plain.setdefault(name, text)
    extended = {name: _joined(numbered) for name, numbered in pieces.items()}
    return plain | {name: text for name, text in extended.items() if text}


def _joined(numbered: dict[int, tuple[str, bool]]) -> str:
    """Put the pieces of one parameter together (RFC 2231): 0, 1, 2 … until one is missing."""
    charset, joined = "", b""
    for number in range(len(numbered)):
        if number not in numbered:
            break
        text, is_encoded = numbered[number]
        if is_encoded and number == 0 and text.count("'") > 1:
            charset, _, text = text.split("'", 2)
        joined += unquote_to_bytes(text) if is_encoded else text.encode("utf-8")
    return decoded(joined, charset)
