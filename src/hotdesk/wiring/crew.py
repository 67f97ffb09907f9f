"""The worker processes of this machine that a pool starts, and a way to hurry them."""

import sys
from collections.abc import Sequence

import anyio

from hotdesk.desks import Desk
from hotdesk.launcher import LocalLauncher, LocalProcess

ASK_AGAIN_SECONDS = 0.3


class Crew:
    """A launcher that knows which of its workers still run."""

    def __init__(self, options: Sequence[str], *, pid: int) -> None:
        """Give each worker *options*; it ends when the process *pid*, this one, ends."""
        self._launcher = LocalLauncher(
            lambda worker_id, pinned: worker_command(worker_id, pinned, options, pid=pid)
        )
        self._running: set[CrewMember] = set()

    async def start(self, worker_id: str, pinned: Desk | None) -> "CrewMember":
        """Start one worker.

        Raises:
            OSError: It cannot be started.
        """
        member = CrewMember(await self._launcher.start(worker_id, pinned), self._running)
        self._running.add(member)
        return member

    async def hurry(self) -> None:
        """Ask all a second time: a worker that drains already stops at once."""
        # Signals of one kind that wait together arrive as one. So it is asked once more, in
        # case the first time and this one did.
        for _ in range(2):
            for member in self._running:
                member.terminate()
            await anyio.sleep(ASK_AGAIN_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL to all."""
        for member in self._running:
            member.kill()


class CrewMember:
    """A worker of the crew; see ``ports.Process``."""

    def __init__(self, process: LocalProcess, running: "set[CrewMember]") -> None:
        """Be one of *running* until the process has ended."""
        self._process = process
        self._running = running

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        status = await self._process.wait()
        self._running.discard(self)
        return status

    def terminate(self) -> None:
        """Ask it to drain."""
        self._process.terminate()

    def kill(self) -> None:
        """End it now."""
        self._process.kill()


def worker_command(
    worker_id: str, pinned: Desk | None, options: Sequence[str], *, pid: int
) -> list[str]:
    """The command line of one worker that ends when the process *pid* ends."""
    # -P: a module of the current folder does not stand in for one of the library.
    command = [sys.executable, "-P", "-m", "hotdesk", "worker", "run", *options]
    desk = [] if pinned is None else ["--desk", str(pinned)]
    return [*command, "--id", worker_id, "--parent", str(pid), *desk]
