"""The last lines of a program's output, as a text for people and for mails.

What a program prints is hostile: it may move the cursor, ring, and write over what it said.
"""

import re

LINES_MAX = 30
LINE_LENGTH_MAX = 500
LENGTH_MAX = 4000

# ECMA-48: control strings (a title, a link) up to their end, and sequences (colours, cursor).
# A string without an end is broken off by the next escape, as in a terminal. Every beginning
# must match: otherwise each of a million would be looked at to the end of the text.
_STRING = re.compile(r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?")
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?")


def last_lines(output: bytes, *, lines_max: int = LINES_MAX, length_max: int = LENGTH_MAX) -> str:
    """Return the last lines that say something, without what controls a terminal."""
    text = output.decode(errors="replace").replace("\r\n", "\n")
    text = _SEQUENCE.sub("", _STRING.sub("", text))
    lines = [_shown(line) for line in text.split("\n")]
    last = "\n".join([line for line in lines if line][-lines_max:])
    if len(last) <= length_max:
        return last
    return last[-length_max:].partition("\n")[2]


def _shown(line: str) -> str:
    # A line that was written over, as of a progress bar, counts as what stood there last.
    line = line.rstrip("\r").rpartition("\r")[2].replace("\t", " ")
    return "".join(c for c in line if c.isprintable()).rstrip()[:LINE_LENGTH_MAX]
