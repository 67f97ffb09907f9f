"""The processes of one run, as the kernel lists them: found by the run's own folder.

Nothing else on the machine has that folder in its command line, so nothing else is ever
looked at twice, signalled or ended.
"""

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaos.clocks import clean_up

_PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One process of the run. ``worker_id`` is empty for those that are no workers."""

    pid: int
    command: tuple[str, ...]

    @property
    def worker_id(self) -> str:
        """The name of the worker that this is."""
        if "worker" not in self.command or "--id" not in self.command:
            return ""
        return self.command[self.command.index("--id") + 1]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended meanwhile."""
        send(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, and remove what it could not remove itself."""
        self.signal(signal.SIGKILL)
        clean_up(self.pid)


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process of the run, unless it has ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def of_run(folder: Path) -> Iterator[Found]:
    """Yield the processes that have *folder* in their command line, but for this one."""
    wanted = os.fsencode(folder)
    for each in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            line = each.joinpath("cmdline").read_bytes()
            if wanted in line and int(each.name) != os.getpid():
                command = tuple(line.decode("utf-8", "replace").split("\0"))
                yield Found(pid=int(each.name), command=command)


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it, the eldest first."""
    children: dict[int, list[int]] = defaultdict(list)
    for each in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            # The name, in brackets, may hold anything; the state and the parent follow it.
            fields = each.joinpath("stat").read_text().rpartition(")")[2].split()
            children[int(fields[1])].append(int(each.name))
    found = [pid]
    for one in found:
        found += children[one]
    return found


def has_in_tree(pid: int, word: str) -> bool:
    """Whether a process, or one that descends from it, has *word* in its command line."""
    for each in tree(pid):
        with suppress(OSError):
            if os.fsencode(word) in (_PROCESSES / str(each) / "cmdline").read_bytes():
                return True
    return False


def workers(folder: Path) -> list[Found]:
    """Return the worker processes of the run, by their pid."""
    found = [each for each in of_run(folder) if each.worker_id]
    return sorted(found, key=lambda each: each.pid)
