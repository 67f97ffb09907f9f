"""Locks on files and folders, held by one process and free again when it ends in any way."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


def lock_file(path: Path) -> int | None:
    """Lock a file, which is made if it is missing, or a folder that is there.

    Returns the descriptor that holds the lock until it is closed, or ``None`` if another
    process holds it. Children do not inherit it.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def holder_of(path: Path) -> int | None:
    """The process that holds the lock on *path*, if the system tells."""
    # proc(5): "1: FLOCK  ADVISORY  WRITE 708 00:13:3597 0 EOF", the inode behind the device.
    with suppress(OSError, ValueError, IndexError):
        inode = str(path.stat().st_ino)
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                return int(fields[4])
    return None
