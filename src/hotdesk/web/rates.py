"""How often one may ask: a bucket for each name, which fills again with time."""

import math

from hotdesk.ports import Clock
from hotdesk.web.problems import Refused

PER_SECOND = 100.0
AT_ONCE = 200.0


class Rates:
    """Buckets by name. Names are those of the configuration, so there are few."""

    def __init__(
        self, clock: Clock, *, per_second: float = PER_SECOND, at_once: float = AT_ONCE
    ) -> None:
        """Every bucket holds *at_once* requests and gains *per_second*."""
        self._clock = clock
        self._per_second = per_second
        self._at_once = at_once
        self._left: dict[str, tuple[float, float]] = {}

    def spend(self, name: str) -> None:
        """Take one out of the bucket *name*.

        Raises:
            Refused: It is empty.
        """
        now = self._clock.monotonic()
        left, since = self._left.get(name, (self._at_once, now))
        left = min(self._at_once, left + (now - since) * self._per_second)
        if left < 1:
            wait = str(math.ceil((1 - left) / self._per_second))
            raise Refused(
                429,
                f"more than {self._per_second:.0f} requests a second",
                headers={"Retry-After": wait},
            )
        self._left[name] = (left - 1, now)
