"""What one program may touch: its folders, and how much of the machine.

Paths only become arguments of bubblewrap here; nothing is started. The program is
taken to be hostile: what is not named is hidden or read-only.
"""

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

HOMES = (Path("/root"), Path("/home"))
"""Hidden always: keys, tokens and histories live there."""
TMP = (Path("/tmp"), Path("/dev/shm"))  # noqa: S108 - replaced by folders of the program's own
RUN = Path("/run")
# A link into /run where systemd-resolved writes it: without it no name would resolve.
RESOLVER = Path("/etc/resolv.conf")

GIB = 1 << 30
EMPTY_BYTES_MAX = 1 << 20  # An empty folder put over a hidden one holds mount points only.


class Network(StrEnum):
    """What a program can reach.

    Where it is not ``open``, the program has a network of its own with nothing in it but a
    loopback. With ``model-only`` a door in that loopback leads to the model's API.
    """

    OPEN = "open"
    MODEL_ONLY = "model-only"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one program and its children may use.

    ``processes`` counts threads too. ``file_bytes`` bounds one file, ``tmp_bytes`` /tmp
    and /dev/shm, which are memory, ``disk_bytes`` all that its folders hold (looked at while it
    runs, not by the kernel). ``memory_bytes`` is the address space of each process (not the
    sum); ``None`` by default, because JavaScript and Go reserve far more than they use.
    """

    processes: int = 512
    open_files: int = 4096
    file_bytes: int = 4 * GIB
    tmp_bytes: int = GIB
    disk_bytes: int = 20 * GIB
    memory_bytes: int | None = None

    def arguments(self, *, with_processes: bool) -> list[str]:
        """Say it to prlimit; never above what this process may use itself."""
        wanted = [
            ("--nofile", resource.RLIMIT_NOFILE, self.open_files),
            ("--fsize", resource.RLIMIT_FSIZE, self.file_bytes),
            ("--core", resource.RLIMIT_CORE, 0),
        ]
        if with_processes:
            wanted.append(("--nproc", resource.RLIMIT_NPROC, self.processes))
        if self.memory_bytes is not None:
            wanted.append(("--as", resource.RLIMIT_AS, self.memory_bytes))
        return [f"{option}={_within_hard_limit(kind, value)}" for option, kind, value in wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """The folders of one program, and what else it may reach and use.

    ``workspace`` is its current folder and ``home`` its ``HOME``; both, and ``writable``,
    it may change. ``hidden`` is empty for it (/root, /home, /run and /tmp are so anyway)
    and ``read_only`` is shown although it lies in something hidden: interpreters, tools.
    Of two paths that lie in one another the inner one decides.
    """

    workspace: Path
    home: Path
    writable: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    network: Network = Network.OPEN
    limits: Limits = field(default_factory=Limits)

    def mounts(self) -> list[str]:
        """Say it to bubblewrap, after ``--ro-bind / /`` and ``--dev /dev``.

        Outer paths come before inner ones: an inner mount would vanish under an outer one
        that follows it.
        """
        made: dict[Path, str] = {}
        arguments: list[str] = []
        for path, kind in sorted(self._plan().items(), key=lambda item: len(item[0].parts)):
            around = next((parent for parent in path.parents if parent in made), None)
            if around is not None and made[around] in _EMPTY:
                arguments += _folders_between(around, path)
            arguments += self._mount(kind, path)
            made[path] = kind
        return arguments

    def _plan(self) -> dict[Path, str]:
        plan = dict.fromkeys(TMP, "tmp")
        hidden = [path.resolve() for path in (RUN, *HOMES, *self.hidden)]
        plan |= {path: "hide" for path in hidden if os.path.lexists(path)}
        # Not asked whether they exist: bubblewrap names the one that is missing.
        plan |= {path.resolve(): "show" for path in self.read_only}
        plan |= {path.resolve(): "keep" for path in (self.workspace, self.home, *self.writable)}
        if RESOLVER.exists():
            plan.setdefault(RESOLVER.resolve(), "show")
        return plan

    def _mount(self, kind: str, path: Path) -> list[str]:
        match kind:
            case "tmp":
                size = str(self.limits.tmp_bytes)
                return ["--perms", "1777", "--size", size, "--tmpfs", str(path)]
            case "hide" if path.is_dir():
                return ["--size", str(EMPTY_BYTES_MAX), "--tmpfs", str(path)]
            case "hide":
                # Bound without the right to use devices, so that it cannot even be opened.
                return ["--ro-bind", "/dev/null", str(path)]
            case "show":
                return ["--ro-bind", str(path), str(path)]
            case _:
                return ["--bind", str(path), str(path)]


_EMPTY = ("tmp", "hide")


def _folders_between(outer: Path, inner: Path) -> Iterator[str]:
    # Made on the way, they would be closed to everyone but their owner, who is root.
    for folder in reversed(inner.parents):
        if outer in folder.parents:
            yield from ("--perms", "0755", "--dir", str(folder))


def _within_hard_limit(kind: int, value: int) -> int:
    _, hard = resource.getrlimit(kind)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)
