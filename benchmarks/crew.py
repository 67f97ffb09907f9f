"""Worker processes of a benchmark: started, watched through their stamps, always ended."""

import os
import random
import subprocess
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio

from hotdesk import Client, Desk

SERVED = Path(__file__).with_name("served.py")
# Far beyond anything that is measured: something is broken.
PATIENCE = 60.0
LOOK_EVERY = 0.001


class Crew:
    """Workers on one database, and the pipe in which they say what happened when."""

    def __init__(self, folder: Path) -> None:
        """Use *folder* for the database and the pipe."""
        self.url = f"sqlite:///{folder / 'hotdesk.db'}"
        self._folder = folder
        self._pipe = folder / "stamps"
        os.mkfifo(self._pipe)
        # Open for writing too: a pipe without a writer has ended, and workers come and go.
        self._stamps = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK)
        self._unread = ""
        self._seen: dict[tuple[str, str], int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._dice = random.Random(0)

    def command(self, worker_id: str, linger: float) -> Sequence[str]:
        """What starts a worker that stays with an idle desk for *linger* seconds."""
        return [sys.executable, str(SERVED), self.url, worker_id, str(self._pipe), str(linger)]

    def start(self, worker_id: str, *, linger: float = 300) -> None:
        """Start a worker."""
        self._processes[worker_id] = subprocess.Popen(self.command(worker_id, linger))

    def kill(self, worker_id: str) -> None:
        """End a worker with kill -9, and reap it."""
        process = self._processes.pop(worker_id)
        process.kill()
        process.wait(PATIENCE)

    def drain(self) -> None:
        """End all workers with SIGTERM.

        Raises:
            RuntimeError: One has failed.
        """
        processes, self._processes = self._processes, {}
        for process in processes.values():
            process.terminate()
        statuses = [process.wait(PATIENCE) for process in processes.values()]
        if any(statuses):
            raise RuntimeError("a worker of the benchmark has failed; its error is above")

    def starts(self, worker_id: str) -> list[int]:
        """When a drained worker started the jobs that it left no line for, in nanoseconds."""
        return [*array("Q", (self._folder / f"{worker_id}.starts").read_bytes())]

    async def stamp(self, what: str, job_id: str) -> int:
        """Wait until something happened to a job; when it did, in nanoseconds."""
        with anyio.fail_after(PATIENCE):
            while (what, job_id) not in self._seen:
                await anyio.wait_readable(self._stamps)
                *lines, self._unread = (
                    self._unread + os.read(self._stamps, 1 << 16).decode()
                ).split("\n")
                for line in lines:
                    at, event, about = line.split()
                    self._seen[event, about] = int(at)
        return self._seen.pop((what, job_id))

    async def until(self, client: Client, worker_id: str, state: str) -> None:
        """Wait until a worker is in *state*, and a moment longer, so that it waits for the bell.

        The moment differs from time to time: nothing should be in step with a poll.
        """
        with anyio.fail_after(PATIENCE):
            while True:
                if any((w.id, w.state) == (worker_id, state) for w in await client.workers()):
                    break
                await anyio.sleep(LOOK_EVERY)
        await anyio.sleep(self._dice.uniform(0.002, 0.01))

    def shut(self) -> None:
        """End what still runs, and close the pipe."""
        for process in self._processes.values():
            process.kill()
            process.wait(PATIENCE)
        os.close(self._stamps)


def desk(number: int) -> Desk:
    """The desk of this number, in the folder of all that are known."""
    return Desk(f"p{number // 1000:06}", f"u{number % 1000:03}")


@contextmanager
def crew(folder: Path) -> Iterator[Crew]:
    """A crew that has ended when the block has, whatever happened."""
    people = Crew(folder)
    try:
        yield people
    finally:
        people.shut()
