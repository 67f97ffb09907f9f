"""A clock that stands still until a test turns it."""

from datetime import UTC, datetime, timedelta

import anyio

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""Where every ``FakeClock`` begins: a Monday morning."""


class FakeClock:
    """``ports.Clock`` for tests: nothing passes by itself, and sleepers wait for ``jump``."""

    def __init__(self, start: datetime = START) -> None:
        """Stand at *start*, an aware instant in UTC."""
        self._start = start
        self._passed = timedelta(0)
        self._turned = anyio.Event()

    def now(self) -> datetime:
        """The instant, aware and in UTC."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._passed.total_seconds()

    async def sleep(self, span: timedelta) -> None:
        """Return once jumps have covered *span*."""
        ends = self._passed + span
        while self._passed < ends:
            await self._turned.wait()

    def jump(self, span: timedelta) -> None:
        """Let *span* pass at once and wake those who slept until then."""
        assert span >= timedelta(0), "time does not go back; start another clock"
        self._passed += span
        self._turned.set()
        self._turned = anyio.Event()
