"""Reads what an agent left in its work tree into a stream for ``git fast-import``.

git only names the paths that changed; the files are read here, each through open folders,
without following a symbolic link, and never waiting for a pipe. So nothing outside the work
tree can be published, whatever the agent puts in its place while it is read. Attributes are
not applied: the bytes in the work tree are the bytes in the commit.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from hotdesk.workspaces.errors import TooMuchToCommit, WorkspaceLost
from hotdesk.workspaces.removal import opened

FILE_BYTES_MAX = 50 * 2**20  # GitHub warns above 50 MiB and refuses files above 100 MiB.
COMMIT_BYTES_MAX = 2**30
COMMIT_FILES_MAX = 50_000
SKIPPED_MAX = 20

_CHUNK = 2**20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Names that git refuses to check out on some system, because they would be its own folder
# or a link in place of its list of submodules.
_GITS_OWN = re.compile(rb"(?:\.git|git~1)[ .]*(?:$|[\\:/])", re.IGNORECASE)
_GITS_OWN_LINK = re.compile(rb"\.gitmodules|gitmod~|gi7", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A path that was left as it was in the commit before, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Snapshot:
    """Collects the changes of one commit in *stream*, in the language of ``git fast-import``.

    ``stream`` is a file that can be cut. ``changes`` counts what was written or given up
    half-way, so it is 0 only when nothing changed.
    """

    root: Path
    stream: BinaryIO
    changes: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    _bytes: int = 0

    def read(self, tracked: Iterable[tuple[bytes, bool]], new: Iterable[bytes]) -> None:
        """Write the changes of the paths that git named.

        ``tracked`` are paths of the commit before, each with whether it is a submodule;
        ``new`` are paths that it does not have. This reads files: call it in a thread.

        Raises:
            WorkspaceLost: The work tree is gone, or is no folder any more.
            TooMuchToCommit: A bound of this module is reached.
        """
        files = []
        try:
            with opened(self.root) as tree:
                for path, is_submodule in tracked:
                    mode = self._mode(tree, path)
                    if mode is None or (is_submodule and stat.S_ISDIR(mode)):
                        continue
                    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                        files.append(path)
                    else:
                        self._delete(path)
                # First what goes, then what comes: a file may make room for a folder.
                for path in [*files, *new]:
                    self._write(tree, path)
        except OSError as error:
            raise WorkspaceLost(f"the work tree cannot be read: {error.strerror}") from error

    def _mode(self, tree: int, path: bytes) -> int | None:
        """Return the type of what is at *path*: 0 for nothing, ``None`` if nobody can tell."""
        parent, _, name = path.rpartition(b"/")
        try:
            with opened(tree, parent) as folder:
                return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except PermissionError:
            self._skip(path, "may not be read")
            return None
        except OSError:
            return 0

    def _delete(self, path: bytes) -> None:
        self._count()
        self.stream.write(b"D " + _quoted(path) + b"\n")

    def _write(self, tree: int, path: bytes) -> None:
        if any(_GITS_OWN.match(part) for part in path.split(b"/")):
            self._skip(path, "has a name that git keeps for itself")
            return
        parent, _, name = path.rpartition(b"/")
        file: int | None = None
        target = b""
        try:
            with opened(tree, parent) as folder:
                if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    target = os.readlink(name, dir_fd=folder)
                else:
                    file = os.open(name, _FILE, dir_fd=folder)
        except OSError:
            # Removed or replaced since git saw it, or closed to us.
            self._skip(path, "could not be read")
            return
        if file is None:
            self._write_link(path, target)
        else:
            with os.fdopen(file, "rb") as content:
                self._write_file(path, content)

    def _write_link(self, path: bytes, target: bytes) -> None:
        if _GITS_OWN_LINK.match(path.rpartition(b"/")[2]):
            self._skip(path, "has a name that git keeps for itself")
            return
        self._begin(path, b"120000", len(target))
        self.stream.write(target + b"\n")

    def _write_file(self, path: bytes, content: BinaryIO) -> None:
        found = os.fstat(content.fileno())
        if not stat.S_ISREG(found.st_mode):
            return
        if found.st_size > FILE_BYTES_MAX:
            self._skip(path, f"is larger than {FILE_BYTES_MAX // 2**20} MiB")
            return
        mode = b"100755" if found.st_mode & stat.S_IXUSR else b"100644"
        begin, left = self.stream.tell(), found.st_size
        self._begin(path, mode, found.st_size)
        while left and (chunk := content.read(min(left, _CHUNK))):
            self.stream.write(chunk)
            left -= len(chunk)
        self.stream.write(b"\n")
        if left:
            # The size stands before the content: a file that shrinks under our eyes cannot
            # be told rightly any more.
            self.stream.seek(begin)
            self.stream.truncate()
            self._skip(path, "was changed while it was read")

    def _begin(self, path: bytes, mode: bytes, size: int) -> None:
        self._count(size)
        self.stream.write(b"M %b inline %b\ndata %d\n" % (mode, _quoted(path), size))

    def _count(self, size: int = 0) -> None:
        self.changes += 1
        self._bytes += size
        if self.changes > COMMIT_FILES_MAX:
            raise TooMuchToCommit(f"more than {COMMIT_FILES_MAX} files changed")
        if self._bytes > COMMIT_BYTES_MAX:
            raise TooMuchToCommit(f"more than {COMMIT_BYTES_MAX // 2**20} MiB changed")

    def _skip(self, path: bytes, reason: str) -> None:
        if len(self.skipped) < SKIPPED_MAX:
            self.skipped.append(Skipped(path=shown(path), reason=reason))


def shown(path: bytes) -> str:
    """Return *path* as text for people; what is not UTF-8, or controls a terminal, is escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'
