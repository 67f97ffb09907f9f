"""An asyncio event loop whose time is virtual: nothing sleeps, and every run is the same.

When no task can go on, the clock jumps to the next timer. There is no input and no
thread; a program that waits for either is stuck, and the loop says so.
"""

import asyncio
import selectors
from collections.abc import Mapping
from typing import NoReturn, Protocol


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


Descriptor = int | _HasDescriptor


# A timer set to infinity, as sleep_forever() sets it, is none: by then all is over. Some
# days later asyncio's nanosecond would be lost in the last digit of the time.
END = 180 * 24 * 3600.0


# In one second; a run that does its work has some hundreds.
ROUNDS_MAX = 20_000


class Stuck(RuntimeError):
    """Time will never pass: every task waits and no timer will wake one, or one never waits."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Use it as ``anyio.run(main, backend_options={"loop_factory": VirtualLoop})``."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Idle(self))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def pass_time(self, seconds: float) -> None:
        """Let the next timer be due."""
        self._now += seconds

    def run_in_executor(self, *_: object) -> NoReturn:
        """Refused: a thread would end at a moment of its own choice."""
        raise Stuck("there are no threads in virtual time")


class _Idle(selectors.BaseSelector):
    """What the loop asks for input when it has nothing to do; answers with time instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        # The loop's own wake-up pipe; nothing else is ever registered.
        self._keys: dict[Descriptor, selectors.SelectorKey] = {}
        # Rounds of the loop within a second, and when that began.
        self._rounds = 0
        self._counted_from = 0.0

    def register(
        self, fileobj: Descriptor, events: int, data: object = None
    ) -> selectors.SelectorKey:
        assert isinstance(fileobj, int), "nothing real can be waited for in virtual time"
        self._keys[fileobj] = selectors.SelectorKey(fileobj, fileobj, events, data)
        return self._keys[fileobj]

    def unregister(self, fileobj: Descriptor) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (timeout > 0 and self._loop.time() > END):
            raise Stuck("every task waits, and no timer will wake one")
        if self._loop.time() - self._counted_from >= 1:
            self._counted_from, self._rounds = self._loop.time(), 0
        self._rounds += 1
        if self._rounds > ROUNDS_MAX:
            # The tasks are cancelled next, and get as many rounds for that.
            self._rounds = 0
            raise Stuck(f"at {self._loop.time():.0f} s some task goes on and on, and hardly waits")
        self._loop.pass_time(timeout)
        return []

    def get_map(self) -> Mapping[Descriptor, selectors.SelectorKey]:
        return self._keys
