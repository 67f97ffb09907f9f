"""What may go wrong between a process and its store."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

import anyio
import anyio.lowlevel

from hotdesk.errors import Unavailable
from hotdesk.ports import Backend
from hotdesk.simulation.fates import Fates
from hotdesk.simulation.process import SimulatedProcess


class Fault(StrEnum):
    """What happens to one call, or to the process that makes it."""

    REFUSED = "refused"
    ANSWER_LOST = "answer lost"
    DELAYED = "delayed"
    DOUBLED = "doubled"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    FROZEN_BEFORE = "frozen before"
    FROZEN_AFTER = "frozen after"
    CUT_OFF = "cut off"
    CLOCK_JUMPED = "clock jumped"


WEATHER = (Fault.REFUSED, Fault.ANSWER_LOST, Fault.DELAYED)
# A write waits for the lock of the file for as long, and then gives up.
DELAY_MAX = timedelta(seconds=5)
# Several leases: a worker that reaches nobody must give up meanwhile.
CUT_OFF_MAX = timedelta(minutes=10)
# The step that a run looks at closely goes wrong so much more often, for each process at
# first; one that is taken hundreds of times would otherwise be all that happens.
FOCUS = 25
# What only looks changes nothing, so nothing needs to be looked at after it.
LOOKS = frozenset(
    "changed counted counts desk desks due_answers events held held_job job jobs latest_cursor"
    " last_output latest_events queue trend workers".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How likely each fault is, for one call; *focus* is the step where more goes wrong.

    A process is frozen for ``freeze_max`` at most; a clock that jumps stays within
    ``skew_max`` of the true time.
    """

    chances: Mapping[Fault, float] = field(default_factory=dict)
    focus: str = ""
    freeze_max: timedelta = timedelta(minutes=20)
    skew_max: timedelta = timedelta(0)

    def of(self, step: str, turn: int) -> Mapping[Fault, float]:
        """The chances of one call, the process's *turn*-th of this step."""
        if step != self.focus:
            return self.chances
        times = max(FOCUS / turn, 1)
        return {fault: chance * times for fault, chance in self.chances.items()}


NO_FAULTS = FaultRates()


class FaultyBackend:
    """A backend as one process reaches it: each call may be refused, lost or the last.

    ``rates`` may change while it is used. ``on_answer`` looks at the store after every
    call that may have changed it.
    """

    def __init__(
        self,
        backend: Backend,
        process: SimulatedProcess,
        fates: Fates,
        rates: Callable[[], FaultRates],
        *,
        kill: Callable[[SimulatedProcess], None],
        on_answer: Callable[[], Awaitable[None]],
    ) -> None:
        """Stand between *process* and *backend*; ``kill`` ends the process."""
        self._backend = backend
        self._process = process
        self._fates = fates
        self._rates = rates
        self._kill = kill
        self._on_answer = on_answer

    def __getattr__(self, step: str) -> Any:  # noqa: ANN401 - stands for every verb of the port
        if step in ("interrupts", "close"):
            return getattr(self._backend, step)

        async def call(*arguments: object, **options: object) -> object:
            return await self._call(step, *arguments, **options)

        return call

    async def _call(self, step: str, *arguments: object, **options: object) -> object:
        await self._process.gate()
        if self._process.is_cut_off:
            raise Unavailable(f"{step} reached nobody", committed=False)
        rates, moment, fault = self._rates(), "", None
        if rates.chances:
            turn, moment = self._fates.turn(f"{self._process.name} {step}")
            fault = self._fates.draw(moment, rates.of(step, turn), step=step)
        if fault is not None:
            self._process.was_troubled = True
            await self._suffer_before(fault, step, moment, rates)
        try:
            answer: object = await getattr(self._backend, step)(*arguments, **options)
            if fault is Fault.DOUBLED:
                await getattr(self._backend, step)(*arguments, **options)
        finally:
            if step not in LOOKS and not self._process.is_dead:
                await self._on_answer()
        if fault is not None:
            await self._suffer_after(fault, step, moment, rates)
        await self._process.gate()
        return answer

    async def _suffer_before(self, fault: Fault, step: str, moment: str, rates: FaultRates) -> None:
        lot = self._fates.lot(f"{moment} span")
        match fault:
            case Fault.REFUSED:
                raise Unavailable(f"{step} was refused", committed=False)
            case Fault.DELAYED:
                await self._process.sleep(DELAY_MAX * lot)
            case Fault.CUT_OFF:
                self._process.cut_off(CUT_OFF_MAX * lot)
                raise Unavailable(f"{step} reached nobody", committed=False)
            case Fault.CLOCK_JUMPED:
                self._process.set_clock(rates.skew_max * (2 * lot - 1))
            case Fault.FROZEN_BEFORE:
                self._freeze(rates, lot)
            case Fault.KILLED_BEFORE:
                await self._die()
        await self._process.gate()

    async def _suffer_after(self, fault: Fault, step: str, moment: str, rates: FaultRates) -> None:
        match fault:
            case Fault.ANSWER_LOST:
                raise Unavailable(f"the answer to {step} was lost", committed=None)
            case Fault.FROZEN_AFTER:
                self._freeze(rates, self._fates.lot(f"{moment} span"))
            case Fault.KILLED_AFTER:
                await self._die()

    def _freeze(self, rates: FaultRates, lot: float) -> None:
        # Often within the lease, often far beyond.
        self._process.freeze(rates.freeze_max * lot**2)

    async def _die(self) -> None:
        self._kill(self._process)
        # Where the process can be cancelled, it ends here.
        await anyio.lowlevel.checkpoint()
