"""Waits as counts in buckets, so that a month takes no more memory than an hour."""

import math

BUCKETS_A_DECADE = 115
"""A bucket is 2 % wide, so a quantile is right to 1 %."""
LEAST = 0.001
DECADES = 10
HOURS_A_DAY = 24
SECONDS_AN_HOUR = 3600.0

_SIZE = BUCKETS_A_DECADE * DECADES
_SCALE = BUCKETS_A_DECADE / math.log(10)


class Waits:
    """Counts of waits in seconds; those below ``LEAST`` count as none."""

    __slots__ = ("_counts", "_promise", "count", "late", "most", "none", "total")

    def __init__(self, *, promise: float = math.inf) -> None:
        """Count those longer than *promise* seconds as ``late``."""
        self._counts = [0] * _SIZE
        self._promise = promise
        self.count = 0
        self.none = 0
        self.late = 0
        self.total = 0.0
        self.most = 0.0

    def add(self, seconds: float) -> None:
        """Count one wait."""
        self.count += 1
        if seconds < LEAST:
            self.none += 1
            return
        self.total += seconds
        self.most = max(self.most, seconds)
        if seconds > self._promise:
            self.late += 1
        place = int(math.log(seconds / LEAST) * _SCALE)
        self._counts[place if place < _SIZE else _SIZE - 1] += 1

    def quantile(self, share: float) -> float:
        """The wait in seconds that *share* of all do not exceed; 0 where there are none."""
        wanted = math.ceil(share * self.count)
        if wanted <= self.none:
            return 0.0
        seen = self.none
        for place, number in enumerate(self._counts):
            seen += number
            if number and seen >= wanted:
                # The middle of the bucket, and never more than there was.
                return min(LEAST * math.exp((place + 0.5) / _SCALE), self.most)
        return self.most

    @property
    def mean(self) -> float:
        """The mean wait in seconds."""
        return self.total / self.count if self.count else 0.0

    @property
    def waited(self) -> float:
        """The share of those that waited at all."""
        return 1 - self.none / self.count if self.count else 0.0


class WaitsByHour:
    """All waits, and those of each hour of the day that they began in."""

    __slots__ = ("all", "hours")

    def __init__(self, *, promise: float) -> None:
        """Count those longer than *promise* seconds as late."""
        self.all = Waits(promise=promise)
        self.hours = [Waits() for _ in range(HOURS_A_DAY)]

    def add(self, at: float, seconds: float) -> None:
        """Count a wait that began *at*, in seconds since midnight of the first day."""
        self.all.add(seconds)
        self.hours[int(at / SECONDS_AN_HOUR) % HOURS_A_DAY].add(seconds)
