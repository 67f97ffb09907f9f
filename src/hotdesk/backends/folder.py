"""An archive in a folder, for workers that share a disk; see ``ports.Archive``."""

import os
import secrets
from datetime import datetime
from pathlib import Path

from anyio import to_thread

KEYS_MAX = 1000
_NEW = ".new-"


class FolderArchive:
    """Contents as files below one folder, which only the worker may enter."""

    def __init__(self, folder: Path) -> None:
        """Keep files below *folder*, which is made when it is needed."""
        self._folder = folder

    async def put(self, key: str, content: bytes) -> None:
        """Keep *content*; a reader sees all of it or what was there before."""
        await to_thread.run_sync(self._put, key, content)

    async def get(self, key: str) -> bytes | None:
        """What is kept, or ``None``."""
        path = self._path(key)
        try:
            return await to_thread.run_sync(path.read_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return None

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with *prefix*, in order."""
        return await to_thread.run_sync(self._keys, prefix)

    async def remove(self, key: str) -> None:
        """Forget what is kept."""
        path = self._path(key)
        await to_thread.run_sync(lambda: path.unlink(missing_ok=True))

    async def remove_before(self, instant: datetime) -> int:
        """Remove what was kept before *instant*; return how many that were."""
        return await to_thread.run_sync(self._remove_before, instant.timestamp())

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        assert all(part and not part.startswith(".") for part in parts), "keys are made of names"
        return self._folder.joinpath(*parts)

    def _put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        for folder in reversed((path.parent, *path.parent.parents)):
            if folder.is_relative_to(self._folder):
                folder.mkdir(mode=0o700, parents=folder == self._folder, exist_ok=True)
        new = path.with_name(_NEW + secrets.token_hex(8))
        try:
            with new.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.rename(path)
        finally:
            new.unlink(missing_ok=True)

    def _keys(self, prefix: str) -> list[str]:
        start = self._folder / prefix.rpartition("/")[0]
        found = sorted(
            str(path.relative_to(self._folder))
            for path in start.rglob("*")
            if path.is_file() and not path.name.startswith(_NEW)
        )
        return [key for key in found if key.startswith(prefix)][:KEYS_MAX]

    def _remove_before(self, since: float) -> int:
        removed = 0
        for path in sorted(self._folder.rglob("*"), reverse=True):
            try:
                if path.is_dir():
                    path.rmdir()
                elif path.stat().st_mtime < since:
                    path.unlink()
                    removed += 1
            except OSError:
                # A folder that holds something, or a file that another worker has removed.
                continue
        return removed
