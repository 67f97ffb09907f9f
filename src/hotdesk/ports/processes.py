"""Worker processes, as the pool sees them."""

from __future__ import annotations

from typing import Protocol

from hotdesk.desks import Desk


class Process(Protocol):
    """A started worker, as the pool sees it."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    async def wait(self) -> int:
        """Its exit status, once it has ended; negative for a signal."""
        ...

    def terminate(self) -> None:
        """Ask it to drain."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...


class Launcher(Protocol):
    """Starts workers."""

    async def start(self, worker_id: str, pinned: Desk | None) -> Process:
        """Start one worker.

        Raises:
            OSError: It cannot be started.
        """
        ...
