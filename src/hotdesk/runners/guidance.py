"""What a repository tells agents, read by us: its own settings are not trusted, its words are.

The files are as hostile as the rest of the repository: a link that leads out of it, a device
or a file without end is not read.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from hotdesk.workspaces.removal import opened

BYTES_MAX = 65_536
LINKS_MAX = 4  # CLAUDE.md is often a link to AGENTS.md.

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def guidance(workspace: Path, names: Iterable[str]) -> str:
    """The text of the first of *names* that is a file of *workspace*; at most BYTES_MAX of it."""
    for name in names:
        with suppress(OSError, ValueError):
            return _read(workspace, os.fsencode(name))
    return ""


def _read(workspace: Path, path: bytes) -> str:
    """Read one file below *workspace*, through links that stay below it.

    Raises:
        OSError: It is not there, or no file.
        ValueError: A link leads elsewhere.
    """
    for _ in range(LINKS_MAX):
        parent, _, name = path.rpartition(b"/")
        if {b"", b".", b".."} & set(path.split(b"/")):
            raise ValueError(path)
        with opened(workspace, parent) as folder:
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                target = os.readlink(name, dir_fd=folder)
                # An absolute one begins with an empty part, and is refused for it.
                path = os.path.normpath(b"/".join([parent, target] if parent else [target]))
                continue
            file = os.open(name, _FILE, dir_fd=folder)
        with FileIO(file) as content:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise ValueError(path)
            # A NUL can stand in no argument of a program.
            return content.read(BYTES_MAX).decode(errors="replace").replace("\0", "")
    raise ValueError(path)
