"""How much of the disk a program takes, looked at while it runs.

No quota works everywhere without privileges, so a program is ended once it has taken too
much: in its folders, or so much that little is left for anybody. The second also meets
what no look at folders finds: files that were deleted and are still written.
"""

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from hotdesk.confinement import TOOLS_PATH, Walls
from hotdesk.errors import AttemptFailed

LOOK_SECONDS = 2.0
MEASURE_SECONDS_MAX = 60
REST_SHARE = 20
"""Measuring takes at most one part in so many of the time: a folder may have a million files."""
GROWN_SHARE = 4
"""Measured at once when the disk has lost this share of what the folders may hold."""
FREE_BYTES_MIN = 1 << 30
FREE_SHARE_MIN = 20
"""Of a small disk, this share is enough to be left free."""
GIB = 1 << 30


async def watch_disk(walls: Walls) -> None:
    """Look at the program's folders for ever.

    Raises:
        AttemptFailed: They hold more than ``limits.disk_bytes``; or hardly anything is free
            on their disk (to be given back).
    """
    folders = (walls.workspace, walls.home, *walls.writable)
    bytes_max = walls.limits.disk_bytes
    free_then = await _free(folders)
    rests_until = 0.0
    while True:
        await anyio.sleep(LOOK_SECONDS)
        free = await _free(folders)
        begun = anyio.current_time()
        if begun < rests_until and free_then - free < bytes_max // GROWN_SHARE:
            continue
        if await _held(folders) > bytes_max:
            raise AttemptFailed(
                f"more than {bytes_max / GIB:.3g} GiB lie in the workspace and the home;"
                " see [confinement] disk_max_bytes",
                is_retryable=False,
            )
        free_then, ended = free, anyio.current_time()
        rests_until = ended + REST_SHARE * (ended - begun)


async def _free(folders: Iterable[Path]) -> int:
    """Return what is free on the fullest disk of *folders*.

    Raises:
        AttemptFailed: That is hardly anything.
    """
    # A disk that is a network away may take its time; nobody waits for it in the end.
    look = partial(_frees, folders)
    frees = await to_thread.run_sync(look, abandon_on_cancel=True)
    if any(free < min(FREE_BYTES_MIN, whole // FREE_SHARE_MIN) for free, whole in frees):
        raise AttemptFailed(
            "the disk is nearly full, so no agent may write to it; make room on it",
            is_given_back=True,
        )
    return min((free for free, _ in frees), default=0)


def _frees(folders: Iterable[Path]) -> list[tuple[int, int]]:
    """Return how much is free and how much there is, for each folder that is still there."""
    found = []
    for folder in folders:
        with suppress(OSError):
            disk = os.statvfs(folder)
            found.append((disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize))
    return found


async def _held(folders: Iterable[Path]) -> int:
    """Return how many bytes *folders* take on the disk; 0 if that cannot be found out in time.

    By ``du``, because it follows no link, finds its way in a tree of any depth, counts what
    has two names once, and can be ended. What it may not read is not in the sum.
    """
    with anyio.move_on_after(MEASURE_SECONDS_MAX):
        said = await anyio.run_process(
            ["nice", "du", "-s", "-k", "-x", "--", *map(str, folders)],
            check=False,
            env={"PATH": TOOLS_PATH},
            stderr=subprocess.DEVNULL,
        )
        sizes = [line.split(b"\t")[0] for line in said.stdout.splitlines()]
        return sum(int(size) for size in sizes if size.isdigit()) * 1024
    return 0
