"""Mails and their attachments as files, named by their content and safe on the disk.

The same content is one file, however often it is delivered. What was written survives
a power cut.
"""

import hashlib
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from anyio import to_thread

from hotdesk.intakes.mailroom import Kept
from hotdesk.mail.letter import Attachment


class MailFiles:
    """``MailStore`` of the intakes of one process, below one folder."""

    def __init__(self, folder: Path) -> None:
        """Keep the files below *folder*, which is made when it is needed."""
        self._folder = folder.absolute()
        self._held: Counter[Path] = Counter()

    @asynccontextmanager
    async def keep(
        self, raw: bytes, attachments: Sequence[Attachment], *, now: datetime
    ) -> AsyncIterator[Kept]:
        """Make a mail durable; remove it again if nobody needs it at the end.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        contents = await to_thread.run_sync(self.contents, raw, attachments)
        with self.hold(contents):
            written = await to_thread.run_sync(partial(self.write, contents, now=now))
            mail, *files = map(str, contents)
            kept = Kept(raw=mail, attachments=tuple(files))
            try:
                yield kept
            finally:
                if not kept.is_needed:
                    self.remove(written)

    def contents(self, raw: bytes, attachments: Iterable[Attachment]) -> dict[Path, bytes]:
        """Return what is to be written where: the mail first, then its attachments.

        It hashes everything, so call it in a thread.
        """
        digest = hashlib.sha256(raw).hexdigest()
        contents = {self._folder / "mails" / digest[:2] / f"{digest}.eml": raw}
        for attachment in attachments:
            digest = hashlib.sha256(attachment.content).hexdigest()
            contents[self._folder / "attachments" / digest / attachment.name] = attachment.content
        return contents

    @contextmanager
    def hold(self, paths: Iterable[Path]) -> Iterator[None]:
        """Keep a failing delivery of the same content from removing these files."""
        paths = tuple(paths)
        self._held.update(paths)
        try:
            yield
        finally:
            self._held.subtract(paths)
            self._held = +self._held

    def write(self, contents: Mapping[Path, bytes], *, now: datetime) -> list[Path]:
        """Write what is missing, and let all of it be as new as *now*; return what was missing.

        It waits for the disk, so call it in a thread.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        return [path for path, content in contents.items() if _write(path, content, now)]

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files that were just written, unless another delivery holds them too."""
        for path in paths:
            if self._held[path] <= 1:
                _remove(path)

    def remove_before(self, instant: datetime) -> int:
        """Remove what was delivered last before *instant*; return how many files that were.

        It reads all folders, so call it in a thread.
        """
        removed = 0
        for path in self._folder.glob("*/*/*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < instant.timestamp():
                    _remove(path)
                    removed += 1
        return removed


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    # Not empty if it holds another file of this digest, or of these first digits.
    with suppress(OSError):
        path.parent.rmdir()


def _write(path: Path, content: bytes, now: datetime) -> bool:
    """Make *path* hold *content* and be durable; return whether it was missing."""
    _make_folder(path.parent)
    is_missing = not path.exists()
    if is_missing:
        # A reader sees the whole file or none, after a crash too.
        new = path.with_name(f".{secrets.token_hex(8)}")
        try:
            with new.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.rename(path)
        finally:
            new.unlink(missing_ok=True)
    os.utime(path, (now.timestamp(), now.timestamp()))
    _sync_folder(path.parent)
    return is_missing


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        # What people write to each other is read by its owner and nobody else.
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
