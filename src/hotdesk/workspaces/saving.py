"""Turns what an agent left in its work tree into a commit in the mirror.

git compares and names; ``snapshot.py`` reads; ``git fast-import`` writes. There is no
``git add``: it follows what an agent swaps under its hands, asks the git directories that
an agent leaves inside the tree, and stops at the first file that it cannot read.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from anyio import to_thread

from hotdesk.workspaces.commits import Identity
from hotdesk.workspaces.errors import GitFailed, WorkspaceLost
from hotdesk.workspaces.git import Place
from hotdesk.workspaces.layout import Room
from hotdesk.workspaces.mirror import Mirror
from hotdesk.workspaces.removal import opened, remove
from hotdesk.workspaces.snapshot import Skipped, Snapshot

_NESTING_MAX = 5
_NOBODY = b"Hotdesk <hotdesk@localhost> 0 +0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What became of an agent's work: a commit, "" when there was nothing to commit.

    ``skipped`` is what the agent left that the commit does not hold.
    """

    id: str = ""
    skipped: tuple[Skipped, ...] = ()


async def write_tree(room: Room, mirror: Mirror, *, parent: str) -> str:
    """Return the tree that ``save`` would commit on top of *parent*; nothing refers to it yet.

    Raises:
        WorkspaceLost: The work tree is gone.
        TooMuchToCommit: There is more than one commit may carry.
        GitFailed: git could not do it.
    """
    # fast-import knows no trees without a commit. This one is dropped; made of nothing but
    # the tree, it is the same one however often it is made.
    commit = await _import(room, mirror, parent=parent, text=b"", author=_NOBODY, committer=_NOBODY)
    return await mirror.tree(commit.id or parent)


async def save(
    room: Room,
    mirror: Mirror,
    *,
    parent: str,
    text: bytes,
    author: Identity,
    committer: Identity,
    now: datetime,
) -> Commit:
    """Commit the work tree on top of *parent*, which its index is at.

    Raises:
        WorkspaceLost: The work tree is gone.
        TooMuchToCommit: There is more than one commit may carry.
        GitFailed: git could not do it.
    """
    commit = await _import(
        room,
        mirror,
        parent=parent,
        text=text,
        author=author.line(now),
        committer=committer.line(now),
    )
    if not commit.id:
        return commit
    # The index follows, with the times of the files, so that the next job finds them unchanged.
    place = Place(git_dir=mirror.path, work_tree=room.clone, index=room.index)
    await mirror.git.run("read-tree", "-m", "-i", commit.id, at=place)
    await mirror.git.run("update-index", "-q", "--refresh", at=place, statuses=(0, 1))
    same = await mirror.git.run(
        "diff-tree", "--quiet", parent, commit.id, at=mirror.place, statuses=(0, 1)
    )
    return commit if same.status else replace(commit, id="")


async def _import(
    room: Room, mirror: Mirror, *, parent: str, text: bytes, author: bytes, committer: bytes
) -> Commit:
    """Write the work tree as a commit that no ref holds; the index stays at *parent*.

    The commit may be equal to *parent*; "" says that it certainly is.
    """
    # The stream needs a ref; as it ends by unmaking it, there never is one.
    ref = f"refs/hotdesk/new/{secrets.token_hex(8)}".encode()
    by = b"author %b\ncommitter %b\n" % (author, committer)
    head = b"commit %b\nmark :1\n%bdata %d\n%b\nfrom %b\n"
    foot = b"\nget-mark :1\nreset %b\nfrom %b\n\ndone\n" % (ref, b"0" * len(parent))
    place = Place(git_dir=mirror.path, work_tree=room.clone, index=room.index)
    _look(room)
    new = await _new_paths(room, mirror, place)
    changed = await mirror.entries(
        "ls-files", "-z", "--modified", "--format=%(objectmode) %(path)", at=place
    )
    tracked = [(entry[7:], entry.startswith(b"160000 ")) for entry in changed]

    def fill(stream: BinaryIO) -> Snapshot:
        stream.write(head % (ref, by, len(text), text, parent.encode()))
        snapshot = Snapshot(root=room.clone, stream=stream)
        snapshot.read(tracked, new)
        stream.write(foot)
        stream.seek(0)
        return snapshot

    try:
        with tempfile.TemporaryFile(dir=room.state) as stream:
            snapshot = await to_thread.run_sync(fill, stream)
            skipped = tuple(snapshot.skipped)
            if not snapshot.changes:
                return Commit(skipped=skipped)
            said = await mirror.git.run(
                "fast-import", "--quiet", "--done", at=mirror.place, stdin=stream, is_long=True
            )
    except OSError as error:
        raise GitFailed("fast-import", None, f"it could not be prepared: {error}") from error
    return Commit(id=said.text, skipped=skipped)


def _look(room: Room) -> None:
    try:
        with opened(room.clone):
            return
    except OSError as error:
        raise WorkspaceLost(f"the folder of the agent is gone: {error.strerror}") from error


async def _new_paths(room: Room, mirror: Mirror, place: Place) -> list[bytes]:
    """Return the files that the commit before does not have and the repository does not ignore.

    A repository that the agent made inside the tree becomes an ordinary folder: committed as
    what git takes it for, a submodule, it would be a pointer to nowhere.
    """
    paths: list[bytes] = []
    for _ in range(_NESTING_MAX):
        paths = await mirror.entries("ls-files", "-z", "--others", "--exclude-standard", at=place)
        nested = [path for path in paths if path.endswith(b"/")]
        if not nested:
            return paths
        await to_thread.run_sync(_open_up, room, nested)
    return [path for path in paths if not path.endswith(b"/")]


def _open_up(room: Room, folders: Iterable[bytes]) -> None:
    for folder in folders:
        remove(room.clone, folder + b".git", room.trash)
