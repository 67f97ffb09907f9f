"""How everything stands, in a bounded number of rows."""

from dataclasses import dataclass
from datetime import datetime

from hotdesk.desks import DeskStatus, JobState, WorkerStatus
from hotdesk.ports import Backend

COUNTED_MAX = 1000
# They come with their texts, which may be long.
LETTERS_COUNTED_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A deployment at one instant. Counts stop at the bounds above."""

    at: datetime
    workers: tuple[WorkerStatus, ...]
    desks: tuple[DeskStatus, ...]
    waiting: tuple[DeskStatus, ...]
    dead: int
    held: int

    @property
    def pending(self) -> int:
        """Jobs that have no outcome yet, the running ones included."""
        return sum(desk.pending for desk in self.desks)

    @property
    def running(self) -> int:
        """Jobs that are being run."""
        return sum(bool(desk.active_job) for desk in self.desks)

    def workers_in(self, state: str) -> int:
        """How many workers are in *state*."""
        return sum(worker.state == state for worker in self.workers)

    def why(self, desk: DeskStatus) -> str:
        """Why *desk* waits."""
        if desk.is_paused:
            return "paused"
        if desk.due_at is not None and desk.due_at > self.at:
            return "waits before it tries again"
        if not self.workers:
            return "no worker is running"
        return "its own worker is not here" if desk.is_pinned else "no free worker"


async def look(backend: Backend, now: datetime) -> Overview:
    """See how everything stands.

    Raises:
        Unavailable: The store does not answer.
    """
    return Overview(
        at=now,
        workers=tuple(await backend.workers()),
        desks=tuple(await backend.desks(limit=COUNTED_MAX)),
        waiting=tuple(await backend.desks(waiting=True, limit=COUNTED_MAX)),
        dead=len(await backend.jobs(state=JobState.DEAD, limit=LETTERS_COUNTED_MAX)),
        held=len(await backend.held(limit=LETTERS_COUNTED_MAX)),
    )
