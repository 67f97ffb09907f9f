"""The history of a stack: its events in the order of their cursors, and what is missing there.

A change takes its cursors before its transaction. So a cursor may be missing because the
transaction is under way, because nobody came to commit it, or because retention has
removed the event. Whoever follows waits for the first kind only.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import anyio

from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.rows import EVENT_SHARDS, event_key, event_shard, stored_event
from hotdesk.backends.aws.table import PAGES_MAX, Table
from hotdesk.backends.aws.values import Item, instant_of, serial, stamp
from hotdesk.backends.seeking import last_before
from hotdesk.errors import Unavailable
from hotdesk.events import StoredEvent
from hotdesk.lifecycle import CLOCK_SKEW
from hotdesk.ports import Clock

COUNTER = ("counter", "events")
# From a change's cursors to its commit: three tries of a call, 6 s each, and their pauses.
COMMIT_SECONDS_MAX = 25
# How far back somebody who begins to follow looks for what is under way.
WINDOW = 1000
# Places where something was missing that one process remembers.
MISSING_MAX = 1000
# Events of each shard that one sweep removes: 8,000 a minute in all, of 25 jobs a second.
REMOVED_MAX = 2000


async def take_cursors(table: Table, number: int) -> int:
    """Take *number* cursors that nobody else is given; return the first."""
    item = await table.update(COUNTER, "ADD #last :number", number=number)
    last = item["last"]
    assert isinstance(last, int)
    return last - number + 1


async def give_up_cursors(table: Table, first: int, number: int, now: datetime) -> None:
    """Note that nothing will come at these cursors, so that nobody waits for it."""
    pk, sk = event_key(first)
    item: Item = {"pk": pk, "sk": sk, "until": first + number - 1, "at": stamp(now)}
    try:
        await table.put(item, condition="attribute_not_exists(pk)")
    except (Refused, Unavailable):
        # Without the note, whoever follows passes them a moment later.
        return


class History:
    """The events of one stack as one process follows them."""

    def __init__(self, table: Table, clock: Clock) -> None:
        """Read *table*."""
        self._table = table
        self._clock = clock
        self._settled = 0
        self._removed = 0
        self._missing_since: dict[int, float] = {}

    async def after(self, cursor: int, *, limit: int) -> list[StoredEvent]:
        """Events behind *cursor*, oldest first, up to the first that may still come."""
        for _ in range(PAGES_MAX):
            items = await self._read(cursor, limit)
            passed, cursor = await self._pass(cursor, items)
            found = [stored_event(item) for item in passed if "until" not in item]
            if found or not passed:
                return found[:limit]
        return []

    async def latest(self) -> int:
        """The newest cursor before which nothing may still come."""
        _, settled, _ = await self._look()
        return settled

    async def newest(self, limit: int, before: str) -> list[StoredEvent]:
        """The newest events below *before*, the latest first; there may be gaps in between."""
        items: list[Item] = []
        for number in range(EVENT_SHARDS):
            query = self._table.query(
                event_shard(number), before=before, limit=limit, is_backward=True
            )
            items += [item async for item in query]
        items = sorted((item for item in items if "until" not in item), key=_start, reverse=True)
        return [stored_event(item) for item in items[:limit]]

    async def before(self, at: datetime) -> int:
        """The cursor of about the last event before *at*; 0 where there is none.

        One shard is as good as all: those of an instant are spread over all of them.
        """

        async def newest(cursor: int) -> tuple[int, datetime] | None:
            query = self._table.query(
                event_shard(0), until=serial(cursor), limit=1, is_backward=True
            )
            async for item in query:
                return _start(item), instant_of(str(item["at"]))
            return None

        last = (await self._counter()).get("last", 0)
        assert isinstance(last, int)
        return await last_before(at, last, newest)

    async def mark(self) -> int:
        """A number that is another one after each event, and stays while there is none."""
        taken, settled, beyond = await self._look()
        return ((taken << 64 | settled) << 64) | beyond

    async def remove(self, before: str) -> None:
        """Remove the oldest events, as far as they happened before *before*, a batch."""
        old: list[Item] = []
        for shard in range(EVENT_SHARDS):
            async for item in self._table.query(event_shard(shard), limit=REMOVED_MAX):
                if str(item["at"]) > before:
                    break
                old.append(item)
        if not old:
            return
        last = max(_end(item) for item in old)
        # First, so that nobody takes what retention removes for what is under way. Another
        # sweep may have come further.
        with suppress(Refused):
            await self._table.update(
                COUNTER,
                "SET #removed = :last",
                condition="attribute_not_exists(#removed) OR #removed < :last",
                last=last,
            )
        await self._table.delete_all([(str(item["pk"]), str(item["sk"])) for item in old])

    async def _look(self) -> tuple[int, int, int]:
        """The newest cursor that was taken, the newest settled one, and what is beyond that."""
        counter = await self._counter()
        taken = counter.get("last", 0)
        assert isinstance(taken, int)
        start = max(self._settled, taken - WINDOW)
        items = await self._read(start, WINDOW) if start < taken else []
        passed, settled = await self._pass(start, items)
        if len(passed) == len(items) and settled < taken:
            # Nothing stands behind them that could tell how old they are.
            now = stamp(self._clock.now())
            settled = settled if await self._may_come(taken, now) else taken
        self._settled = max(self._settled, settled)
        return taken, settled, len(items) - len(passed)

    async def _read(self, cursor: int, limit: int) -> list[Item]:
        """What stands behind *cursor*, in order; nothing is left out in between."""
        each = limit // EVENT_SHARDS + 2
        shards: list[list[Item]] = []
        for number in range(EVENT_SHARDS):
            query = self._table.query(event_shard(number), after=serial(cursor), limit=each)
            shards.append([item async for item in query])
        items = sorted((item for shard in shards for item in shard), key=_start)
        # Behind the end of a shard that has more, only the other shards were read.
        full = [_start(shard[-1]) for shard in shards if len(shard) == each]
        return [item for item in items if _start(item) <= min(full, default=_start(item))]

    async def _pass(self, cursor: int, items: Sequence[Item]) -> tuple[Sequence[Item], int]:
        """*items* up to the first place where something may still come, and that place."""
        for count, item in enumerate(items):
            first = _start(item)
            if first > cursor + 1 and await self._may_come(first - 1, str(item["at"])):
                return items[:count], cursor
            cursor = max(cursor, _end(item))
        return items, cursor

    async def _may_come(self, missing: int, at: str) -> bool:
        """Whether the events up to *missing* may be under way; the next happened at *at*."""
        margin = timedelta(seconds=COMMIT_SECONDS_MAX) + CLOCK_SKEW
        if at < stamp(self._clock.now() - margin):
            return False
        if missing > self._removed:
            removed = (await self._counter()).get("removed", 0)
            assert isinstance(removed, int)
            self._removed = removed
        if missing <= self._removed:
            return False
        if len(self._missing_since) >= MISSING_MAX:
            self._missing_since.clear()
        # By this process's own clock: that of whoever wrote the event may be wrong.
        now = anyio.current_time()
        return now - self._missing_since.setdefault(missing, now) < COMMIT_SECONDS_MAX

    async def _counter(self) -> Item:
        return await self._table.get(COUNTER) or {}


def _start(item: Item) -> int:
    return int(str(item["sk"]))


def _end(item: Item) -> int:
    until = item.get("until")
    return until if isinstance(until, int) else _start(item)
