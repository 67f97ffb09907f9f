"""A mail as a tree of parts, split within bounds and in linear time.

The standard library's parser is not used for this: a mail of 2 MB with 100 nested
parts keeps it busy for 5 s, and some header fields make it raise (decision 0020).
Nothing inside a part of type ``message/rfc822`` is looked at: a mail that is
attached is a file.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from hotdesk.mail.headers import Headers, base64_bytes, read_headers
from hotdesk.mail.rejection import MailRejected

PARTS_MAX = 250
DEPTH_MAX = 10
BOUNDARY_LENGTH_MAX = 200  # RFC 2046 allows 70; some programs write more.

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: a container with ``parts``, or a leaf with its still encoded ``body``."""

    headers: Headers
    content_type: str
    parameters: dict[str, str]
    parts: tuple["Part", ...] = ()
    body: bytes = b""

    def content(self) -> bytes:
        """Decode the body; an encoding that is not known leaves it as it is."""
        match self.headers.keyword("content-transfer-encoding"):
            case "base64":
                return base64_bytes(self.body)
            case "quoted-printable":
                return binascii.a2b_qp(self.body)
        return self.body

    def leaves(self) -> Iterator["Part"]:
        """Every part that is not a container, in the order of the mail."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def split(raw: bytes) -> Part:
    """Split *raw* into its parts.

    Raises:
        MailRejected: It has too many parts, too deeply nested ones, or headers that
            cannot be trusted; see ``read_headers``.
    """
    return _Splitter(raw).part(0, len(raw), depth=0, default_type="text/plain")


class _Splitter:
    """Splits one mail; offsets into it are passed around, so that nothing is copied."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._parts = 0

    def part(self, start: int, end: int, *, depth: int, default_type: str) -> Part:
        self._parts += 1
        if self._parts > PARTS_MAX or depth > DEPTH_MAX:
            raise MailRejected("the mail has too many parts; please attach fewer files")
        headers, body_start = read_headers(self._raw, start, end)
        content_type = headers.keyword("content-type")
        if not _TYPE.fullmatch(content_type):
            content_type = default_type
        parameters = headers.parameters("content-type")
        parts: tuple[Part, ...] = ()
        boundary = parameters.get("boundary", "").rstrip()
        if content_type.startswith("multipart/"):
            if 0 < len(boundary) <= BOUNDARY_LENGTH_MAX:
                inner = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
                parts = tuple(
                    self.part(*span, depth=depth + 1, default_type=inner)
                    for span in self._spans(boundary.encode("utf-8"), body_start, end)
                )
            if not parts:
                # Nothing marks parts in it: what there is to read is text (RFC 2045, 5.2).
                content_type = "text/plain"
        body = b"" if parts else self._raw[body_start:end]
        return Part(
            headers=headers,
            content_type=content_type,
            parameters=parameters,
            parts=parts,
            body=body,
        )

    def _spans(self, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where the parts between the delimiter lines start and end."""
        # What looks like one of them and is none costs nothing outside the pattern: 25 MB of it
        # would take 10 s. A body always has a line end before it.
        dashes = re.escape(b"--" + boundary)
        delimiter = re.compile(dashes + rb"(?<=\n" + dashes + rb")(--)?[ \t]*+\r?(?:\n|\Z)")
        part_start = -1
        for match in delimiter.finditer(self._raw, start, end):
            if part_start >= 0:
                yield part_start, self._before_line_end(part_start, match.start())
            if match[1]:
                return
            part_start = match.end()
        if part_start >= 0:
            yield part_start, end

    def _before_line_end(self, start: int, end: int) -> int:
        """Return the end without the line break, which belongs to the delimiter (RFC 2046, 5.1)."""
        if end > start and self._raw[end - 1] == ord("\n"):
            end -= 1
        if end > start and self._raw[end - 1] == ord("\r"):
            end -= 1
        return end
