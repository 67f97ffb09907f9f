"""How much there is now, and how jobs have ended and waited over time, for people who look.

What happened is counted from the stored events, in the order of their cursors, into steps
of ``TALLY_STEP``. ``counts_of`` alone knows which events count; a store keeps what it
gives and how far it has come in one transaction, so that each event is counted once.
Nothing here grows with the number of desks or jobs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hotdesk.desks import JobState
from hotdesk.events import StoredEvent
from hotdesk.ports.tallies import TALLY_STEP, tally_step

FIGURES_KEPT = timedelta(days=8)
"""How long a step is kept at least: a week, and the same day of the week before."""

COUNTED_MAX = 1000
"""Where ``Counts`` stop: so many, or more."""

# Waits are kept in classes that grow by an eleventh, so a quantile is off by a twentieth at most.
_CLASSES_IN_DOUBLE = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_STATES = {state.value: state for state in JobState}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What happened in one step from *at* on, or in several together.

    ``ended`` counts outcomes by their state, ``waits`` jobs that started for the first
    time by the class of their wait since they were submitted.
    """

    at: datetime
    ended: Mapping[JobState, int]
    waits: Mapping[int, int]

    def outcomes(self, *states: JobState) -> int:
        """How many jobs ended in one of *states*; in any without them."""
        return sum(self.ended.get(state, 0) for state in states or self.ended)

    @property
    def started(self) -> int:
        """How many jobs started for the first time."""
        return sum(self.waits.values())

    def wait(self, share: float) -> timedelta | None:
        """How long *share* of those waited at most, to a twentieth; ``None`` without any."""
        rank = math.ceil(share * self.started)
        for each in sorted(self.waits):
            rank -= self.waits[each]
            if rank <= 0:
                return _MILLISECOND * 2 ** ((each + 0.5) / _CLASSES_IN_DOUBLE)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The steps of a span in which something happened, oldest first.

    With ``is_complete`` false the store is still counting what happened before.
    """

    steps: Sequence[Figure]
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much there is, each up to ``COUNTED_MAX``.

    ``desks_waiting`` have jobs and no owner; ``waiting_since`` is when the first of them
    that is not paused began to. ``dead`` are dead letters, ``held`` waits for approval.
    """

    desks_waiting: int
    waiting_since: datetime | None
    queued: int
    running: int
    dead: int
    held: int


class Figures(Protocol):
    """What is counted for people who look."""

    async def counts(self) -> Counts:
        """How much there is now."""
        ...

    async def trend(self, *, since: datetime) -> Trend:
        """What happened from the step of *since* on, up to now."""
        ...

    async def latest_events(self, *, limit: int = 100, before: str = "") -> list[StoredEvent]:
        """The newest events, the latest first; those older than the cursor *before* on demand.

        Raises:
            Rejected: The cursor is not one of ours.
        """
        ...


def together(figures: Iterable[Figure], *, at: datetime) -> Figure:
    """One figure for several, which begins at *at*."""
    ended: Counter[JobState] = Counter()
    waits: Counter[int] = Counter()
    for each in figures:
        ended.update(each.ended)
        waits.update(each.waits)
    return Figure(at=at, ended=ended, waits=waits)


def counts_of(events: Iterable[StoredEvent]) -> dict[int, Counter[str]]:
    """What *events* add to each step, by names that a store need not understand."""
    found: dict[int, Counter[str]] = {}
    for event in events:
        if name := _name_of(event):
            found.setdefault(tally_step(event.at), Counter())[name] += 1
    return found


def figure_of(step: int, counts: Mapping[str, int]) -> Figure:
    """The figure of *step* for what ``counts_of`` gave for it."""
    ended: dict[JobState, int] = {}
    waits: dict[int, int] = {}
    for name, number in counts.items():
        if state := _STATES.get(name):
            ended[state] = number
        else:
            waits[int(name)] = number
    return Figure(at=_EPOCH + step * TALLY_STEP, ended=ended, waits=waits)


def _name_of(event: StoredEvent) -> str:
    """A state for an outcome, the number of a class for a wait, nothing for anything else."""
    if event.kind == "JobEnded":
        state = str(event.details.get("state"))
        return state if state in _STATES else ""
    waited = event.details.get("waited_ms") if event.kind == "JobStarted" else None
    if not isinstance(waited, int):
        return ""
    return str(math.floor(_CLASSES_IN_DOUBLE * math.log2(max(waited, 1))))
