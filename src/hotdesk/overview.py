"""How a deployment stands, at one instant and over the last day, in a bounded number of rows.

What the dashboard, the HTTP API and the command line show is seen here once, so that they
agree. Nothing here is worded for one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hotdesk.desks import DeskStatus, JobState, WorkerStatus
from hotdesk.ports import COUNTED_MAX, Backend, Counts, Figure, Trend, tally_begin, together

DESKS_MAX = 1000
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FAILURES = (JobState.FAILED, JobState.DEAD)


class Why(StrEnum):
    """Why a desk waits."""

    PAUSED = "paused"
    BACKOFF = "waits before it tries again"
    NO_WORKER = "no worker is running"
    PINNED = "its own worker is not here"
    FREE_WORKER = "a free worker takes it next"
    NO_FREE_WORKER = "no free worker"
    BEHIND = "behind its running job"
    OWNED = "its worker takes it next"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A desk with jobs that nobody runs; ``queued`` counts them."""

    desk: DeskStatus
    queued: int
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A deployment at one instant.

    ``desks`` are those with an owner or with jobs, as far as they were listed; ``waiting``
    are those among them whose jobs wait, the ones without an owner first and the paused
    ones last. Counts stop at ``COUNTED_MAX``.
    """

    at: datetime
    workers: tuple[WorkerStatus, ...]
    desks: tuple[DeskStatus, ...]
    waiting: tuple[Waiting, ...]
    counts: Counts
    trend: Trend

    @property
    def pending(self) -> int:
        """Jobs that have no outcome yet, the running ones included."""
        return min(self.counts.queued + self.counts.running, COUNTED_MAX)

    @property
    def desks_waiting(self) -> int:
        """Desks whose jobs wait, for a worker or for the job before them."""
        behind = sum(bool(each.desk.owner) for each in self.waiting)
        return min(self.counts.desks_waiting + behind, COUNTED_MAX)

    def workers_in(self, state: str) -> int:
        """How many workers are in *state*."""
        return sum(worker.state == state for worker in self.workers)

    def last(self, span: timedelta) -> Figure:
        """What happened in the last *span*, which begins with the step that it begins in."""
        return together(self._steps(span), at=tally_begin(self.at - span))

    @property
    def failed(self) -> int:
        """Jobs that failed or died in the last day."""
        return sum(each.outcomes(*FAILURES) for each in self._steps(DAY))

    def _steps(self, span: timedelta) -> list[Figure]:
        start = tally_begin(self.at - span)
        return [each for each in self.trend.steps if each.at >= start]


async def look(
    backend: Backend, now: datetime, *, desks_max: int = DESKS_MAX, span: timedelta = DAY
) -> Overview:
    """See how everything stands: *desks_max* desks are listed, figures are of the last *span*.

    Raises:
        Unavailable: The store does not answer.
    """
    workers = tuple(await backend.workers())
    listed = await backend.desks(limit=desks_max)
    desks = tuple(desk for desk in listed if desk.owner or desk.pending)
    waiting = [
        Waiting(desk=desk, queued=queued, why=_why(desk, workers, now))
        for desk in desks
        if (queued := desk.pending - bool(desk.active_job)) > 0
    ]
    waiting.sort(key=lambda each: (each.desk.is_paused, bool(each.desk.owner)))
    return Overview(
        at=now,
        workers=workers,
        desks=desks,
        waiting=tuple(waiting),
        counts=await backend.counts(),
        trend=await backend.trend(since=now - span),
    )


def bounded(number: int, most: int = COUNTED_MAX) -> str:
    """A count that stops at *most*, in digits: ``1,000+`` is that many, or more."""
    return f"{number:,}+" if number >= most else f"{number:,}"


def _why(desk: DeskStatus, workers: tuple[WorkerStatus, ...], now: datetime) -> Why:
    if desk.is_paused:
        return Why.PAUSED
    if desk.active_job:
        return Why.BEHIND
    if desk.due_at is not None and desk.due_at > now:
        return Why.BACKOFF
    if desk.owner:
        return Why.OWNED
    if desk.is_pinned:
        return Why.PINNED if workers else Why.NO_WORKER
    if not workers:
        return Why.NO_WORKER
    is_one_free = any(each.state == "warm" and each.pinned is None for each in workers)
    return Why.FREE_WORKER if is_one_free else Why.NO_FREE_WORKER
