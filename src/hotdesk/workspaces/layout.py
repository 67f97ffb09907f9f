"""Which folder is what, below the root of all workspaces.

::

    <root>/<project>/mirror.git                               the worker's repository
    <root>/<project>/clones/<user>/<thread>/<generation>      what an agent works in
    <root>/<project>/state/<user>/<thread>/<generation>       what the worker knows about it
    <root>/<project>/trash                                    on its way out

An agent may run as another user: it can pass through the folders above its clone but not
list them, and cannot enter ``state`` and ``trash``. Every name is checked here once more,
because here it becomes a path.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from hotdesk.desks import Desk, checked_job_id, checked_name
from hotdesk.workspaces.errors import WorkspaceLost

_MODE_PASS_THROUGH = 0o711
_MODE_PRIVATE = 0o700
_ROUNDS_MAX = 5
_GENERATION = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where one thread of a desk is worked on in one generation."""

    project: Path
    user: str
    thread: str
    generation: int

    @property
    def clone(self) -> Path:
        """The folder that the agent works in."""
        return self.project / "clones" / self.user / self.thread / str(self.generation)

    @property
    def state(self) -> Path:
        """The folder beside it that only the worker may enter."""
        return self.project / "state" / self.user / self.thread / str(self.generation)

    @property
    def index(self) -> Path:
        """The worker's own git index of the clone."""
        return self.state / "index"

    @property
    def processes(self) -> Path:
        """Notes of the processes that were started in the clone."""
        return self.state / "processes"

    @property
    def used(self) -> Path:
        """A file whose time of change says when the clone was last opened."""
        return self.state / "used"

    @property
    def trash(self) -> Path:
        """Where both folders go to be deleted."""
        return Layout.trash(self.project)

    @property
    def desk(self) -> Desk:
        """The desk that the room belongs to."""
        return Desk(self.project.name, self.user)

    def make_folders(self) -> None:
        """Make both folders, open to nobody else, below parents that can be passed."""
        # The state first and, when they are removed, last: a clone without one is never found.
        for folder in (self.state, self.clone):
            if folder.is_symlink():
                folder.unlink()
            _make(folder, below=self.project.parent)
        self.processes.mkdir(mode=_MODE_PRIVATE, exist_ok=True)
        self.used.touch()

    def is_unused(self, since: datetime) -> bool:
        """Return whether it was last opened before *since*."""
        try:
            return self.used.stat().st_mtime < since.timestamp()
        except FileNotFoundError:
            # It is being made, or being removed, at this moment.
            return False

    def leave(self) -> None:
        """Remove the folders above that hold nothing any more."""
        for folder in (self.clone, self.state):
            with contextlib.suppress(OSError):
                for parent in (folder.parent, folder.parent.parent):
                    parent.rmdir()


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders below one root."""

    root: Path

    def project(self, project: str) -> Path:
        """Return the folder of a project."""
        return self.root / checked_name("project", project)

    def mirror(self, project: str) -> Path:
        """Return the folder of the worker's own repository of a project."""
        return self.project(project) / "mirror.git"

    def room(self, desk: Desk, thread: str, generation: int) -> Room:
        """Return the room of a thread in a generation.

        Raises:
            Rejected: A name cannot be a folder.
        """
        assert generation > 0, "generations count from 1"
        return Room(
            project=self.project(desk.project),
            user=checked_name("user", desk.user),
            thread=checked_name("thread", thread),
            generation=generation,
        )

    def projects(self) -> list[Path]:
        """Return the folders of all projects that were ever worked on."""
        return sorted(self._folders(self.root))

    def rooms(self, project: Path, user: str = "*") -> Iterator[Room]:
        """Yield every room of a project, or of one of its users, in order of its path."""
        for folder in sorted((project / "state").glob(f"{user}/*/*")):
            if _GENERATION.fullmatch(folder.name):
                yield Room(
                    project=project,
                    user=folder.parent.parent.name,
                    thread=folder.parent.name,
                    generation=int(folder.name),
                )

    @staticmethod
    def trash(project: Path) -> Path:
        """Return the folder for what is to be deleted; it is on the project's file system."""
        folder = project / "trash"
        _make(folder, below=project.parent)
        return folder

    @staticmethod
    def _folders(folder: Path) -> list[Path]:
        if not folder.is_dir():
            return []
        return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]


def kept_ref(job_id: str) -> str:
    """Return the ref in the mirror that keeps the commits of a job that were not pushed."""
    # A job id may hold what git does not allow in refs (":", a last ".", ".lock").
    return "refs/hotdesk/kept/" + quote(checked_job_id(job_id), safe="").replace(".", "%2E")


def _make(folder: Path, *, below: Path) -> None:
    for _ in range(_ROUNDS_MAX):
        with contextlib.suppress(FileExistsError):
            below.mkdir(parents=True)
            below.chmod(_MODE_PASS_THROUGH)
        # Another worker may remove a folder that is empty still: then once more.
        with contextlib.suppress(FileNotFoundError):
            for parent in reversed(folder.relative_to(below).parents[:-1]):
                with contextlib.suppress(FileExistsError):
                    (below / parent).mkdir()
                    # Not given to mkdir, as the umask would take from it.
                    is_private = parent.parts[1:] == ("state",)
                    (below / parent).chmod(_MODE_PRIVATE if is_private else _MODE_PASS_THROUGH)
            folder.mkdir(mode=_MODE_PRIVATE, exist_ok=True)
            return
    raise WorkspaceLost(f"{folder} is removed as often as it is made")
