"""The real clock: the only module that reads time or sleeps."""

import time
from datetime import UTC, datetime, timedelta

import anyio


class SystemClock:
    """The machine's time; see ``ports.Clock``."""

    def now(self) -> datetime:
        """The instant, aware and in UTC; it may jump."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, span: timedelta) -> None:
        """Return after *span*."""
        await anyio.sleep(span.total_seconds())
