"""The events as they happen, read once from the store for everybody who follows them.

The latest are kept in memory. Who follows holds a place among them, not a queue of its
own; who falls behind what is kept goes on from the store, or is let go.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import anyio

from hotdesk.errors import Unavailable
from hotdesk.events import StoredEvent
from hotdesk.ports import Backend, Clock

KEPT_MAX = 2000
READ_MAX = 500
STREAMS_MAX = 1000
LOOK_AT_LEAST = timedelta(seconds=10)
# Bursts are read together: people cannot tell, and everybody who follows is woken once.
PAUSE = timedelta(milliseconds=50)
TRY_AGAIN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """An event, and how it is sent: written once for everybody."""

    event: StoredEvent
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody stands: the number of the next event, counted from the feed's start."""

    number: int


class Feed:
    """Follows one backend."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        *,
        encode: Callable[[StoredEvent], bytes],
        kept_max: int = KEPT_MAX,
        streams_max: int = STREAMS_MAX,
        on_event: Callable[[StoredEvent], None] = lambda _: None,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing is read before ``run``.

        ``encode`` writes an event as it is sent, ``on_event`` is told of each one, and
        ``on_error``, in a sentence, of what is wrong.
        """
        self._backend = backend
        self._clock = clock
        self._on_event = on_event
        self._on_error = on_error
        self._encode = encode
        self._kept: deque[Kept] = deque(maxlen=kept_max)
        self._count = 0
        self._start = ""
        self._moved = anyio.Event()
        self._written = anyio.Event()
        self._closed = anyio.Event()
        self.writes = 0
        self._streams_max = streams_max
        self.streams = 0
        self.is_live = False
        self.is_closed = False

    async def run(self) -> None:
        """Follow until cancelled."""
        mark: int | None = None
        while not self.is_closed:
            try:
                if not self.is_live:
                    self._start = self._last() or await self._backend.latest_cursor()
                    self.is_live = True
                    self._wake()
                await self._catch_up()
                mark = await self._backend.changed(mark, wait=LOOK_AT_LEAST)
                self.touch()
                await self._clock.sleep(PAUSE)
            except Unavailable as error:
                self._on_error(str(error))
                await self._clock.sleep(TRY_AGAIN)

    def touch(self) -> None:
        """Have those who look see anew what no write tells of."""
        self.writes += 1
        self._written.set()
        self._written = anyio.Event()

    def close(self) -> None:
        """End all who follow: there will be nothing more."""
        self.is_closed = True
        self._closed.set()
        self._wake()
        self._written.set()

    @property
    def is_full(self) -> bool:
        """Whether nobody else may follow."""
        return self.streams >= self._streams_max

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Count one who follows."""
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    def end(self) -> Place:
        """The place behind the newest event."""
        return Place(self._count)

    def behind(self, cursor: str) -> Place | None:
        """The place behind the event of *cursor*; ``None`` if that is not among those kept."""
        if not self.is_live:
            return None
        for back, kept in enumerate(reversed(self._kept)):
            if kept.event.cursor == cursor:
                return Place(self._count - back)
        first = self._count - len(self._kept)
        return Place(first) if cursor == self._start and first == 0 else None

    def since(self, place: Place) -> list[Kept] | None:
        """The events from *place* on; ``None`` if some of them are not kept any more."""
        missed = self._count - place.number
        if missed > len(self._kept):
            return None
        return [self._kept[index] for index in range(len(self._kept) - missed, len(self._kept))]

    async def moved(self, place: Place, *, wait: float) -> bool:
        """Return when there is something at *place*, or at the end.

        After *wait* seconds it returns as well: then it says so with ``True``.
        """
        return self._count == place.number and await self._late(self._moved, wait)

    async def written(self, writes: int, *, wait: float) -> bool:
        """Return when more than *writes* were seen, or at the end; ``True`` as for ``moved``.

        A write is anything that changed the store, whether or not an event tells of it; but
        DynamoDB tells of events only.
        """
        return self.writes == writes and await self._late(self._written, wait)

    async def rest(self, until: float) -> None:
        """Return at the instant *until* of the loop's clock, or at the end."""
        if not self.is_closed:
            with anyio.move_on_after(until - anyio.current_time()):
                await self._closed.wait()

    async def _late(self, event: anyio.Event, wait: float) -> bool:
        if not self.is_closed:
            with anyio.move_on_after(wait):
                await event.wait()
        return not event.is_set() and not self.is_closed

    async def _catch_up(self) -> None:
        while found := await self._backend.events(
            after=self._last() or self._start, limit=READ_MAX
        ):
            for event in found:
                self._kept.append(Kept(event, self._encode(event)))
                self._count += 1
                self._on_event(event)
            self._wake()

    def _last(self) -> str:
        return self._kept[-1].event.cursor if self._kept else ""

    def _wake(self) -> None:
        self._moved.set()
        if not self.is_closed:
            self._moved = anyio.Event()
