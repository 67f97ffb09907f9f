"""Figures of what is and what happened; how much is read does not grow with the table.

A sweep counts events behind a cursor and adds them to an item for each step, in one
transaction with the cursor, which holds only where nobody was faster. DynamoDB forgets
old steps by itself.
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from hotdesk.backends.aws.change import Change, change
from hotdesk.backends.aws.desk import FREE, KEPT
from hotdesk.backends.aws.history import History
from hotdesk.backends.aws.rows import HELD
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import Item, Value, instant_of, serial
from hotdesk.desks import JobState
from hotdesk.errors import Unavailable
from hotdesk.events import StoredEvent
from hotdesk.ports import (
    COUNTED_MAX,
    FIGURES_KEPT,
    TALLY_STEP,
    Counts,
    Trend,
    counts_of,
    figure_of,
    tally_step,
)

STEPS = "figures"
REACH = ("counted", "events")
# Events that are read together, and how often one sweep does: about 25 jobs a second.
EVENTS_MAX = 1000
BATCHES = 10
# Steps of one transaction, which has 100 actions at most.
STEPS_MAX = 50
# A read that falls together with counting again and again: the counting is in a loop.
TRIES_MAX = 5


async def counts(table: Table) -> Counts:
    """How much there is now, as the indexes have it."""
    free, first = await _count(table, FREE, "by_time")
    kept, _ = await _count(table, KEPT, "by_time")
    queued, _ = await _count(table, f"job {JobState.QUEUED.value}", "by_state")
    running, _ = await _count(table, f"job {JobState.RUNNING.value}", "by_state")
    dead, _ = await _count(table, f"job {JobState.DEAD.value}", "by_state")
    held, _ = await _count(table, HELD, "by_time")
    return Counts(
        desks_waiting=min(free + kept, COUNTED_MAX),
        waiting_since=instant_of(str(first["time"]).split(" ")[0]) if first else None,
        queued=queued,
        running=running,
        dead=dead,
        held=held,
    )


async def trend(table: Table, history: History, since: datetime) -> Trend:
    """What happened from the step of *since* on: what was counted, and the events behind it.

    Raises:
        Unavailable: Each try fell together with a sweep that counted.
    """
    first = tally_step(since)
    for _ in range(TRIES_MAX):
        reach = await _reach(table)
        steps = {
            int(str(item["sk"])): Counter[str](json.loads(str(item["counts"])))
            async for item in table.query(STEPS, after=serial(first - 1))
        }
        events = await history.after(reach, limit=EVENTS_MAX)
        if await _reach(table) != reach:
            continue
        for step, more in counts_of(events).items():
            if step >= first:
                steps.setdefault(step, Counter()).update(more)
        figures = [figure_of(step, found) for step, found in sorted(steps.items())]
        return Trend(steps=figures, is_complete=len(events) < EVENTS_MAX)
    raise Unavailable("figures were counted again and again while they were read")


async def count_events(table: Table, history: History, now: datetime) -> None:
    """Count events that are not counted yet, some batches of them."""
    for _ in range(BATCHES):
        reach = await _reach(table)
        found = await history.after(reach, limit=EVENTS_MAX)
        events = _within(found)
        is_all = len(found) < EVENTS_MAX and len(events) == len(found)
        steps = counts_of(events)
        if is_all and not steps:
            # The few events that are read again by the next sweep are worth no write.
            return

        async def work(tx: Change) -> bool:
            return await _add(tx, reach, int(events[-1].cursor), steps)  # noqa: B023 - awaited here

        if not await change(table, now, work) or is_all:
            return


async def _add(tx: Change, after: int, until: int, steps: dict[int, Counter[str]]) -> bool:
    """Add *steps* to those that are kept; ``False`` if somebody else was faster."""
    if await _reach(tx.table) != after:
        return False
    keys = {step: (STEPS, serial(step)) for step in steps}
    items = await tx.table.get_all([*keys.values()])
    for step, key in keys.items():
        kept = Counter[str](json.loads(str(items[key]["counts"])) if key in items else {})
        tx.put(
            {
                "pk": key[0],
                "sk": key[1],
                "counts": json.dumps(kept + steps[step]),
                "expires": int((tx.now + TALLY_STEP + FIGURES_KEPT).timestamp()),
            }
        )
    condition = "#cursor = :seen" if after else "attribute_not_exists(pk)"
    seen: dict[str, Value] = {"seen": after} if after else {}
    tx.put({"pk": REACH[0], "sk": REACH[1], "cursor": until}, condition, **seen)
    return True


def _within(events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
    """The first of *events*, as far as they are of no more steps than one transaction takes."""
    steps: set[int] = set()
    for number, event in enumerate(events):
        steps.add(tally_step(event.at))
        if len(steps) > STEPS_MAX:
            return events[:number]
    return events


async def _reach(table: Table) -> int:
    """The cursor of the last event that is counted."""
    cursor = (await table.get(REACH) or {}).get("cursor", 0)
    assert isinstance(cursor, int)
    return cursor


async def _count(table: Table, partition: str, index: str) -> tuple[int, Item | None]:
    """How much there is in *partition*, up to the bound, and the first of it."""
    first: Item | None = None
    number = 0
    async for item in table.query(partition, index=index, limit=COUNTED_MAX):
        first = first or item
        number += 1
    return number, first
