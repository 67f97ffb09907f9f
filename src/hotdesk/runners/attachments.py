"""The files that came with a job, put where its agent can read them.

All become files of the agent's home, named by their content and by the name they came with.
Pictures are looked into by a program of their own (``images.py``), because a picture that
cannot be read harms: agents take it into their conversation, and their model refuses every
request from then on. A document is passed as it is.
"""

import hashlib
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import anyio
from anyio import to_thread

from hotdesk.desks import Claim, Delivery
from hotdesk.errors import AttemptFailed, StoreError, Unavailable
from hotdesk.ports import Archive
from hotdesk.runners.images import HEIC, SUFFIXES, Images, NotShown, Shown, form_of

REMOTE = "s3://"
FOLDER = "attachments"
PICTURES = "pictures"
FILE_BYTES_MAX = 64 * 2**20  # More than a mail may have.
PICTURES_MAX = 50
PICTURES_SECONDS_MAX = 120
NAME_BYTES_MAX = 150
SUFFIX_BYTES_MAX = 16
DIGEST_LENGTH = 16

_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_SUFFIXES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
Stop = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One file of the agent's home. ``shown`` is a copy of a picture to be looked at.

    ``width`` and ``height`` are the pixels of a picture, and 0 for any other file.
    """

    path: str
    shown: str = ""
    width: int = 0
    height: int = 0

    @property
    def line(self) -> str:
        """What the agent is told of it."""
        if not self.shown:
            return self.path
        size = f"{self.width} x {self.height} pixels"
        return f"{self.path} (a picture of {size}; to look at it, read {self.shown})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an agent gets of the attachments, and sentences for the user on what it does not."""

    files: tuple[Offered, ...] = ()
    notes: tuple[str, ...] = ()


class Attachments:
    """Offers the attachments of the jobs of one worker."""

    def __init__(self, archive: Archive, images: Images, *, owner_uid: int | None) -> None:
        """Give the files to *owner_uid*, if the agents run as somebody else."""
        self._archive = archive
        self._images = images
        self._owner_uid = owner_uid

    async def offer(self, delivery: Delivery, home: Path, *, stop: Stop) -> Offer:
        """Put the attachments of a job into *home*, which nobody else may enter yet.

        Pictures that have not been looked into when *stop* returns are left out.

        Raises:
            AttemptFailed: The archive did not answer, or the disk is full.
        """
        files: dict[str, Offered] = {}
        notes: list[str] = []
        pictures = _Pictures(self._images, delivery.claim, stop)
        for each in delivery.job.origin.attachments:
            name = _name(each)
            content = await self._read(each)
            if content is None or len(content) > FILE_BYTES_MAX:
                why = "is not kept any more" if content is None else "is too large"
                notes.append(f"{name} {why}, so the agent did not get it.")
                continue
            shown = await pictures.look(name, content)
            if isinstance(shown, NotShown):
                notes.append(f"{name} was not shown to the agent: {shown.why}.")
                continue
            if form_of(content) == HEIC:
                notes.append(f"{name} is a HEIC picture, which the agent cannot look at.")
            try:
                offered = await to_thread.run_sync(self._put, home, name, content, shown)
            except OSError as error:
                raise _not_fetched(error) from error
            files[offered.path] = offered
        return Offer(files=tuple(files.values()), notes=tuple(notes))

    async def _read(self, attachment: str) -> bytes | None:
        """Return what is kept of an attachment; ``None`` if retention has removed it."""
        try:
            if not attachment.startswith(REMOTE):
                return await to_thread.run_sync(_content, attachment)
            key = attachment.removeprefix(REMOTE).partition("/")[2]
            folder, *names = key.split("/")
            # Nothing but attachments is fetched, whoever made the job.
            is_named = names and all(each and not each.startswith(".") for each in names)
            if folder != FOLDER or not is_named or "\0" in key:
                return None
            return await self._archive.get(key)
        except (Unavailable, StoreError, OSError) as error:
            raise _not_fetched(error) from error

    def _put(self, home: Path, name: str, content: bytes, shown: Shown | None) -> Offered:
        digest = _digest(content)
        path = home / FOLDER / digest / _named(name, form_of(content))
        self._write(home, path, content)
        if shown is None:
            return Offered(path=str(path))
        copy = home / PICTURES / f"{digest}{shown.suffix}"
        self._write(home, copy, shown.content)
        return Offered(path=str(path), shown=str(copy), width=shown.width, height=shown.height)

    def _write(self, home: Path, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if self._owner_uid is not None:
            within = len(path.relative_to(home).parts)
            for each in (path, *path.parents[: within - 1]):
                os.chown(each, self._owner_uid, self._owner_uid)


class _Pictures:
    """The pictures of one job: each is looked into once, and all share a time."""

    def __init__(self, images: Images, claim: Claim, stop: Stop) -> None:
        self._images = images
        self._claim = claim
        self._stop = stop
        self._ends = anyio.current_time() + PICTURES_SECONDS_MAX
        self._seen: dict[str, Shown | NotShown] = {}

    async def look(self, name: str, content: bytes) -> Shown | NotShown | None:
        """Look into a file; ``None`` if it neither is a picture nor says so."""
        if form_of(content) not in SUFFIXES:
            if name.lower().endswith(_SUFFIXES):
                return NotShown(why="it is not a picture, though its name says so")
            return None
        digest = _digest(content)
        if digest not in self._seen:
            if len(self._seen) >= PICTURES_MAX:
                return NotShown(why=f"more than {PICTURES_MAX} pictures came with it")
            self._seen[digest] = await self._images.show(content, self._claim, stop=self._enough)
        return self._seen[digest]

    async def _enough(self) -> None:
        with anyio.move_on_after(max(0.0, self._ends - anyio.current_time())):
            await self._stop()


def _content(path: str) -> bytes | None:
    try:
        file = os.open(path, _FILE)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    try:
        # Asked first: a folder can be opened like this, and a pipe would never end.
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        with open(file, "rb", closefd=False) as opened:
            return opened.read(FILE_BYTES_MAX + 1)
    finally:
        os.close(file)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]


def _name(attachment: str) -> str:
    """Return what an attachment is called, as a file name and as a word for people."""
    last = attachment.rpartition("/")[2]
    visible = "".join(c if c.isprintable() else "_" for c in last)
    return visible if visible.strip(". ") else "attachment"


def _named(name: str, form: str) -> str:
    """Return the name of the file; that of a picture ends as its content says.

    Some agents tell a model what a picture is by its name, and it refuses what is not so.
    """
    known = SUFFIXES.get(form, ())
    suffix = PurePosixPath(name).suffix
    if known and suffix.lower() not in known:
        stem, suffix = name, known[0]
    elif len(suffix.encode()) > SUFFIX_BYTES_MAX:
        stem, suffix = name, ""
    else:
        stem = name.removesuffix(suffix)
    room = NAME_BYTES_MAX - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore") + suffix


def _not_fetched(error: Exception) -> AttemptFailed:
    return AttemptFailed(f"an attachment cannot be fetched: {error}", is_given_back=True)
