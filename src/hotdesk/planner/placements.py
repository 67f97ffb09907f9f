"""The placements that are compared, and one pass of a traffic through all of them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from hotdesk.placement import PoolLimits
from hotdesk.planner.outcome import Outcome, Timing
from hotdesk.planner.own_run import OwnRun
from hotdesk.planner.pool_run import PoolRun
from hotdesk.planner.traffic import Arrival

PROGRESS_EVERY = 10_000


class Run(Protocol):
    """One traffic through one placement."""

    def begin(self, at: float) -> None:
        """Have the workers there that are there from the beginning."""
        ...

    def arrive(self, job: Arrival) -> None:
        """Take a job that arrives no sooner than those before it."""
        ...

    def finish(self, until: float = 0.0) -> Outcome:
        """Let all work end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is the same for every placement. Spans are in seconds; ``promise`` is of a wait."""

    timing: Timing
    linger: float = 300.0
    idle: float = 600.0
    session_max: float = 1800.0
    promise: float = math.inf
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPool:
    """Generic workers: at least so many, and at most. With none at least it is on demand."""

    workers_min: int
    workers_max: int

    @property
    def name(self) -> str:
        """What people call it."""
        if self.workers_min == 0:
            return f"on demand, 0 to {self.workers_max}"
        if self.workers_min == self.workers_max:
            return f"warm pool of {self.workers_max}"
        return f"warm pool, {self.workers_min} to {self.workers_max}"

    @property
    def settings(self) -> dict[str, int]:
        """The settings of ``[pool]`` that make it so."""
        return {"min_workers": self.workers_min, "max_workers": self.workers_max}

    def run(self, given: Assumptions) -> Run:
        """Begin a run of it."""
        limits = PoolLimits(
            workers_min=self.workers_min,
            workers_max=self.workers_max,
            idle=timedelta(seconds=given.idle),
        )
        return PoolRun(
            limits,
            given.timing,
            linger=given.linger,
            session_max=given.session_max,
            promise=given.promise,
            seed=given.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedicated:
    """A worker for each desk: always on, or started by its work and ended when idle."""

    is_always_on: bool

    @property
    def name(self) -> str:
        """What people call it."""
        return "dedicated, always on" if self.is_always_on else "dedicated, 0 to 1"

    @property
    def settings(self) -> dict[str, int]:
        """Settings of ``[pool]``; the desks themselves are in ``pinned``."""
        return {"min_workers": 0, "max_workers": 0}

    def run(self, given: Assumptions) -> Run:
        """Begin a run of it."""
        # A worker of its own lingers, and idles then.
        idle = None if self.is_always_on else given.linger + given.idle
        return OwnRun(given.timing, idle=idle, promise=given.promise, seed=given.seed)


Placement = WarmPool | Dedicated


def standard(workers_max: int) -> list[Placement]:
    """The placements that are compared when nobody names any, for a peak of so many workers."""
    some = max(1, math.ceil(workers_max / 4))
    half = max(some + 1, math.ceil(workers_max / 2))
    pools = [(0, workers_max), (some, workers_max), (half, workers_max), (half, half)]
    sized = [WarmPool(workers_min=least, workers_max=most) for least, most in pools]
    return [Dedicated(is_always_on=True), Dedicated(is_always_on=False), *dict.fromkeys(sized)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A traffic that was played: how much it was, and what came out, in the order of placements.

    ``span`` is how long it was, and ``work`` that of all its agents, in seconds.
    """

    jobs: int
    desks: int
    span: float
    work: float
    outcomes: Sequence[Outcome]


def play(
    traffic: Iterable[Arrival],
    placements: Sequence[Placement],
    given: Assumptions,
    *,
    lasts: tuple[float, float] | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Played:
    """Play *traffic* through all *placements* in one pass; memory is flat in its length.

    It *lasts* from one time to another, or from its first arrival to its last.
    ``on_progress`` is told every 10,000 jobs how many there were.
    """
    runs = [each.run(given) for each in placements]
    arrivers = [run.arrive for run in runs]
    desks: set[str] = set()
    jobs, work, first, last = 0, 0.0, 0.0, 0.0
    for job in traffic:
        if not jobs:
            first = job.at if lasts is None else min(job.at, lasts[0])
            for run in runs:
                run.begin(first)
        jobs += 1
        last = job.at
        work += job.seconds
        desks.add(job.desk)
        for arrive in arrivers:
            arrive(job)
        if jobs % PROGRESS_EVERY == 0:
            on_progress(jobs)
    last = max(last, last if lasts is None else lasts[1])
    outcomes = [run.finish(last) for run in runs]
    return Played(jobs=jobs, desks=len(desks), span=last - first, work=work, outcomes=outcomes)


def busy_most(traffic: Iterable[Arrival]) -> int:
    """How many jobs would run at once at most, if each began as it came; desks in their order."""
    run = PoolRun(
        PoolLimits(workers_min=0, workers_max=10**9, idle=timedelta(0)),
        Timing(cold_start=0.0, prepare=0.0, stop=0.0),
        linger=0.0,
        session_max=math.inf,
    )
    run.begin(0.0)
    for job in traffic:
        run.arrive(job)
    return run.finish().workers_most
