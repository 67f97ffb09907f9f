"""What an agent keeps of a conversation from one attempt to the next, wherever that one runs.

It is a folder in the agent's home: unpacked before the program starts, packed when it has
ended. Each generation of a desk packs under a key of its own, so that a worker that was
taken over in its sleep overwrites nothing. What is in the folder is the agent's, and read
as something hostile: no links, no devices, bounded.
"""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path

import anyio
from anyio import to_thread

from hotdesk.desks import Claim
from hotdesk.errors import AttemptFailed, StoreError, Unavailable
from hotdesk.ports import Archive
from hotdesk.workspaces.removal import opened

FOLDER = "session"
FILES_MAX = 5000
BYTES_MAX = 64 * 2**20
DEPTH_MAX = 32
# A program that was interrupted is gone after two thirds of its grace time; this is the third.
PACK_SECONDS_MAX = 10

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _NotKept(Exception):
    """The folder cannot be packed."""


class Sessions:
    """The session folders of the threads, in *archive*."""

    def __init__(self, archive: Archive, *, owner_uid: int | None) -> None:
        """Give each folder to *owner_uid*, if the agents run as somebody else."""
        self._archive = archive
        self._owner_uid = owner_uid
        self._found = ""
        self._unpacked = ""

    async def unpack(self, claim: Claim, thread: str, home: Path) -> str:
        """Make the folder in *home*, with what the last attempt left; return what went wrong.

        Raises:
            AttemptFailed: The archive did not answer. The conversation is not begun anew
                for that: the attempt is given back.
        """
        try:
            keys = await self._archive.keys(_prefix(claim, thread))
            self._found = keys[-1] if keys else ""
            content = await self._archive.get(self._found) if self._found else None
        except (Unavailable, StoreError, OSError) as error:
            raise AttemptFailed(
                f"the agent's session cannot be fetched: {error}", is_given_back=True
            ) from error
        try:
            self._unpacked = await to_thread.run_sync(
                _unpack, home / FOLDER, content, self._owner_uid
            )
        except (tarfile.TarError, EOFError, ValueError, OSError) as error:
            return f"the agent begins without its session: {type(error).__name__}"
        return ""

    async def pack(self, claim: Claim, thread: str, home: Path) -> str:
        """Keep what the program left in the folder; return what went wrong."""
        problem = f"the agent's session was not kept within {PACK_SECONDS_MAX} s"
        # Also when the attempt was cancelled: the program has ended, and the home goes next.
        with anyio.move_on_after(PACK_SECONDS_MAX, shield=True):
            try:
                await self._pack(claim, thread, home)
                problem = ""
            except (_NotKept, Unavailable, StoreError, OSError) as error:
                problem = f"the agent's session was not kept: {error}"
        return problem

    async def _pack(self, claim: Claim, thread: str, home: Path) -> None:
        packed = await to_thread.run_sync(_pack, home / FOLDER)
        digest = hashlib.sha256(packed).hexdigest()
        key = _key(claim, thread)
        # What another generation has left is written again: archives forget by age.
        if digest == self._unpacked and self._found in ("", key):
            return
        await self._archive.put(key, await to_thread.run_sync(_compress, packed))
        for older in await self._archive.keys(_prefix(claim, thread)):
            if older < key:
                await self._archive.remove(older)


def _prefix(claim: Claim, thread: str) -> str:
    return f"sessions/{claim.desk.project}/{claim.desk.user}/{thread}/"


def _key(claim: Claim, thread: str) -> str:
    # Of fixed width: keys are ordered as texts.
    return f"{_prefix(claim, thread)}{claim.generation:019d}.tar.gz"


def _compress(packed: bytes) -> bytes:
    return gzip.compress(packed, compresslevel=6, mtime=0)


def _pack(folder: Path) -> bytes:
    """Read the folder into a tar archive that depends on names and contents only."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for path in _paths(folder):
            parent, _, name = path.rpartition(b"/")
            info = tarfile.TarInfo(os.fsdecode(path))
            with opened(folder, parent) as held:
                if stat.S_ISDIR(os.stat(name, dir_fd=held, follow_symlinks=False).st_mode):
                    info.type, info.mode = tarfile.DIRTYPE, 0o700
                    archive.addfile(info)
                    continue
                content, info.mode = _read(held, name)
            info.size = len(content)
            if written.tell() + info.size > BYTES_MAX:
                raise _NotKept(f"it has more than {BYTES_MAX // 2**20} MiB")
            archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


def _paths(folder: Path) -> list[bytes]:
    """The folders and regular files below *folder*, each folder before what is in it."""
    found: list[bytes] = []
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        if path.count(b"/") >= DEPTH_MAX:
            raise _NotKept(f"its folders lie more than {DEPTH_MAX} deep")
        with opened(folder, path) as held, os.scandir(held) as entries:
            for entry in entries:
                inner = path + b"/" * bool(path) + os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(inner)
                elif not entry.is_file(follow_symlinks=False):
                    continue
                found.append(inner)
        if len(found) > FILES_MAX:
            raise _NotKept(f"it has more than {FILES_MAX} files")
    return sorted(found)


def _read(folder: int, name: bytes) -> tuple[bytes, int]:
    file = os.open(name, _FILE, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _NotKept("a file was replaced while it was read")
        with open(file, "rb", closefd=False) as content:
            mode = 0o700 if os.fstat(file).st_mode & stat.S_IXUSR else 0o600
            return content.read(BYTES_MAX + 1), mode
    finally:
        os.close(file)


def _unpack(folder: Path, content: bytes | None, owner_uid: int | None) -> str:
    """Make *folder* with what *content* holds; return the digest of what was packed."""
    folder.mkdir(mode=0o700)
    made = [folder]
    digest = hashlib.sha256(_pack(folder)).hexdigest()
    try:
        if content is not None:
            with gzip.open(io.BytesIO(content)) as stream:
                packed = stream.read(2 * BYTES_MAX)
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                made.extend(_make(folder, archive, info) for info in archive)
            digest = hashlib.sha256(packed).hexdigest()
    finally:
        if owner_uid is not None:
            for path in made:
                os.chown(path, owner_uid, owner_uid)
    return digest


def _make(folder: Path, archive: tarfile.TarFile, info: tarfile.TarInfo) -> Path:
    """Make one file or folder; nobody else is in *folder* yet."""
    parts = info.name.split("/")
    if not (info.isfile() or info.isdir()) or {"", ".", ".."} & set(parts):
        raise ValueError(info.name)
    path = folder.joinpath(*parts)
    if info.isdir():
        path.mkdir(mode=0o700)
    else:
        content = archive.extractfile(info)
        assert content is not None
        path.write_bytes(content.read())
        path.chmod(info.mode & 0o700)
    return path
