"""How a worker of this process waits: for its own queue, and for claim requests.

A ring says that there is something to look at, for who waits for work and for who
watches the running job. Whoever waits polls for both, one at a time. A ring that an
abandoned poll received is for who waits next; a claim request comes again a moment later.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import anyio.lowlevel

from hotdesk.backends.aws.queues import POLL, Queues
from hotdesk.errors import HotdeskError, Unavailable

# Before a worker that watches its job polls again, when nobody has answered.
DEAF_SECONDS = 5


@dataclass(slots=True, eq=False)
class _Seat:
    is_rung: bool = False
    is_polling: bool = False
    rings: int = 0
    has_request: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)

    def tell(self) -> None:
        """Let whoever waits look again."""
        self.changed.set()
        self.changed = anyio.Event()


class Bell:
    """The waiting workers of one connection."""

    def __init__(self, queues: Queues) -> None:
        """Wait at *queues*."""
        self._queues = queues
        self._seats: dict[str, _Seat] = {}

    async def wait(self, worker_id: str, span: timedelta, *, for_requests: bool = False) -> None:
        """Return at a ring, at a claim request if asked for, or after *span*.

        Raises:
            Unavailable: A queue cannot be polled now.
        """
        seat = self._seat(worker_id)
        waits: list[Callable[[], Awaitable[object]]] = [lambda: self._rung(seat, worker_id)]
        if for_requests:
            waits.append(lambda: self._requested(seat, span))

        failed: list[HotdeskError] = []
        async with anyio.create_task_group() as tasks:

            async def first(wait: Callable[[], Awaitable[object]]) -> None:
                try:
                    await wait()
                except HotdeskError as error:
                    # Not in a group, which nobody expects.
                    failed.append(error)
                tasks.cancel_scope.cancel()

            tasks.cancel_scope.deadline = anyio.current_time() + span.total_seconds()
            for each in waits:
                tasks.start_soon(first, each)
        seat.is_rung = False
        if failed:
            raise failed[0]

    async def rings(self, worker_id: str) -> AsyncIterator[None]:
        """Each ring of a worker from now on; several at once are one.

        While nobody answers there are none: what they would have told is in the record.
        """
        seat = self._seat(worker_id)
        heard = seat.rings
        while True:
            while seat.rings == heard:
                try:
                    await self._hear(seat, worker_id)
                except Unavailable:
                    await anyio.sleep(DEAF_SECONDS)
            heard = seat.rings
            yield

    async def use_request(self, worker_id: str) -> None:
        """Have taken one claim request for the desk that this worker has just claimed.

        One that came by itself, after its last job, finds the request of its desk, or of
        another one, still in the queue: its depth says how many desks wait.
        """
        seat = self._seat(worker_id)
        if not seat.has_request:
            await self._queues.drop_request()
        seat.has_request = False

    def leave(self, worker_id: str) -> bool:
        """Wait no more; whether the worker goes with a claim request that it has not used."""
        seat = self._seats.pop(worker_id, None)
        return seat is not None and seat.has_request

    def _seat(self, worker_id: str) -> _Seat:
        return self._seats.setdefault(worker_id, _Seat())

    async def _rung(self, seat: _Seat, worker_id: str) -> None:
        while not seat.is_rung:
            await self._hear(seat, worker_id)

    async def _requested(self, seat: _Seat, span: timedelta) -> None:
        while not await self._queues.poll_requests(min(span, POLL)):
            # A poll that ends early must not become a loop without a pause.
            await anyio.lowlevel.checkpoint()
        seat.has_request = True

    async def _hear(self, seat: _Seat, worker_id: str) -> None:
        """Poll the worker's queue once, or wait for the one who does."""
        if seat.is_polling:
            await seat.changed.wait()
            return
        seat.is_polling = True
        try:
            if await self._queues.poll_rings(worker_id, POLL):
                seat.is_rung = True
                seat.rings += 1
        finally:
            seat.is_polling = False
            seat.tell()
