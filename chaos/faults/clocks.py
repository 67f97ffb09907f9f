"""Wall clocks that are wrong."""

from random import Random
from typing import ClassVar

import anyio

from chaos.faults.fault import Fault, NothingToStrike


class _ClockFault(Fault):
    seconds_min: ClassVar[float]
    seconds_max: ClassVar[float]

    async def strike(self, dice: Random) -> str:
        """Set a clock wrong, and right again."""
        clocks = self._town.system.clocks
        if not clocks:
            raise NothingToStrike
        clock = dice.choice(clocks)
        offset = dice.uniform(self.seconds_min, self.seconds_max) * dice.choice([-1, 1])
        seconds = dice.uniform(5, 20)
        clock.set(offset)
        try:
            await anyio.sleep(seconds)
        finally:
            clock.set(0)
        return f"{clock.file.stem} by {offset:+.0f} s for {seconds:.0f} s"


class SkewClock(_ClockFault):
    """A wall clock is wrong by less than the margin of leases."""

    name = "clock wrong within the margin"
    seconds_min = 1.0
    seconds_max = 10.0


class JumpClock(_ClockFault):
    """A wall clock is wrong by minutes."""

    name = "clock wrong by minutes"
    seconds_min = 60.0
    seconds_max = 600.0
