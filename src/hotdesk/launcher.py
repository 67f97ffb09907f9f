"""Worker processes on this machine."""

import signal
from collections.abc import Callable, Sequence

import anyio
import anyio.abc

from hotdesk.desks import Desk
from hotdesk.signals import send_signal


class LocalProcess:
    """A started process; see ``ports.Process``."""

    def __init__(self, process: anyio.abc.Process) -> None:
        """Own *process* until it has ended."""
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Its exit status, once it has ended; negative for a signal."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Ask it to drain."""
        send_signal(self._process, signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        # A stopped process takes no other signal, and SIGKILL ends it all the same.
        send_signal(self._process, signal.SIGKILL)


class LocalLauncher:
    """Starts workers as child processes."""

    def __init__(self, command: Callable[[str, Desk | None], Sequence[str]]) -> None:
        """``command`` gives the program and its arguments for a worker's id and pinned desk."""
        self._command = command

    async def start(self, worker_id: str, pinned: Desk | None) -> LocalProcess:
        """Start one worker, in a session of its own: Ctrl-C reaches the pool alone.

        Raises:
            OSError: The program cannot be started.
        """
        process = await anyio.open_process(
            self._command(worker_id, pinned),
            stdin=None,
            stdout=None,
            stderr=None,
            start_new_session=True,
        )
        return LocalProcess(process)
