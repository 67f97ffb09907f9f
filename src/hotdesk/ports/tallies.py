"""Counts over spans of time: how many jobs a sender gave, what a project has cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

TALLY_STEP = timedelta(minutes=5)
"""Counts are kept in steps of this length; a span begins with the step that it begins in."""

TALLY_KEPT = timedelta(days=2)
"""How long a step is kept at least. The longest span that is asked for is a day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tally_step(instant: datetime) -> int:
    """The number of the step that *instant* is in, counted from 1970."""
    return (instant - _EPOCH) // TALLY_STEP


def tally_begin(instant: datetime) -> datetime:
    """When the step began that *instant* is in."""
    return _EPOCH + tally_step(instant) * TALLY_STEP


class Tallies(Protocol):
    """Counts by name. They are forgotten two days after their step."""

    async def count(self, name: str, amount: int, *, now: datetime) -> None:
        """Add *amount* to the step of *now*.

        Raises:
            Unavailable: It may have been added.
        """
        ...

    async def counted(self, name: str, *, since: datetime) -> int:
        """What was added from the step of *since* on."""
        ...
