"""Deleting what an agent left, while somebody may still be writing into it.

Nothing is reached by a path that goes through the agent's folders: every step is relative
to an open folder, and a symbolic link is removed, never followed. Folders are moved up into
the trash before they are emptied, so neither their depth nor a name in them is a limit.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ROUNDS_MAX = 3
_FOLDERS_MAX = 2_000_000


@contextmanager
def opened(root: Path | int, path: bytes = b"") -> Iterator[int]:
    """Open the folder *path* below *root* without following a symbolic link on the way.

    Raises:
        OSError: A part of it is missing, is no folder, or may not be entered.
    """
    held = os.open(root, _FOLDER) if isinstance(root, Path) else os.dup(root)
    try:
        for part in path.split(b"/") if path else []:
            assert part not in (b"", b".", b"..")
            inner = os.open(part, _FOLDER, dir_fd=held)
            os.close(held)
            held = inner
        yield held
    finally:
        os.close(held)


def remove(root: Path, path: bytes, trash: Path) -> bool:
    """Delete what is at *path* below *root*, whatever it is; return whether it is gone.

    What cannot be deleted now (somebody goes on writing into it) stays in *trash* for
    ``empty``.
    """
    parent, _, name = path.rpartition(b"/")
    try:
        with opened(root, parent) as folder, opened(trash) as heap:
            try:
                os.unlink(name, dir_fd=folder)
            except (IsADirectoryError, PermissionError):
                # Linux says EISDIR for a folder, POSIX says EPERM.
                moved = _move(folder, name, heap)
                return moved is not None and _empty(heap, moved)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return True


def empty(trash: Path) -> bool:
    """Delete what is left in *trash*; return whether nothing is left."""
    with opened(trash) as heap:
        left = [name for name in _names(heap) if not _empty(heap, name)]
    return not left


def _empty(heap: int, first: bytes) -> bool:
    """Delete the folder *first* in the heap, and those that come out of it."""
    waiting, seen = [first], 0
    for _ in range(_ROUNDS_MAX):
        todo, waiting = waiting, []
        # Bounded, because somebody could make folders as fast as they are deleted.
        while todo and (seen := seen + 1) < _FOLDERS_MAX:
            name = todo.pop()
            todo += _hollow_out(heap, name)
            try:
                os.rmdir(name, dir_fd=heap)
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=heap)
            except OSError:
                waiting.append(name)
        if not waiting and not todo:
            return True
    return False


def _hollow_out(heap: int, name: bytes) -> list[bytes]:
    """Unlink the files of one folder and move its folders into the heap; return their names."""
    moved: list[bytes] = []
    with contextlib.suppress(OSError):
        _unlock(heap, name)
        with opened(heap, name) as folder:
            for inner in _names(folder):
                try:
                    os.unlink(inner, dir_fd=folder)
                except (IsADirectoryError, PermissionError):
                    new = _move(folder, inner, heap)
                    moved += [new] if new else []
                except OSError:
                    continue
    return moved


def _names(folder: int) -> list[bytes]:
    with os.scandir(folder) as entries:
        return [os.fsencode(entry.name) for entry in entries]


def _move(folder: int, name: bytes, heap: int) -> bytes | None:
    new = secrets.token_hex(16).encode()
    try:
        _unlock(folder, name)
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=heap)
    except OSError:
        return None
    return new


def _unlock(folder: int, name: bytes) -> None:
    """Give ourselves the right to empty and to move a folder of ours.

    Only needed where the agent runs as the same user (root needs no right, and nobody can
    give it to themselves on another's folder): then there is nothing to gain by a race.
    """
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid() != 0
        and found.st_mode & stat.S_IRWXU != stat.S_IRWXU
    ):
        os.chmod(name, stat.S_IRWXU, dir_fd=folder)
