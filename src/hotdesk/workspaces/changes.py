"""Which files a job changed, for the answer."""

from __future__ import annotations

from dataclasses import dataclass

from hotdesk.workspaces.mirror import Mirror
from hotdesk.workspaces.snapshot import shown

FILES_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """One file, with its added and removed lines; both are 0 in a file that is not text."""

    path: str
    insertions: int
    deletions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What lies between two commits. ``files`` are the first of ``file_count``."""

    files: tuple[ChangedFile, ...] = ()
    file_count: int = 0
    insertions: int = 0
    deletions: int = 0

    def lines(self) -> tuple[str, ...]:
        """Return one line for each file shown, and one for those that are not."""
        lines = [f"{file.path} +{file.insertions} -{file.deletions}" for file in self.files]
        if more := self.file_count - len(self.files):
            lines.append(f"and {more} more")
        return tuple(lines)


async def changes_between(mirror: Mirror, old: str, new: str) -> Changes:
    """Count what changed from one commit to another."""
    entries = await mirror.entries(
        "diff-tree", "-r", "-z", "--numstat", "--no-renames", old, new, at=mirror.place
    )
    files = [_read(*entry.split(b"\t", 2)) for entry in entries]
    return Changes(
        files=tuple(files[:FILES_SHOWN_MAX]),
        file_count=len(files),
        insertions=sum(file.insertions for file in files),
        deletions=sum(file.deletions for file in files),
    )


def _read(insertions: bytes, deletions: bytes, path: bytes) -> ChangedFile:
    # git prints "-" for both in files that are not text.
    return ChangedFile(
        path=shown(path),
        insertions=int(insertions) if insertions != b"-" else 0,
        deletions=int(deletions) if deletions != b"-" else 0,
    )
