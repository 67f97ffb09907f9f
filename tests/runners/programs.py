"""Real programs for tests: a place for one to run in, and its whole output."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from hotdesk.confinement import Confinement, Walls, find_confinement
from hotdesk.runners.process import Program, ProgramEnd, run_program

# Tests run beside each other, and programs are told apart by the number of their user. What
# is dead counts until somebody takes it away, so each test gets a number of its own as well.
# Numbers below 65,536 exist in containers too.
UIDS = itertools.cycle(range(20_000 + os.getpid() % 400 * 100, 20_100 + os.getpid() % 400 * 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder with a workspace and a home, both given to whoever programs run as."""

    root: Path
    confinement: Confinement
    pids: list[int] = field(default_factory=list)

    @property
    def walls(self) -> Walls:
        return Walls(workspace=self.root / "workspace", home=self.root / "home")

    def give(self, path: Path) -> Path:
        if self.confinement.uid is not None:
            os.chown(path, self.confinement.uid, self.confinement.uid)
        return path

    def file(self, name: str, text: str = "", *, mode: int = 0o644) -> Path:
        path = self.root / name
        path.write_text(text)
        path.chmod(mode)
        return self.give(path)

    def has(self, name: str) -> bool:
        return (self.root / name).exists()

    def folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(mode=0o755)
        return self.give(path)

    async def run(
        self,
        script: str,
        *,
        stop: Callable[[], Awaitable[object]] = anyio.sleep_forever,
        walls: Walls | None = None,
        **program: Any,  # noqa: ANN401 - the fields of Program
    ) -> tuple[ProgramEnd, str]:
        """Run a shell script; return its end and its output."""
        chunks: list[bytes] = []

        async def collect(chunk: bytes) -> None:
            chunks.append(chunk)

        end = await run_program(
            replace(Program(argv=("sh", "-c", script), walls=walls or self.walls), **program),
            self.confinement,
            on_start=self.note,
            on_output=collect,
            stop=stop,
        )
        return end, b"".join(chunks).decode(errors="replace")

    async def note(self, pids: tuple[int, ...]) -> None:
        self.pids.extend(pids)


USABLE = find_confinement().usable


@pytest.fixture(params=USABLE, ids=lambda found: str(found.mode))
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place in each mode that this machine offers."""
    with _place_in(request.param) as place:
        yield place


@pytest.fixture(
    params=[each for each in USABLE if each.closes_network], ids=lambda found: str(found.mode)
)
def closed(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The same in each mode that can close the network; the others refuse to."""
    with _place_in(request.param) as place:
        yield place


@contextmanager
def _place_in(confinement: Confinement) -> Iterator[Place]:
    if confinement.uid is not None:
        confinement = replace(confinement, uid=next(UIDS))
    # Not pytest's own folder: only root can pass through it, and programs run as others. And
    # not in /tmp, which is a program's own: nothing there would have to be hidden from it.
    root = Path(os.path.realpath(tempfile.mkdtemp(prefix="hotdesk-test-", dir="/var/tmp")))
    root.chmod(0o755)
    place = Place(root=root, confinement=confinement)
    place.folder("workspace")
    place.folder("home")
    yield place
    shutil.rmtree(root)


def living(mark: str) -> list[int]:
    """Return the processes with *mark* in their command line; the dead ones have none."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in command:
                found.append(int(folder.name))
    return found
