"""The bell of the simulated machine: rings between processes without sockets."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import partial

from hotdesk.backends.sqlite.bell import Seat
from hotdesk.desks import Interrupt
from hotdesk.lifecycle import HEARTBEAT
from hotdesk.simulation.fates import Fates
from hotdesk.simulation.process import SimulatedProcess


class Ring(StrEnum):
    """What happens to one ring on its way."""

    LOST = "lost"
    LATE = "late"
    DOUBLED = "doubled"


LATE_MAX = timedelta(minutes=2)


class Exchange:
    """Connects the bells of all processes; a ring may be lost, come late, or come twice."""

    def __init__(
        self, fates: Fates, later: Callable[[timedelta, Callable[[], None]], None]
    ) -> None:
        """``later`` calls something after a while."""
        self._fates = fates
        self._later = later
        # How likely each of these is, for one ring.
        self.chances: Mapping[Ring, float] = {}
        self.seats: dict[str, tuple[SimulatedProcess, Seat]] = {}
        self.listeners: list[Seat] = []

    def note_death(self) -> None:
        """Let those who wait see that a process has died."""
        for _, seat in self.seats.values():
            seat.wake(None)

    def ring(self, worker_id: str, interrupt: Interrupt | None) -> None:
        """Wake a worker, as a rule."""
        seat = self.seats[worker_id][1]
        if not self.chances:
            seat.wake(interrupt)
            return
        _, moment = self._fates.turn(f"ring for {worker_id}")
        fate = self._fates.draw(
            moment, self.chances, step="ring" if interrupt is None else "interrupt"
        )
        if fate is None or fate is Ring.DOUBLED:
            seat.wake(interrupt)
        if fate in (Ring.LATE, Ring.DOUBLED):
            # By then it may be about a send that is long over, and overtaken by others.
            self._later(LATE_MAX * self._fates.lot(f"{moment} span"), partial(seat.wake, interrupt))


class VirtualBell:
    """The bell of one process; see ``backends.sqlite.bell.Bell``."""

    # What a lost ring costs; longer than with sockets, so that days pass quickly.
    poll = HEARTBEAT

    def __init__(self, exchange: Exchange, process: SimulatedProcess) -> None:
        """Ring through *exchange*, as *process*."""
        self._exchange = exchange
        self._process = process
        self._listener = Seat()
        self._watched: dict[str, int] = {}
        self._dead: set[str] = set()
        exchange.listeners.append(self._listener)

    def ring(self, worker_id: str, interrupt: Interrupt | None) -> bool:
        """Wake a worker; ``False`` proves that its process is gone."""
        if not self.is_alive(worker_id):
            return False
        self._exchange.ring(worker_id, interrupt)
        return True

    def ring_listeners(self) -> None:
        """Wake everyone who waits for anything to be written."""
        for listener in self._exchange.listeners:
            listener.wake(None)

    def is_alive(self, worker_id: str) -> bool:
        """``False`` proves that the worker's process is gone."""
        seat = self._exchange.seats.get(worker_id)
        return seat is not None and not seat[0].is_dead

    def open(self, worker_id: str) -> None:
        """Be reachable as this worker."""
        self._exchange.seats[worker_id] = self._process, Seat()

    def close(self, worker_id: str) -> None:
        """Be reachable no more as this worker."""
        self._exchange.seats.pop(worker_id, None)

    def forget(self, worker_id: str) -> None:
        """Remove what a dead worker left of itself."""
        if not self.is_alive(worker_id):
            self.close(worker_id)

    def watch(self, processes: Iterable[tuple[str, int]]) -> None:
        """Know from now on which of these processes end."""
        self._watched = dict(processes)

    def take_dead(self) -> set[str]:
        """The watched workers whose process has ended."""
        return {worker_id for worker_id in self._watched if not self.is_alive(worker_id)}

    async def wait(self, worker_id: str, span: timedelta) -> bool:
        """Wait for a ring, but not longer than *span*; whether one came."""
        # A dead process is buried with its seat, while its last tasks are being unwound.
        await self._process.gate()
        _, seat = self._exchange.seats[worker_id]
        was_rung = await seat.wait(span)
        await self._process.gate()
        return was_rung

    async def listen(self, span: timedelta) -> bool:
        """Wait until something was written, but not longer than *span*; whether it was."""
        was_rung = await self._listener.wait(span)
        await self._process.gate()
        return was_rung

    async def interrupts(self, worker_id: str) -> AsyncIterator[Interrupt]:
        """The interrupts that ring for this worker."""
        await self._process.gate()
        _, seat = self._exchange.seats[worker_id]
        async for interrupt in seat.interrupts():
            await self._process.gate()
            yield interrupt

    def tidy(self) -> None:
        """Remove what the dead left."""
        for worker_id in list(self._exchange.seats):
            self.forget(worker_id)

    def shut(self) -> None:
        """Give back everything."""
        for worker_id, (process, _) in list(self._exchange.seats.items()):
            if process is self._process:
                self.close(worker_id)
        self._exchange.listeners.remove(self._listener)
