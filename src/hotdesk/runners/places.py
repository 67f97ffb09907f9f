"""Where the commands after an agent run: one folder for each desk and generation at work.

::

    <folder>/<project>/<user>/<generation>/tree       the files, and what is built of them
    <folder>/<project>/<user>/<generation>/after      the home of the commands of that name
    <folder>/<project>/<user>/<generation>/publish    and of those

What is left in them is hostile, and may hold secrets.
"""

import os
from pathlib import Path

import anyio
from anyio import to_thread

from hotdesk.desks import Desk
from hotdesk.workspaces.removal import empty, remove


class Places:
    """The places below one folder."""

    def __init__(self, folder: Path, *, owner_uid: int | None) -> None:
        """Give each home to *owner_uid*, if the commands run as somebody else."""
        self._folder = folder
        self._owner_uid = owner_uid
        # No project has a name like this.
        self._trash = folder / ".trash"

    def of(self, desk: Desk, generation: int) -> Path:
        """Return the place of a desk."""
        return self._folder / desk.project / desk.user / str(generation)

    async def make(self, place: Path) -> None:
        """Make *place*, in which only the worker can make something.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        await to_thread.run_sync(self._make, place)

    async def make_home(self, home: Path) -> None:
        """Make a folder within a place for the commands to write to.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        await to_thread.run_sync(self._make_home, home)

    async def remove(self, place: Path) -> None:
        """Remove *place*, whatever came of it; also when cancelled."""
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._remove, place)

    async def remove_older(self, place: Path) -> None:
        """Remove what earlier generations of the same desk left when they were killed."""
        await to_thread.run_sync(self._remove_older, place)

    def _make(self, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        self._trash.mkdir(mode=0o700, exist_ok=True)
        place.mkdir()
        # Others may pass through to their own folders, and nothing more.
        place.chmod(0o711)

    def _make_home(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        if self._owner_uid is not None:
            os.chown(home, self._owner_uid, self._owner_uid)

    def _remove(self, place: Path) -> None:
        if self._trash.is_dir():
            remove(place.parent, os.fsencode(place.name), self._trash)

    def _remove_older(self, newest: Path) -> None:
        if not newest.parent.is_dir():
            return
        for place in newest.parent.iterdir():
            if place.name.isdecimal() and int(place.name) < int(newest.name):
                self._remove(place)
        if self._trash.is_dir():
            empty(self._trash)
