"""Text from outside on its way to a terminal: what could steer one is taken out.

Names, instructions, logs and errors are written by strangers. An escape sequence in them
could hide lines, set titles or type for the reader.
"""

import re

from hotdesk.mail.characters import label, plain_text, storable

# ECMA-48: control sequences (colours too), and strings for the operating system.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
)
# They turn the direction of writing, so that a line reads otherwise than it is.
_DIRECTIONS = dict.fromkeys([0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def line(text: str, *, length_max: int = 200) -> str:
    """Return *text* as one line that is safe to print."""
    return label(_SEQUENCE.sub("", storable(text)), length_max=length_max)


def block(text: str) -> str:
    """Return *text* with its line ends and tabs, safe to print."""
    return plain_text(_SEQUENCE.sub("", storable(text))).translate(_DIRECTIONS)
