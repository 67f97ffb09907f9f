"""Reading what a program prints, however it is cut, however long, whatever it contains.

What comes out of here holds nothing that a terminal would obey, and no key of Anthropic's.
"""

import re
from collections.abc import Iterator

LINE_BYTES_MAX = 4 * 2**20
"""Longer lines are left out: what is waited for is words and numbers, not files."""
LABEL_LENGTH_MAX = 200

# ECMA-48: control strings (titles, links) up to their end, and sequences (colours, cursor).
# A string without an end is broken off by the next escape, as in a terminal. Every beginning
# must match: otherwise each of a million would be looked at to the end of the text.
_STRING = re.compile(r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?")
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?")
# Whatever is left of them, and what turns the direction of writing: a lie to who reads it.
_UNSEEN = dict.fromkeys(
    {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    - {0x09, 0x0A}
)
# What an agent is given it can print. Others are known to the runner; this one by its looks.
_KEY = re.compile(r"sk-ant-[\w-]{8,}")


def printable(text: str) -> str:
    r"""Return *text* with ``\n`` at the end of lines and no other control character but tabs."""
    text = _SEQUENCE.sub("", _STRING.sub("", text))
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNSEEN)
    # Halves of surrogate pairs, which JSON can spell and no file can hold.
    text = text.encode(errors="replace").decode()
    return _KEY.sub("***", text)


def label(text: str, *, length_max: int = LABEL_LENGTH_MAX) -> str:
    """Return the first line of *text* that says something, cut to *length_max*."""
    # Cut twice: what is cleaned may be a whole file.
    lines = printable(text[: 20 * length_max]).split("\n")
    line = next((each for each in map(str.strip, lines) if each), "").replace("\t", " ")
    return line if len(line) <= length_max else f"{line[: length_max - 1]}…"


class Lines:
    """Puts together the lines of a stream; a line is ``None`` if it was too long to be kept."""

    def __init__(self, bytes_max: int = LINE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._held = bytearray()
        self._is_dropping = False

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """Take the next piece, and yield the lines that it ends, without their ends."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._hold(end)
            yield self._take()
        self._hold(rest)

    def finish(self) -> bytes | None:
        """Return what came after the last line."""
        return self._take()

    def _hold(self, piece: bytes) -> None:
        if len(self._held) + len(piece) > self._bytes_max:
            self._is_dropping = True
            self._held.clear()
        if not self._is_dropping:
            self._held += piece

    def _take(self) -> bytes | None:
        line = None if self._is_dropping else bytes(self._held)
        self._is_dropping = False
        self._held.clear()
        return line
