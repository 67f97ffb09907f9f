"""What an agent keeps of a conversation from one attempt to the next, wherever that one runs.

It is a folder in the agent's home: unpacked before the program starts, packed when it has
ended. Each generation of a desk packs under a key of its own, so that a worker that was
taken over in its sleep overwrites nothing. What is in the folder is the agent's, and read
as something hostile: no links, no devices, bounded. A note of ours travels with it and is
never in the folder, so that no agent can write it.
"""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
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
# Also of what is not kept: each has to be looked at to be passed over.
ENTRIES_MAX = 100_000
# A program that was interrupted is gone after two thirds of its grace time; this is the third.
PACK_SECONDS_MAX = 10
# Where the note is among the packed files; an agent's own file of that name is left out.
NOTE = ".hotdesk-note"
NOTE_BYTES_MAX = 10_000

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _NotKept(Exception):
    """The folder cannot be packed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What was unpacked: our note of the last run, and what went wrong with the folder."""

    note: bytes = b""
    problem: str = ""


class Sessions:
    """The session folders of the threads, in *archive*."""

    def __init__(self, archive: Archive, *, owner_uid: int | None) -> None:
        """Give each folder to *owner_uid*, if the agents run as somebody else."""
        self._archive = archive
        self._owner_uid = owner_uid
        self._found = ""
        self._unpacked = ""

    async def unpack(
        self, claim: Claim, thread: str, home: Path, *, kept: Collection[str] = ()
    ) -> Session:
        """Make the folder in *home*, with what the last attempt left.

        Of that, only the folders *kept* are made again; without any, all of it is.

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
            self._unpacked, note = await to_thread.run_sync(
                _unpack, home / FOLDER, content, self._owner_uid, kept
            )
        except (tarfile.TarError, EOFError, ValueError, OSError) as error:
            return Session(problem=f"the agent begins without its session: {type(error).__name__}")
        return Session(note=note)

    async def pack(
        self,
        claim: Claim,
        thread: str,
        home: Path,
        *,
        kept: Collection[str] = (),
        note: bytes = b"",
    ) -> str:
        """Keep what the program left in the folder, and *note*; return what went wrong.

        Of the folder, only the folders *kept* are; without any, all of it is.
        """
        problem = f"the agent's session was not kept within {PACK_SECONDS_MAX} s"
        # Also when the attempt was cancelled: the program has ended, and the home goes next.
        with anyio.move_on_after(PACK_SECONDS_MAX, shield=True):
            try:
                await self._pack(
                    claim, thread, await to_thread.run_sync(_pack, home / FOLDER, kept, note)
                )
                problem = ""
            except (_NotKept, Unavailable, StoreError, OSError) as error:
                problem = f"the agent's session was not kept: {error}"
        return problem

    async def _pack(self, claim: Claim, thread: str, packed: bytes) -> None:
        digest = hashlib.sha256(packed).hexdigest()
        key = _key(claim, thread)
        # What another generation has left is written again: archives forget by age.
        if digest == self._unpacked and self._found in ("", key):
            return
        await self._archive.put(key, await to_thread.run_sync(_compress, packed))
        self._found, self._unpacked = key, digest
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


def _pack(folder: Path, kept: Collection[str], note: bytes) -> bytes:
    """Read the folder into a tar archive that depends on names and contents only."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        if note:
            info = tarfile.TarInfo(NOTE)
            info.size = len(note)
            archive.addfile(info, io.BytesIO(note))
        for path in _paths(folder, kept):
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


def _is_in(path: str, kept: Collection[str]) -> bool:
    """Whether what is at *path* outlives a run."""
    return path != NOTE and (not kept or any(f"{path}/".startswith(f"{each}/") for each in kept))


def _leads_to(path: str, kept: Collection[str]) -> bool:
    """Whether the folder *path* is kept, for itself or for what is in it."""
    return _is_in(path, kept) or any(each.startswith(f"{path}/") for each in kept)


def _paths(folder: Path, kept: Collection[str]) -> list[bytes]:
    """The folders and regular files below *folder*, each folder before what is in it."""
    found: list[bytes] = []
    waiting, seen = [b""], 0
    while waiting:
        path = waiting.pop()
        if path.count(b"/") >= DEPTH_MAX:
            raise _NotKept(f"its folders lie more than {DEPTH_MAX} deep")
        with opened(folder, path) as held, os.scandir(held) as entries:
            for entry in entries:
                seen += 1
                if seen > ENTRIES_MAX:
                    raise _NotKept(f"it has more than {ENTRIES_MAX} entries")
                inner = path + b"/" * bool(path) + os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    if not _leads_to(os.fsdecode(inner), kept):
                        continue
                    waiting.append(inner)
                elif not entry.is_file(follow_symlinks=False) or not _is_in(
                    os.fsdecode(inner), kept
                ):
                    continue
                found.append(inner)
                # Asked at each: one folder alone may have millions.
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


def _unpack(
    folder: Path, content: bytes | None, owner_uid: int | None, kept: Collection[str]
) -> tuple[str, bytes]:
    """Make *folder* with what *content* holds; return the digest of that, and the note in it."""
    folder.mkdir(mode=0o700)
    made = [folder]
    note = b""
    digest = hashlib.sha256(_pack(folder, kept, b"")).hexdigest()
    try:
        if content is not None:
            with gzip.open(io.BytesIO(content)) as stream:
                packed = stream.read(2 * BYTES_MAX)
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                for info in archive:
                    if info.name == NOTE and info.isfile():
                        note = _content(archive, info, NOTE_BYTES_MAX)
                    elif (_leads_to if info.isdir() else _is_in)(info.name, kept):
                        made.append(_make(folder, archive, info))
            digest = hashlib.sha256(packed).hexdigest()
    finally:
        if owner_uid is not None:
            for path in made:
                os.chown(path, owner_uid, owner_uid)
    return digest, note


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo, bytes_max: int = -1) -> bytes:
    file = archive.extractfile(info)
    assert file is not None, "only asked of files"
    return file.read(bytes_max)


def _make(folder: Path, archive: tarfile.TarFile, info: tarfile.TarInfo) -> Path:
    """Make one file or folder; nobody else is in *folder* yet."""
    parts = info.name.split("/")
    if not (info.isfile() or info.isdir()) or {"", ".", ".."} & set(parts):
        raise ValueError(info.name)
    path = folder.joinpath(*parts)
    if info.isdir():
        path.mkdir(mode=0o700)
    else:
        path.write_bytes(_content(archive, info))
        path.chmod(info.mode & 0o700)
    return path
