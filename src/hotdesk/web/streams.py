"""Server-sent events: how they are written, and how long each stream lasts.

The format is that of the HTML standard. A reader that has gone, or does not read, is
found by its connection; a stream that has nothing to say says so, so that proxies keep it.
"""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from hotdesk.client import Client
from hotdesk.errors import NotFound, Unavailable
from hotdesk.events import StoredEvent
from hotdesk.ports import Backend, Clock
from hotdesk.web.feed import PAUSE, READ_MAX, STREAMS_MAX, Feed
from hotdesk.web.problems import Refused
from hotdesk.web.records import EventRecord, LogRecord

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
# Not every store tells of output that is written: then it is looked for.
LOOK_SECONDS = 2.0
RETRY_SECONDS = 5
CHUNKS_AT_ONCE = 10
# Then a reader comes again, with a token that is still taken.
SECONDS_MAX = 3600.0
# A browser that was cut off comes again after so many milliseconds.
BEGIN = b"retry: 2000\n: this goes on until you leave\n\n"

DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events.", "content": {MEDIA_TYPE: {}}}
}


class EventStream(StreamingResponse):
    """The answer that a stream is."""

    media_type = MEDIA_TYPE

    def __init__(self, feed: Feed, content: AsyncGenerator[bytes, None]) -> None:
        """Count it among those of *feed* for as long as it lasts.

        Raises:
            Refused: There are as many as there may be.
        """
        if feed.is_full:
            raise Refused(
                503,
                f"{STREAMS_MAX} streams are open",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, headers=headers)
        self._feed = feed
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until it ends or the reader has gone."""
        with self._feed.followed():
            async with aclosing(self._content):
                await super().__call__(scope, receive, send)


def encode(data: str, *, id: str = "", event: str = "") -> bytes:  # noqa: A002 - its name there
    """Write one event. *data* is JSON, which has no line ends of its own."""
    lines = [f"id: {id}"] if id else []
    lines += [f"event: {event}"] if event else []
    return "\n".join([*lines, f"data: {data}", "", ""]).encode()


def encode_event(event: StoredEvent) -> bytes:
    """Write an event of the store; its cursor is its id."""
    return encode(EventRecord.of(event).model_dump_json(), id=event.cursor)


async def follow_events(
    feed: Feed, backend: Backend, cursor: str | None, is_wanted: Callable[[StoredEvent], bool]
) -> AsyncGenerator[bytes, None]:
    """The events behind *cursor*, or from now on, as far as they are wanted.

    Ends with the feed, when the store does not answer, or when the reader has fallen so
    far behind that it had better come again.
    """
    yield BEGIN
    ends = anyio.current_time() + SECONDS_MAX
    place = feed.end() if cursor is None else None
    while not feed.is_closed and anyio.current_time() < ends:
        place = place or feed.behind(cursor or "")
        # Taken before the store is read: what the feed finds meanwhile ends the wait.
        end = feed.end()
        if place is None:
            try:
                old = await backend.events(after=cursor or "", limit=READ_MAX)
            except Unavailable:
                return
            found = [(event, encode_event(event)) for event in old]
            await checkpoint()
        else:
            kept = feed.since(place)
            if kept is None:
                return
            found = [(each.event, each.encoded) for each in kept]
            place = end
        if found:
            cursor = found[-1][0].cursor
        if wanted := b"".join(encoded for event, encoded in found if is_wanted(event)):
            yield wanted
        elif not found and await feed.moved(end, wait=KEEP_ALIVE_SECONDS):
            # An id without data is kept by browsers, and is no event to them.
            yield b": nothing new\n" + (f"id: {cursor}\n\n" if cursor else "\n").encode()


async def follow_log(
    feed: Feed, client: Client, clock: Clock, job_id: str, after: int
) -> AsyncGenerator[bytes, None]:
    """The output of a job behind chunk number *after*, until it has ended."""
    yield BEGIN
    told = anyio.current_time()
    ends = told + SECONDS_MAX
    while not feed.is_closed and anyio.current_time() < ends:
        writes = feed.writes
        try:
            # Asked first, so that nothing is missing from the output of one that has ended.
            job = await client.job(job_id)
            found = await client.log(job_id, after=after, limit=CHUNKS_AT_ONCE)
        except (NotFound, Unavailable):
            return
        for chunk in found:
            after, told = chunk.number, anyio.current_time()
            yield encode(LogRecord.of(chunk).model_dump_json(), id=str(after), event="log")
        await checkpoint()
        if len(found) < CHUNKS_AT_ONCE:
            if job.state.is_ended:
                yield encode(json.dumps({"job": job.id, "state": job.state}), event="end")
                return
            is_late = await feed.written(writes, wait=min(LOOK_SECONDS, KEEP_ALIVE_SECONDS))
            if is_late and anyio.current_time() >= told + KEEP_ALIVE_SECONDS:
                yield b": nothing new\n\n"
                told = anyio.current_time()
            # What an agent says comes in many small writes; people cannot tell.
            await clock.sleep(4 * PAUSE)
