"""What may go wrong between a process and its store, drawn from the seed."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import anyio
import anyio.lowlevel

from hotdesk.errors import Unavailable
from hotdesk.ports import Backend
from hotdesk.simulation.process import SimulatedProcess


class Fault(StrEnum):
    """What happens to one call."""

    REFUSED = "refused"
    ANSWER_LOST = "answer lost"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    FROZEN_BEFORE = "frozen before"
    FROZEN_AFTER = "frozen after"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How likely each fault is, for one call."""

    weather: float = 0.0
    killed: float = 0.0
    frozen: float = 0.0
    freeze_max: timedelta = timedelta(minutes=20)


NO_FAULTS = FaultRates()
# Where the order of two steps matters most, more goes wrong.
RISKY = frozenset({"claim", "seal", "settle", "release", "give_way"})
RISK = 5


class Faults:
    """Draws the fate of each call; quiet once the simulation wants to end."""

    def __init__(self, lots: random.Random, rates: FaultRates) -> None:
        """Draw from *lots*, as often as *rates* say."""
        self._lots = lots
        self.rates = rates
        self.drawn: Counter[str] = Counter()

    def draw(self, verb: str) -> Fault | None:
        """The fate of one call."""
        lot = self._lots.random() / (RISK if verb in RISKY else 1)
        for chance, pair in (
            (self.rates.weather, (Fault.REFUSED, Fault.ANSWER_LOST)),
            (self.rates.killed, (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)),
            (self.rates.frozen, (Fault.FROZEN_BEFORE, Fault.FROZEN_AFTER)),
        ):
            if lot < chance:
                fault = self._lots.choice(pair)
                self.drawn[fault] += 1
                return fault
            lot -= chance
        return None

    def span(self) -> timedelta:
        """How long a process is frozen: often within its lease, often far beyond."""
        return self.rates.freeze_max * self._lots.random() ** 2


class FaultyBackend:
    """A backend as one process reaches it: each call may be refused, lost or the last.

    ``on_answer`` looks at the store after every call that reached it.
    """

    def __init__(
        self,
        backend: Backend,
        process: SimulatedProcess,
        faults: Faults,
        *,
        kill: Callable[[SimulatedProcess], None],
        on_answer: Callable[[], Awaitable[None]],
    ) -> None:
        """Stand between *process* and *backend*; ``kill`` ends the process."""
        self._backend = backend
        self._process = process
        self._faults = faults
        self._kill = kill
        self._on_answer = on_answer

    def __getattr__(self, verb: str) -> Any:  # noqa: ANN401 - stands for every verb of the port
        if verb in ("interrupts", "close"):
            return getattr(self._backend, verb)

        async def call(*arguments: object, **options: object) -> object:
            return await self._call(verb, *arguments, **options)

        return call

    async def _call(self, verb: str, *arguments: object, **options: object) -> object:
        await self._process.gate()
        fault = self._faults.draw(verb)
        if fault is not None:
            self._process.was_troubled = True
        await self._suffer(fault, Fault.FROZEN_BEFORE, Fault.KILLED_BEFORE)
        if fault is Fault.REFUSED:
            raise Unavailable(f"{verb} was refused", committed=False)
        try:
            answer: object = await getattr(self._backend, verb)(*arguments, **options)
        finally:
            if not self._process.is_dead:
                await self._on_answer()
        await self._suffer(fault, Fault.FROZEN_AFTER, Fault.KILLED_AFTER)
        if fault is Fault.ANSWER_LOST:
            raise Unavailable(f"the answer to {verb} was lost", committed=None)
        return answer

    async def _suffer(self, fault: Fault | None, frozen: Fault, killed: Fault) -> None:
        if fault is frozen:
            self._process.freeze(self._faults.span())
        if fault is killed:
            self._kill(self._process)
            # Where the process can be cancelled, it ends here.
            await anyio.lowlevel.checkpoint()
        await self._process.gate()
