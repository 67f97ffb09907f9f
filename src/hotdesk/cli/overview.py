"""Everything at a glance: who works, who waits and why, what needs a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hotdesk.cli.invocation import Connected
from hotdesk.cli.records import desk_json, span, worker_json
from hotdesk.desks import DeskStatus, JobState, Json, WorkerStatus

COUNTED_MAX = 1000
# They come with their texts, which may be long.
HELD_COUNTED_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A deployment at one instant. Counts stop at ``COUNTED_MAX`` desks or jobs."""

    backend: str
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

    def as_json(self) -> dict[str, Json]:
        """All of it for a program."""
        return {
            "backend": self.backend,
            "at": self.at.isoformat(),
            "pending": self.pending,
            "running": self.running,
            "dead": self.dead,
            "held": self.held,
            "workers": [worker_json(worker) for worker in self.workers],
            "desks": [desk_json(desk) for desk in self.desks],
            "waiting": [
                {"desk": str(desk.desk), "pending": desk.pending, "why": self.why(desk)}
                for desk in self.waiting
            ],
        }

    def facts(self) -> Mapping[str, str]:
        """The numbers in a word or two each."""
        states = [worker.state for worker in self.workers]
        by_state = ", ".join(f"{states.count(each)} {each}" for each in sorted(set(states)))
        return {
            "backend": self.backend,
            "workers": f"{len(states)} ({by_state})" if states else "none; start: hotdesk up",
            "jobs": f"{_count(self.pending)} pending, {self.running} running",
            "desks": f"{_count(len(self.waiting))} waiting",
            "dead letters": _count(self.dead) + ("; see: hotdesk dead list" if self.dead else ""),
            "for approval": _count(self.held, HELD_COUNTED_MAX)
            + ("; see: hotdesk thread held" if self.held else ""),
        }

    def why(self, desk: DeskStatus) -> str:
        """Why *desk* waits."""
        if desk.is_paused:
            return f"paused; hotdesk desk resume {desk.desk}"
        if desk.due_at is not None and desk.due_at > self.at:
            return f"tries again in {span(desk.due_at - self.at)}"
        if not self.workers:
            return "no worker is running"
        if desk.is_pinned:
            return "its own worker is not here"
        return "no free worker"


async def look(connected: Connected, now: datetime) -> Overview:
    """See how everything stands."""
    client = connected.client
    return Overview(
        backend=connected.config.backend,
        at=now,
        workers=tuple(await client.workers()),
        desks=tuple(
            desk
            for desk in await client.desks(limit=COUNTED_MAX)
            if desk.owner or desk.pending or desk.is_paused
        ),
        waiting=tuple(await client.desks(waiting=True, limit=COUNTED_MAX)),
        dead=len(await client.jobs(state=JobState.DEAD, limit=COUNTED_MAX)),
        held=len(await client.held(limit=HELD_COUNTED_MAX)),
    )


def _count(number: int, counted_max: int = COUNTED_MAX) -> str:
    return f"{number} or more" if number >= counted_max else str(number)
