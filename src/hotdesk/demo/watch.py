"""The events of the deployment as they come, kept in order for whoever waits for one."""

from collections.abc import Callable

import anyio

from hotdesk.client import Client
from hotdesk.events import StoredEvent


class Watch:
    """Follows the events through the client, as any program could."""

    def __init__(self, on_event: Callable[[StoredEvent], None]) -> None:
        """*on_event* is told of each, in order."""
        self._on_event = on_event
        self._came = anyio.Event()
        self.events: list[StoredEvent] = []

    async def run(self, client: Client) -> None:
        """Follow until cancelled, from the oldest event on."""
        async for event in client.events(after=""):
            self.events.append(event)
            self._on_event(event)
            self._came.set()
            self._came = anyio.Event()

    async def until(self, is_there: Callable[[StoredEvent], bool], *, times: int = 1) -> None:
        """Return once so many events of this kind have come."""
        while sum(map(is_there, self.events)) < times:
            await self._came.wait()

    async def until_left(self) -> None:
        """Return once every worker that came has left, and so nothing more can happen."""
        while self.workers("WorkerStarted") != self.workers("WorkerStopped"):
            await self._came.wait()

    def workers(self, kind: str) -> set[str]:
        """Return the workers that events of this kind are about."""
        return {str(e.details["worker_id"]) for e in self.events if e.kind == kind}
