"""HTTP/1.1 connections as uvicorn has them, with an end for those that are slow.

uvicorn waits for ever for the head of a request, and for a reader who does not read.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS_MAX = 10.0
STALL_SECONDS_MAX = 20.0


class Connection(H11Protocol):
    """One connection; its clocks run while it waits for a head, or for its reader."""

    _head: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own way
        """Expect a head."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Expect the rest of a head, unless a request is being answered."""
        super().data_received(data)
        if self._is_answering():
            self._head = _stopped(self._head)
        elif self._head is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._head, self._stall = _stopped(self._head), _stopped(self._stall)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Expect the reader to read."""
        super().pause_writing()
        # Not closed in order: what is left would wait for the reader.
        self._stall = self.loop.call_later(STALL_SECONDS_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        self._stall = _stopped(self._stall)
        super().resume_writing()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.abort)


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
