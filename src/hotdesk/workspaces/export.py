"""Writes a tree into a folder that has no git, for commands that build or publish it.

The files are written by the worker's own git directory, as those of a clone are: no hook,
no filter, no submodule, and no link is followed. What the tree holds is hostile, so it is
measured first.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from anyio import to_thread

from hotdesk.workspaces.clone import give
from hotdesk.workspaces.errors import GitFailed, TooMuchToCommit
from hotdesk.workspaces.git import Place
from hotdesk.workspaces.mirror import Mirror

EXPORT_BYTES_MAX = 4 * 2**30


async def export(mirror: Mirror, tree: str, folder: Path, *, owner_uid: int | None) -> None:
    """Make *folder* with the files of *tree*; see ``Workspaces.export``.

    The number of files is bounded by what git may say about them.
    """
    sizes = await mirror.entries(
        "ls-tree", "-r", "-z", "--format=%(objectsize)", tree, at=mirror.place
    )
    # git prints "-" for a submodule.
    needed = sum(int(size) for size in sizes if size != b"-")
    if needed > EXPORT_BYTES_MAX:
        raise TooMuchToCommit(f"the files have more than {EXPORT_BYTES_MAX // 2**20} MiB")
    try:
        _check_space(folder.parent, needed)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".index-") as aside:
            await to_thread.run_sync(folder.mkdir, 0o700)
            place = Place(git_dir=mirror.path, work_tree=folder, index=Path(aside, "index"))
            await mirror.git.run("read-tree", "--reset", "-u", tree, at=place, is_long=True)
            if owner_uid is not None:
                paths = await mirror.entries("ls-files", "-z", at=place)
                await to_thread.run_sync(give, folder, paths, owner_uid)
    except OSError as error:
        raise GitFailed("read-tree", None, f"it could not be prepared: {error}") from error


def _check_space(folder: Path, needed: int) -> None:
    # git would only say that it cannot write, and the job would be to blame.
    if needed > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
