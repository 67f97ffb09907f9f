"""The sweep: the periodic guarantee behind the fast path, and everybody's tidying."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from hotdesk.errors import HotdeskError
from hotdesk.ports import Backend, Clock

EVERY = timedelta(minutes=1)


class Sweep:
    """Sweeps the backend every minute until it is cancelled."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        *,
        retention: timedelta,
        tidy: Sequence[Callable[[], Awaitable[None]]] = (),
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``tidy`` are further things to clean, each bounded per call."""
        self._backend = backend
        self._clock = clock
        self._retention = retention
        self._tidy = tidy
        self._on_error = on_error

    async def run(self) -> None:
        """Sweep at once and then every minute, until cancelled."""
        while True:
            await self.once()
            await self._clock.sleep(EVERY)

    async def once(self) -> None:
        """One sweep; what fails is tried again by the next one."""
        try:
            await self._backend.sweep(retention=self._retention, now=self._clock.now())
            for each in self._tidy:
                await each()
        except (HotdeskError, OSError) as error:
            self._on_error(f"the sweep was not complete: {error}")
