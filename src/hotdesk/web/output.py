"""The output of a job as pages show it: the end of what there is, and then what comes, as HTML.

A place in it is ``<chunk>.<line>``: up to which chunk a reader has it, and the number of the
line that was begun last. Lines are numbered only where they are counted from the beginning.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Self

import anyio
from anyio.lowlevel import checkpoint
from markupsafe import Markup

from hotdesk.errors import NotFound, Unavailable
from hotdesk.ports import Clock, LogChunk, Records
from hotdesk.web.ansi import Printout
from hotdesk.web.feed import PAUSE, Feed
from hotdesk.web.streams import BEGIN, CHUNKS_AT_ONCE, KEEP_ALIVE_SECONDS, SECONDS_MAX, encode

PLACE = r"^[0-9]{1,15}\.[0-9]{1,15}$"
BACKLOG_CHARACTERS_MAX = 200_000
BACKLOG_CHUNKS_MAX = 1000
_BLOCK = 50
# What was shown before a reader was cut off is read once more, for its colours and last line.
_READ_AGAIN = 3

_CUT = Markup('<li class="note">What came before is in the raw log.</li>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a reader has come. ``line`` 0 says that lines are not counted."""

    chunk: int = 0
    line: int = 1

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what ``str`` wrote."""
        chunk, line = text.split(".")
        return cls(chunk=int(chunk), line=int(line))

    def __str__(self) -> str:
        return f"{self.chunk}.{self.line}"


class Page:
    """Makes items of a list out of chunks, one for each line."""

    def __init__(self, place: Place) -> None:
        """Go on behind *place*."""
        self.place = place
        self._printout = Printout()
        self._attempt = 0

    def read_again(self, chunk: LogChunk) -> None:
        """Take a chunk that a reader has already."""
        place = self.place
        self.take(chunk)
        self.place = place

    def take(self, chunk: LogChunk) -> str:
        """The items of a chunk, without the line that it leaves open."""
        items: list[str] = []
        if chunk.attempt != self._attempt:
            # What an attempt left open is over with it.
            if self._printout.is_open:
                items.append(self._item(self._printout.open_line))
            if chunk.attempt > 1:
                items.append(f'<li class="note">Attempt {chunk.attempt}</li>')
            self._printout, self._attempt = Printout(), chunk.attempt
        items += [self._item(line) for line in self._printout.feed(chunk.text)]
        self.place = Place(chunk=chunk.number, line=self.place.line)
        return "".join(items)

    @property
    def open_item(self) -> str:
        """The line that has not ended, to be replaced by what comes next; empty without one."""
        if not self._printout.is_open:
            return ""
        return f'<li class="is-open"{self._number}>{self._printout.open_line}</li>'

    def _item(self, line: Markup) -> str:
        item = f"<li{self._number}>{line}</li>"
        if self.place.line:
            self.place = Place(chunk=self.place.chunk, line=self.place.line + 1)
        return item

    @property
    def _number(self) -> str:
        return f' value="{self.place.line}"' if self.place.line else ""


async def follow_output(
    feed: Feed, records: Records, clock: Clock, job_id: str, place: Place | None
) -> AsyncGenerator[bytes, None]:
    """The output behind *place*, or from the backlog on, until the job has ended."""
    yield BEGIN
    ends = anyio.current_time() + SECONDS_MAX
    try:
        page = await _begin(records, job_id, place)
        if place is None and page.place.chunk:
            yield encode(_CUT, id=str(page.place), event="append")
        while not feed.is_closed and anyio.current_time() < ends:
            writes = feed.writes
            # Asked first, so that nothing is missing from the output of one that has ended.
            job = await records.job(job_id)
            found = await records.log(job_id, after=page.place.chunk, limit=CHUNKS_AT_ONCE)
            items = ""
            for chunk in found:
                items += page.take(chunk)
                await checkpoint()
            if found:
                yield encode(items + page.open_item, id=str(page.place), event="append")
            if len(found) < CHUNKS_AT_ONCE:
                if job.state.is_ended:
                    yield encode(job.state, event="end")
                    return
                if await feed.written(writes, wait=KEEP_ALIVE_SECONDS):
                    yield b": nothing new\n\n"
                # What an agent says comes in many small writes; people cannot tell.
                await clock.sleep(4 * PAUSE)
    except (NotFound, Unavailable):
        return


async def _begin(records: Records, job_id: str, place: Place | None) -> Page:
    """The page that goes on behind *place*, or begins with the backlog."""
    if place is None:
        start = await _backlog(records, job_id)
        return Page(Place(chunk=start, line=0 if start else 1))
    page = Page(place)
    before = max(0, place.chunk - _READ_AGAIN)
    for chunk in await records.log(job_id, after=before, limit=place.chunk - before):
        page.read_again(chunk)
    return page


async def raw_output(records: Records, job_id: str) -> AsyncIterator[bytes]:
    """All of the output as it is kept, piece by piece."""
    after = 0
    while True:
        try:
            found = await records.log(job_id, after=after, limit=CHUNKS_AT_ONCE)
        except Unavailable as error:
            yield f"\n[this is not all of it: {error}]\n".encode()
            return
        for chunk in found:
            after = chunk.number
            yield chunk.text.encode()
        if len(found) < CHUNKS_AT_ONCE:
            return


async def _backlog(records: Records, job_id: str) -> int:
    """Behind which chunk the end of the output begins that is shown at once; 0 for all of it."""
    last = (await records.last_output([job_id])).get(job_id)
    start = last.number if last else 0
    floor = max(0, start - BACKLOG_CHUNKS_MAX)
    length = 0
    while start > floor:
        block = await records.log(job_id, after=max(floor, start - _BLOCK), limit=_BLOCK)
        for chunk in reversed([each for each in block if each.number <= start]):
            length += len(chunk.text)
            if length > BACKLOG_CHARACTERS_MAX:
                return chunk.number
            start = chunk.number - 1
        await checkpoint()
    return start
