"""What came out of playing a traffic through one placement."""

import random
from dataclasses import dataclass

from hotdesk.planner.waits import Waits, WaitsByHour


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take, in seconds.

    ``cold_start`` is from the decision to start a worker until it can claim, ``prepare``
    what a claim takes until its first job runs, ``stop`` from a correction to the end of
    what it stops. A worker crashes ``crashes_per_hour`` of its work, and ``takeover`` later
    another one may claim its desk and run the job from its beginning.
    """

    cold_start: float = 2.0
    prepare: float = 0.5
    stop: float = 1.0
    crashes_per_hour: float = 0.0
    takeover: float = 105.0

    def crash_in(self, span: float, lots: random.Random) -> float | None:
        """When in a span of work the worker crashes, in seconds from its begin."""
        if not self.crashes_per_hour:
            return None
        at = lots.expovariate(self.crashes_per_hour) * 3600
        return at if at < span else None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The waits and the work of one run.

    A wait is from the arrival of a job until its agent begins. A delay is the part of it
    that the placement is to blame for: from when the job was the next of its desk, since
    order costs the same everywhere. ``worker_seconds`` is the
    time that workers were there, starting included, and ``busy_seconds`` the part of it in
    which they prepared or worked. ``span`` is from the first arrival to the last end.
    """

    waits: Waits
    delays: WaitsByHour
    worker_seconds: float = 0.0
    busy_seconds: float = 0.0
    cold_starts: int = 0
    claims: int = 0
    interrupted: int = 0
    folded: int = 0
    crashes: int = 0
    workers_most: int = 0
    span: float = 0.0

    @property
    def idle_share(self) -> float:
        """The share of the time of workers in which they did nothing."""
        return 1 - self.busy_seconds / self.worker_seconds if self.worker_seconds else 0.0
