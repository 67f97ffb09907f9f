"""Looking for a conversation among the files that an agent has left in its session folder.

They are the agent's: no link is followed, nothing but a regular file is read, and only so
much of it. What is found decides nothing but what is told to the agent again.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

BYTES_MAX = 64 * 2**20
"""As much as is kept of a session."""
ENTRIES_MAX = 10_000
"""How many names are looked at on the way."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def find(session: Path, *pattern: str) -> tuple[Path, bytes] | None:
    """Return the largest file below *session* whose path fits *pattern*, and its content.

    *pattern* has a shell pattern for each folder and one for the file; a part without wild
    cards is opened as it stands. Never raises.
    """
    best: tuple[Path, bytes] | None = None
    left = [ENTRIES_MAX]
    with suppress(OSError, ValueError), _opened(session) as held:
        for path, content in _matches(held, Path(), pattern, left):
            if best is None or len(content) > len(best[1]):
                best = (session / path, content)
    return best


def _matches(
    folder: int, at: Path, pattern: tuple[str, ...], left: list[int]
) -> Iterator[tuple[Path, bytes]]:
    for name in _names(folder, pattern[0], left):
        with suppress(OSError):
            if len(pattern) == 1:
                yield at / name, _content(folder, name)
                continue
            with _opened(name, folder) as inner:
                yield from _matches(inner, at / name, pattern[1:], left)


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


def _content(folder: int, name: str) -> bytes:
    """Read one file.

    Raises:
        OSError: It is not there, or no regular file.
    """
    file = os.open(name, _FILE, dir_fd=folder)
    try:
        # Asked first: a folder can be opened like this, and a pipe would never end.
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileNotFoundError(name)
        with open(file, "rb", closefd=False) as opened:
            return opened.read(BYTES_MAX)
    finally:
        os.close(file)
