"""Random traffic for tests."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from hotdesk.placement import PoolLimits
from hotdesk.planner.outcome import Timing
from hotdesk.planner.traffic import Arrival

MORNING = 9 * 3600.0


def poisson(
    lots: random.Random,
    count: int,
    *,
    gap: float,
    work: float,
    desks: int,
    corrections: float = 0.0,
) -> Iterator[Arrival]:
    """Arrivals with exponential gaps and work, in seconds of their mean, at random desks."""
    at, seen = MORNING, set()
    for _ in range(count):
        at += lots.expovariate(1 / gap)
        desk = f"d{lots.randrange(desks)}"
        # The first job of a desk has nothing to correct.
        is_correction = desk in seen and lots.random() < corrections
        seen.add(desk)
        yield Arrival(at, desk, lots.expovariate(1 / work), is_correction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A traffic and a pool for it, both drawn from a seed."""

    trace: tuple[Arrival, ...]
    limits: PoolLimits
    timing: Timing
    linger: float
    session_max: float

    @classmethod
    def of(cls, seed: int, jobs: int) -> "Case":
        """Draw one in which *jobs* arrive."""
        lots = random.Random(seed)
        work, most = lots.uniform(20, 200), lots.randint(2, 8)
        gap = work / most / lots.uniform(0.3, 0.95)
        return cls(
            trace=tuple(
                poisson(lots, jobs, gap=gap, work=work, desks=lots.randint(3, 30), corrections=0.15)
            ),
            limits=PoolLimits(
                workers_min=lots.randint(0, most),
                workers_max=most,
                idle=timedelta(seconds=lots.choice([30, 120, 600])),
            ),
            timing=Timing(
                cold_start=lots.uniform(1, 40),
                prepare=lots.uniform(0.2, 8),
                stop=lots.uniform(0.5, 5),
            ),
            linger=lots.choice([0.0, 30.0, 300.0]),
            session_max=lots.choice([300.0, 1800.0]),
        )
