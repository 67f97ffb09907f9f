"""What a run will be like, drawn from its seed before it begins."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Self

from hotdesk.desks import Desk
from hotdesk.placement import PinnedDesk, PoolLimits
from hotdesk.session import WorkerLimits
from hotdesk.simulation.bell import Ring
from hotdesk.simulation.faults import WEATHER, Fault, FaultRates
from hotdesk.simulation.post import Reply
from hotdesk.simulation.traffic import Act, Traffic

MINUTE = timedelta(minutes=1)
# Most runs are short: what goes wrong does so within minutes. Some last a day and a night,
# so that extensions every 50 min, a record of 2 h and a message's 12 h are crossed.
SHORT = Traffic(
    span=timedelta(minutes=12),
    jobs=6,
    desks_max=3,
    step=timedelta(seconds=15),
    steps_max=60,
    long_one_in=20,
)
LONG = Traffic(
    span=timedelta(hours=10),
    jobs=12,
    desks_max=4,
    step=timedelta(minutes=7),
    steps_max=120,
    long_one_in=4,
)
LONG_ONE_IN = 40
# The steps of the protocol on SQLite: those that workers take, and those of everybody else.
WORKERS_STEPS = tuple(
    "register claim next_job beat extend save_partial seal settle fenced catch_up release"
    " give_way deregister".split()
)
OTHERS_STEPS = tuple("submit cancel retry pause resume ask_release drain sweep".split())
# What is reached in a long run only.
LONG_STEPS = frozenset({"extend"})
# Clocks that are kept differ by 10 s at most, less than the 15 s that a taker of a desk waits.
KEPT = timedelta(seconds=5)
WILD = timedelta(minutes=4)


class Calamity(StrEnum):
    """What befalls the whole machine."""

    POWER_CUT = "power cut"
    UP_KILLED = "up killed"
    DISK_FULL = "disk full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """A calamity: when it comes, and how long it lasts."""

    at: timedelta
    calamity: Calamity
    span: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run before it begins.

    ``skew_max`` is how far each clock is off at most; ``has_kept_clocks`` says that this
    is within what the protocol allows for.
    """

    acts: tuple[Act, ...]
    blows: tuple[Blow, ...]
    pool: PoolLimits
    worker: WorkerLimits
    workers_faults: FaultRates
    others_faults: FaultRates
    rings: dict[Ring, float] = field(default_factory=dict)
    replies: dict[Reply, float] = field(default_factory=dict)
    skew_max: timedelta = KEPT
    patience: timedelta = timedelta(hours=8)

    @property
    def has_kept_clocks(self) -> bool:
        """Whether all clocks stay within the margin."""
        return self.skew_max <= KEPT

    @classmethod
    def of(cls, lots: random.Random, *, focus: str = "") -> Self:
        """The plan that *lots* give; with a *focus*, there is much trouble around that step."""
        is_long = lots.randrange(LONG_ONE_IN) == 0
        traffic = LONG if is_long or focus in LONG_STEPS else SHORT
        acts = tuple(traffic.acts(lots))
        skew_max = lots.choice([KEPT, KEPT, WILD])
        # How often a call goes wrong, before the focus; nothing at all in some runs.
        weather = lots.choice([0.0, 0.005, 0.02])
        death = lots.choice([0.0, 0.002, 0.005])
        frost = lots.choice([0.0, 0.002, 0.005])
        drawn = lots.choice(WORKERS_STEPS + OTHERS_STEPS)
        if focus:
            weather, death, frost = 0.012, 0.008, 0.008
        fair = dict.fromkeys(WEATHER, weather / 3)
        others = FaultRates(
            chances={**fair, Fault.DOUBLED: weather / 3},
            focus=focus or drawn,
        )
        workers = FaultRates(
            chances={
                **fair,
                Fault.CLOCK_JUMPED: weather / 3,
                Fault.KILLED_BEFORE: death / 2,
                Fault.KILLED_AFTER: death / 2,
                Fault.FROZEN_BEFORE: frost / 2,
                Fault.FROZEN_AFTER: frost / 2,
                Fault.CUT_OFF: frost / 2,
            },
            focus=focus or drawn,
            skew_max=skew_max,
            freeze_max=lots.choice([2, 8, 20]) * MINUTE,
        )
        ring, blows = lots.choice([0.0, 0.03, 0.1]), _blows(lots, traffic.span)
        return cls(
            acts=acts,
            blows=tuple(blows),
            pool=_pool(lots, acts),
            worker=WorkerLimits(
                job_time=timedelta(hours=16),
                session_max=lots.choice([5, 30]) * MINUTE,
                linger=lots.choice([1, 5]) * MINUTE,
            ),
            workers_faults=workers,
            others_faults=others,
            rings=dict.fromkeys(Ring, ring) if ring else {},
            replies=dict.fromkeys(Reply, lots.choice([0.05, 0.25])),
            skew_max=skew_max,
            patience=timedelta(days=2) if traffic is LONG else timedelta(hours=8),
        )


def _blows(lots: random.Random, span: timedelta) -> list[Blow]:
    found = []
    for calamity in Calamity:
        if lots.randrange(5) == 0:
            lasts = lots.choice([0.1, 1, 5]) * lots.random() * MINUTE
            found.append(Blow(at=span * lots.random(), calamity=calamity, span=lasts))
    return sorted(found, key=lambda blow: blow.at)


def _pool(lots: random.Random, acts: tuple[Act, ...]) -> PoolLimits:
    desks: list[Desk] = sorted({act.desk for act in acts}, key=lambda desk: desk.key)
    pinned = [PinnedDesk(desk=desks[0])] if lots.randrange(8) == 0 else []
    return PoolLimits(
        workers_min=lots.randint(0, 2), workers_max=lots.randint(2, 4), pinned=tuple(pinned)
    )
