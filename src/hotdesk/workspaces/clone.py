"""Makes the folder that an agent works in, and brings it to a commit again for the next job.

The files are checked out by the worker's own git directory and index. The ``.git`` that the
agent sees is written here, file by file: it borrows the mirror's objects, it is the agent's
to ruin, and nothing of Hotdesk ever runs git in it. It is replaced before every job.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from hotdesk.workspaces.commits import Identity
from hotdesk.workspaces.git import Place
from hotdesk.workspaces.layout import Room
from hotdesk.workspaces.mirror import ATTRIBUTES, Mirror
from hotdesk.workspaces.removal import opened, remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a clone starts from: its branch at commit ``head``, and the base to compare with.

    The commits that an agent makes by itself are by ``identity``. The clone is handed to the
    user ``owner_uid``, if one is given.
    """

    branch: str
    head: str
    base_name: str
    base: str
    identity: Identity
    owner_uid: int | None

    @property
    def refs(self) -> str:
        """The refs of the agent's repository, in git's format for packed ones."""
        refs = [f"{self.head} refs/heads/{self.branch}\n"]
        refs += [f"{self.base} refs/remotes/origin/{self.base_name}\n"] if self.base else []
        return "".join(refs)


async def check_out(room: Room, mirror: Mirror, start: Start) -> None:
    """Bring the clone to ``start.head``, with a fresh ``.git``.

    Files that the repository ignores stay, so that
    a warm desk keeps what it has built; other files that are not in the commit are removed.
    Nobody may be writing to the clone.

    Raises:
        GitFailed: The mirror is damaged, or the clone is in a state that git cannot mend.
    """
    place = Place(git_dir=mirror.path, work_tree=room.clone, index=room.index)
    run = mirror.git.run
    await run("read-tree", "--reset", "-u", start.head, at=place, is_long=True)
    strangers = await mirror.entries(
        "ls-files", "-z", "--others", "--exclude-standard", "--directory", at=place
    )
    await to_thread.run_sync(_remove_all, room, strangers)
    if start.owner_uid is not None:
        tracked = await mirror.entries("ls-files", "-z", at=place)
        await to_thread.run_sync(give, room.clone, tracked, start.owner_uid)
        # The index remembers the times of change, which a new owner changes.
        await run("update-index", "-q", "--refresh", at=place, statuses=(0, 1), is_long=True)
    await to_thread.run_sync(_write_git_dir, room, mirror, start)


def _remove_all(room: Room, paths: Iterable[bytes]) -> None:
    for path in paths:
        remove(room.clone, path.rstrip(b"/"), room.trash)


def _write_git_dir(room: Room, mirror: Mirror, start: Start) -> None:
    new = room.state / "git.new"
    remove(room.state, b"git.new", room.trash)
    for folder in ("objects/info", "refs/heads", "info"):
        (new / folder).mkdir(parents=True)
    files = {
        "HEAD": f"ref: refs/heads/{start.branch}\n",
        "objects/info/alternates": f"{mirror.path / 'objects'}\n",
        "packed-refs": start.refs,
        "info/attributes": ATTRIBUTES,
        "config": (
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
            f"[user]\n\tname = {_quoted(start.identity.name)}\n"
            f"\temail = {_quoted(start.identity.email)}\n"
        ),
    }
    for name, text in files.items():
        (new / name).write_text(text, encoding="utf-8")
    # The times in the worker's index are those of the same files.
    shutil.copyfile(room.index, new / "index")
    if start.owner_uid is not None:
        for path in [new, *new.rglob("*")]:
            os.chown(path, start.owner_uid, -1)
    remove(room.clone, b".git", room.trash)
    with opened(room.clone) as clone:
        os.rename(new, ".git", dst_dir_fd=clone)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def give(root: Path, paths: Iterable[bytes], owner_uid: int) -> None:
    """Give the tracked files, and the folders above them, to the agent's user.

    Only what belongs to the worker is given away, and no file with a second name: an agent
    may have put a hard link to somebody else's file in its place.
    """
    with opened(root) as tree:
        folders = {b""}
        for path in paths:
            parent, _, name = path.rpartition(b"/")
            try:
                with opened(tree, parent) as folder:
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    if found.st_uid == os.geteuid() and found.st_nlink == 1:
                        os.chown(name, owner_uid, -1, dir_fd=folder, follow_symlinks=False)
            except OSError:
                continue
            while parent not in folders:
                folders.add(parent)
                parent = parent.rpartition(b"/")[0]
        for parent in folders:
            with opened(tree, parent) as folder:
                os.fchown(folder, owner_uid, -1)
