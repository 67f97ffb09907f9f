"""How far a run is, while it lasts: which jobs wait, and how many have ended.

This is for pacing people and faults only. What is judged at the end comes from elsewhere.
"""

from dataclasses import dataclass, field

import anyio

from hotdesk.client import Client
from hotdesk.desks import Desk
from hotdesk.errors import Unavailable

PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Progress:
    """The jobs that have no outcome yet, by the events, with the keys of their desks."""

    open_jobs: dict[str, str] = field(default_factory=dict)
    ended: int = 0
    takeovers: int = 0
    _cursor: str = ""
    _came: anyio.Event = field(default_factory=anyio.Event)

    async def follow(self, client: Client) -> None:
        """Read events until cancelled; a store that is not there is waited for."""
        while True:
            try:
                async for event in client.events(after=self._cursor):
                    self._cursor = event.cursor
                    match event.kind:
                        case "JobSubmitted" | "JobRetried":
                            self.open_jobs[event.job_id] = event.desk
                        case "JobEnded":
                            self.open_jobs.pop(event.job_id, None)
                            self.ended += 1
                        case "DeskClaimed":
                            self.takeovers += bool(event.details["is_takeover"])
                    self._came.set()
                    self._came = anyio.Event()
            except Unavailable:
                await anyio.sleep(PAUSE_SECONDS)

    def waiting_at(self, desk: Desk) -> int:
        """Return how many jobs of a desk have no outcome."""
        return sum(key == desk.key for key in self.open_jobs.values())

    async def until_one_more_ends(self) -> None:
        """Return once a job has ended after this call."""
        before = self.ended
        while self.ended == before:
            await self._came.wait()

    async def until_open(self, jobs_max: int) -> None:
        """Return once at most so many jobs have no outcome."""
        while len(self.open_jobs) > jobs_max:
            await self._came.wait()
