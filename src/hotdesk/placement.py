"""The three placements as rules: how many workers there should be, and for whom.

A warm pool has ``workers_min`` free of choice; with a minimum of zero it starts on
demand; a pinned worker is dedicated to a desk, always on or while there is work.
Pure: the pool carries out what is decided here, and so does the planner.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.desks import Desk, WorkerStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedDesk:
    """A desk with a worker of its own; started by its first job unless ``is_always_on``."""

    desk: Desk
    is_always_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How many generic workers there may be, and after how long an idle one ends."""

    workers_min: int = 2
    workers_max: int = 4
    idle: timedelta = timedelta(minutes=10)
    pinned: tuple[PinnedDesk, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolWorker:
    """A process of the pool. ``free_since`` is set while it holds no desk and could take one.

    One that was started but has not registered yet ``is_starting``.
    """

    id: str
    pinned: Desk | None = None
    free_since: datetime | None = None
    is_starting: bool = False
    is_draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """What to do now: start generic workers, start pinned ones, let idle ones go."""

    start: int = 0
    start_pinned: tuple[Desk, ...] = ()
    retire: tuple[str, ...] = ()


def pool_worker(
    worker_id: str, status: WorkerStatus | None, pinned: Desk | None, *, silent_before: datetime
) -> PoolWorker:
    """A process of the pool as its *status* tells, if it has registered.

    A free one that was not heard of since *silent_before* may be frozen: it cannot take
    a desk, and nobody should wait for it.
    """
    is_heard = status is not None and status.seen_at > silent_before
    return PoolWorker(
        id=worker_id,
        pinned=pinned,
        free_since=status.free_since if status is not None and is_heard else None,
        is_starting=status is None,
        is_draining=status is not None and status.state == "draining",
    )


def plan(
    workers: Iterable[PoolWorker],
    waiting: int,
    waiting_pinned: Iterable[Desk],
    limits: PoolLimits,
    *,
    now: datetime,
) -> PoolPlan:
    """Decide from the workers there are and the desks that wait for one.

    ``waiting`` counts due desks without an owner that any worker may claim. A busy
    worker is never let go: only free ones are, and only while nobody waits.
    """
    every = list(workers)
    generic = [w for w in every if w.pinned is None]
    retire = _idle(generic, waiting, limits, now)
    start_pinned = []
    wanted = set(waiting_pinned)
    for pin in limits.pinned:
        own = [w for w in every if w.pinned == pin.desk]
        if not any(not w.is_draining for w in own) and (pin.is_always_on or pin.desk in wanted):
            start_pinned.append(pin.desk)
        elif not pin.is_always_on and pin.desk not in wanted:
            retire += [w.id for w in own if _has_idled(w, limits, now)]
    return PoolPlan(
        start=_missing(generic, waiting, limits),
        start_pinned=tuple(start_pinned),
        retire=tuple(retire),
    )


def _missing(generic: Sequence[PoolWorker], waiting: int, limits: PoolLimits) -> int:
    staying = [w for w in generic if not w.is_draining]
    coming = sum(w.is_starting or w.free_since is not None for w in staying)
    return missing(limits, waiting=waiting, coming=coming, staying=len(staying), all=len(generic))


def missing(limits: PoolLimits, *, waiting: int, coming: int, staying: int, all: int) -> int:  # noqa: A002 - all of them
    """How many generic workers to start.

    ``coming`` are free or starting, ``staying`` do not drain.
    """
    wanted = max(limits.workers_min - staying, waiting - coming, 0)
    # Those that drain still use the machine.
    return max(0, min(wanted, limits.workers_max - all))


def spare(limits: PoolLimits, *, waiting: int, staying: int) -> int:
    """How many generic workers that have idled long enough may go."""
    return 0 if waiting else max(0, staying - limits.workers_min)


def _idle(
    generic: Sequence[PoolWorker], waiting: int, limits: PoolLimits, now: datetime
) -> list[str]:
    idle = sorted(
        (w for w in generic if _has_idled(w, limits, now)),
        key=lambda w: (w.free_since or now, w.id),
    )
    staying = sum(not w.is_draining for w in generic)
    return [w.id for w in idle[: spare(limits, waiting=waiting, staying=staying)]]


def _has_idled(worker: PoolWorker, limits: PoolLimits, now: datetime) -> bool:
    since = worker.free_since
    return since is not None and not worker.is_draining and now - since >= limits.idle
