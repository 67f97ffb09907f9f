"""A process of the simulated machine: its clock, and whether it runs, is frozen or is dead."""

from datetime import UTC, datetime, timedelta

import anyio

from hotdesk.errors import Unavailable

START = datetime(2026, 1, 5, 6, tzinfo=UTC)
"""The wall clock when a simulation begins: a Monday morning."""


class SimulatedProcess:
    """What shares a fate: one worker with its connection, its clock and its tasks.

    Everything that a process does passes ``gate`` before and after it waits. There
    a frozen process stands still, and a dead one learns that it is.
    """

    def __init__(self, name: str, pid: int, *, skew: timedelta = timedelta(0)) -> None:
        """``skew`` is how far its wall clock is from the true time."""
        self.name = name
        self.pid = pid
        self.scope = anyio.CancelScope()
        self.is_dead = False
        self.died_at = 0.0
        # Whether anything happened to it that may cost it its lease.
        self.was_troubled = False
        self.was_frozen = False
        # Whether it was asked to end by a signal, which leaves no mark in the store.
        self.is_told_to_end = False
        self._skew = skew
        self.thaws_at = 0.0
        self._connects_at = 0.0

    def freeze(self, span: timedelta) -> None:
        """Stand still for *span*, as a process that is stopped or swapped out."""
        self.was_troubled = self.was_frozen = True
        self.thaws_at = anyio.current_time() + span.total_seconds()

    def cut_off(self, span: timedelta) -> None:
        """Reach no store for *span*."""
        self._connects_at = anyio.current_time() + span.total_seconds()

    @property
    def is_cut_off(self) -> bool:
        """Whether no call reaches the store now."""
        return anyio.current_time() < self._connects_at

    def set_clock(self, skew: timedelta) -> None:
        """Let the wall clock jump; monotonic time goes on."""
        self._skew = skew

    def kill(self) -> None:
        """End at once; no clean-up reaches the outside."""
        if not self.is_dead:
            self.died_at = anyio.current_time()
        self.is_dead = self.was_troubled = True
        self.scope.cancel()

    async def gate(self) -> None:
        """Go on when the process does.

        Raises:
            Unavailable: The process is dead; its last tasks are being unwound.
        """
        # It may be frozen again before it has thawed.
        while not self.is_dead and self._frozen_for() > 0:  # noqa: ASYNC110 - nobody sets an event
            await anyio.sleep(self._frozen_for())
        if self.is_dead:
            raise Unavailable(f"process {self.name} was killed")

    def _frozen_for(self) -> float:
        return self.thaws_at - anyio.current_time()

    # --------------------------------------------------------------- ``ports.Clock``

    def now(self) -> datetime:
        """The instant as this process sees it."""
        return START + timedelta(seconds=anyio.current_time()) + self._skew

    def monotonic(self) -> float:
        """Virtual seconds; they pass while the process is frozen, too."""
        return anyio.current_time()

    async def sleep(self, span: timedelta) -> None:
        """Return after *span*, or later when the process was frozen."""
        await anyio.sleep(span.total_seconds())
        await self.gate()
