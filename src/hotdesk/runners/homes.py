"""The private home of an agent: made for one attempt, and gone after it.

What an agent leaves in it may hold secrets and is as hostile as what it leaves in its
workspace: it is removed with the same care, also when the attempt is cancelled.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio import to_thread

from hotdesk.desks import Desk
from hotdesk.errors import DISK_FULL, AttemptFailed
from hotdesk.runners.jobfile import JOB_FILE
from hotdesk.workspaces.removal import empty, remove


class Homes:
    """The homes below one folder, one for each desk and generation that is at work."""

    def __init__(self, folder: Path, *, owner_uid: int | None) -> None:
        """Give each home to *owner_uid*, if the agents run as somebody else."""
        self._folder = folder
        self._owner_uid = owner_uid
        # No project has a name like this.
        self._trash = folder / ".trash"

    @asynccontextmanager
    async def open(self, desk: Desk, generation: int) -> AsyncIterator[Path]:
        """Make an empty home, and remove it with all that came in.

        Until ``hand_over`` only the worker may enter it: nothing can be swapped under
        its hands while it puts things there.

        Raises:
            AttemptFailed: The disk is full, or cannot be written.
        """
        home = self._desk(desk) / str(generation)
        try:
            await to_thread.run_sync(self._make, home)
            yield home
        finally:
            # Secrets must not stay, whatever ended the attempt.
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._remove, home)

    async def hand_over(self, home: Path, job: bytes) -> None:
        """Write the job file, and let the agent in.

        Raises:
            AttemptFailed: The disk is full, or cannot be written.
        """
        await to_thread.run_sync(self._hand_over, home, job)

    async def remove_older(self, desk: Desk, generation: int) -> None:
        """Remove the homes of a desk that earlier generations left when they were killed."""
        await to_thread.run_sync(self._remove_older, self._desk(desk), generation)

    def _desk(self, desk: Desk) -> Path:
        return self._folder / desk.project / desk.user

    def _make(self, home: Path) -> None:
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            self._trash.mkdir(mode=0o700, exist_ok=True)
            self._remove(home)
            home.mkdir(mode=0o700)
        except OSError as error:
            raise _failure(error) from error

    def _hand_over(self, home: Path, job: bytes) -> None:
        try:
            (home / JOB_FILE).write_bytes(job)
            if self._owner_uid is not None:
                for path in (home / JOB_FILE, home):
                    os.chown(path, self._owner_uid, self._owner_uid)
        except OSError as error:
            raise _failure(error) from error

    def _remove(self, home: Path) -> None:
        remove(home.parent, os.fsencode(home.name), self._trash)

    def _remove_older(self, homes: Path, generation: int) -> None:
        if not homes.is_dir():
            return
        for home in homes.iterdir():
            if home.name.isdecimal() and int(home.name) < generation:
                self._remove(home)
        empty(self._trash)


def _failure(error: OSError) -> AttemptFailed:
    return AttemptFailed(
        f"no home can be made for the agent: {error.strerror}",
        is_given_back=error.errno in DISK_FULL,
    )
