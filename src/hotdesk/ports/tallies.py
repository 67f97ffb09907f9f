"""Counts over spans of time: how many jobs a sender gave, what a project has cost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

TALLY_STEP = timedelta(minutes=5)
"""Counts are kept in steps of this length; a span begins with the step that it begins in."""


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
