"""Looking for a conversation among the files that an agent has left in its session folder.

They are the agent's: no link is followed, nothing but a regular file is opened, and one file
alone is read, whatever else is there. What is found decides nothing but what is told to the
agent again, and how much of a sum was spent before.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatchcase
from operator import itemgetter
from pathlib import Path

BYTES_MAX = 64 * 2**20
"""As much as is kept of a session."""
ENTRIES_MAX = 10_000
"""How many names are looked at on the way."""
LINE_BYTES_MAX = 4 * 2**20
"""Longer lines are not looked at: no prompt makes one, since an instruction is shorter."""

LINES_MAX = 100_000
"""How many lines are looked at; agents write what they are asked down a few times."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def find(session: Path, *pattern: str) -> tuple[Path, bytes] | None:
    """Return the largest file below *session* whose path fits *pattern*, and its content.

    *pattern* has a shell pattern for each folder and one for the file; a part without wild
    cards is opened as it stands. Blocks: up to ENTRIES_MAX names are looked at and BYTES_MAX
    of the one file are read. Never raises.
    """
    left = [ENTRIES_MAX]
    with suppress(OSError, ValueError), _opened(session) as held:
        sizes = _sizes(held, Path(), pattern, left)
        # By what they say of themselves: reading each to see could take hours.
        if found := max(sizes, key=itemgetter(0), default=None):
            return session / found[1], _content(held, found[1])
    return None


def lines(content: bytes, *words: str) -> Iterator[bytes]:
    """The lines of *content* with one of *words*, as JSON spells them in ASCII.

    An empty one stands for each that is too long, and there are LINES_MAX at most. Lines without
    them cost next to nothing: a conversation may have millions.
    """
    spelled = (
        json.dumps(word, ensure_ascii=False)[1:-1].encode(errors="replace") for word in words
    )
    looked_for = re.compile(b"|".join(map(re.escape, spelled)))
    start = 0
    for _ in range(LINES_MAX):
        if (found := looked_for.search(content, start)) is None:
            return
        begin = content.rfind(b"\n", start, found.start()) + 1 or start
        start = content.find(b"\n", found.end()) + 1 or len(content)
        yield content[begin:start] if start - begin <= LINE_BYTES_MAX else b""


def _sizes(
    folder: int, at: Path, pattern: tuple[str, ...], left: list[int]
) -> Iterator[tuple[int, Path]]:
    """The regular files that fit, with their sizes; none is opened."""
    for name in _names(folder, pattern[0], left):
        with suppress(OSError):
            if len(pattern) > 1:
                with _opened(name, folder) as inner:
                    yield from _sizes(inner, at / name, pattern[1:], left)
                continue
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield found.st_size, at / name


def _names(folder: int, pattern: str, left: list[int]) -> list[str]:
    if not any(wild in pattern for wild in "*?["):
        return [pattern]
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                break
            if fnmatchcase(entry.name, pattern):
                found.append(entry.name)
    return sorted(found)


@contextmanager
def _opened(folder: str | Path, within: int | None = None) -> Iterator[int]:
    held = os.open(folder, _FOLDER, dir_fd=within)
    try:
        yield held
    finally:
        os.close(held)


def _content(folder: int, path: Path) -> bytes:
    """Read one file.

    Raises:
        OSError: It is not there, or no regular file any more.
    """
    with ExitStack() as stack:
        for part in path.parts[:-1]:
            folder = stack.enter_context(_opened(part, folder))
        file = os.open(path.name, _FILE, dir_fd=folder)
    try:
        # Asked first: a folder can be opened like this, and a pipe would never end.
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileNotFoundError(path)
        with open(file, "rb", closefd=False) as opened:
            return opened.read(BYTES_MAX)
    finally:
        os.close(file)
