"""The only source of time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The only source of time. Simulation puts its own in place."""

    def now(self) -> datetime:
        """The instant, aware and in UTC; it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring this process's own spans."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Return after *span*."""
        ...
