"""Worker processes that a test starts, kills, freezes and always ends."""

import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVED = Path(__file__).with_name("served.py")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the trace."""

    at: float
    what: str
    worker: str
    generation: int
    desk: str
    job: str


class Crew:
    """Some worker processes on one database."""

    def __init__(self, folder: Path, *, lease_seconds: float) -> None:
        self.file = folder / "hotdesk.db"
        self.url = f"sqlite:///{self.file}"
        self._trace = folder / "trace"
        self._trace.touch()
        self._lease = lease_seconds
        self._started = 0
        self.alive: dict[str, subprocess.Popen[bytes]] = {}
        self.frozen: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, count: int = 1, *, pin: str = "") -> str:
        """Start *count* workers; return the id of the last one."""
        worker_id = ""
        for _ in range(count):
            self._started += 1
            worker_id = f"w{self._started}"
            argv = [sys.executable, str(SERVED), self.url, worker_id, str(self._trace)]
            self.alive[worker_id] = subprocess.Popen(
                [*argv, str(self._lease), *([pin] * bool(pin))]
            )
        return worker_id

    def kill(self, worker_id: str) -> None:
        """End a worker with kill -9, and reap it."""
        process = self.alive.pop(worker_id)
        process.kill()
        process.wait(10)

    def freeze(self, worker_id: str) -> None:
        """SIGSTOP."""
        process = self.frozen[worker_id] = self.alive.pop(worker_id)
        os.kill(process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT for all that are frozen."""
        for worker_id, process in self.frozen.items():
            os.kill(process.pid, signal.SIGCONT)
            self.alive[worker_id] = process
        self.frozen = {}

    def drain(self) -> list[int]:
        """SIGTERM for all; return their exit statuses."""
        for process in self.alive.values():
            process.terminate()
        return [process.wait(20) for process in self.alive.values()]

    def trace(self) -> list[Line]:
        """What the handlers wrote, in the order in which they did."""
        lines = []
        for text in self._trace.read_text().splitlines():
            at, what, worker, generation, desk, job = text.split()
            lines.append(Line(float(at), what, worker, int(generation), desk, job))
        return sorted(lines, key=lambda line: line.at)

    def overlaps(self) -> list[tuple[Line, Line]]:
        """Runs on one desk that began while one of the same, or of a later, generation ran."""
        found = []
        running: dict[str, list[Line]] = defaultdict(list)
        for line in self.trace():
            others = running[line.desk]
            if line.what == "start":
                found += [(other, line) for other in others if other.generation >= line.generation]
                others.append(line)
            else:
                running[line.desk] = [each for each in others if each.job != line.job]
        return found

    def random_alive(self, dice: random.Random) -> str:
        """One of the workers that run."""
        return dice.choice(sorted(self.alive))


@contextmanager
def crew(folder: Path, *, lease_seconds: float = 15) -> Iterator[Crew]:
    """A crew that has ended when the block has, whatever happened."""
    people = Crew(folder, lease_seconds=lease_seconds)
    try:
        yield people
    finally:
        for process in [*people.alive.values(), *people.frozen.values()]:
            if process.poll() is None:
                process.kill()
            process.wait(10)
