"""Lists that people turn the pages of; how much is read does not grow with the table.

A cursor names the item of an index behind which a page begins: a job by its number, a desk
by what it waits for and its place among those. Anything else is refused.
"""

import heapq
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.desk import COLD, FREE, IDLE, KEPT, LEFT, OWNED, DeskRecord, key_of
from hotdesk.backends.aws.rows import StoredJob, is_job, job_key, stored_job
from hotdesk.backends.aws.table import Key, Table
from hotdesk.backends.aws.values import Item, serial
from hotdesk.desks import Desk, DeskStatus, Job, JobState
from hotdesk.errors import Rejected
from hotdesk.ports import LOOKED_THROUGH_MAX, Page, ThreadView

# More digits than any number in a cursor has.
DIGITS_MAX = 18
# Jobs of each state that are looked through for conversations of all desks.
ANYWHERE_JOBS_MAX = 1_000
_BEHIND_ALL = 10**DIGITS_MAX - 1
_SECTIONS = (OWNED, FREE, KEPT, LEFT, IDLE, COLD)
_DESK = re.compile(
    r"([0124])\.(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,200})|([35])\.([!-~]{1,200})",
    re.ASCII,
)


def number_of(cursor: str) -> int:
    """The number that *cursor* is.

    Raises:
        Rejected: It is not one of ours.
    """
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= DIGITS_MAX):
        raise _refusal(cursor)
    return int(cursor)


async def stored(table: Table, keys: Sequence[Key]) -> list[StoredJob]:
    """Those of the jobs that are there, in the order of *keys*."""
    items = await table.get_all(keys)
    found = []
    for key in keys:
        # What is being removed counts as gone.
        with suppress(Refused):
            if key in items and is_job(items[key]):
                found.append(stored_job(await table.whole(items[key], {})))
    return found


async def jobs(
    table: Table,
    *,
    desk: Desk | None,
    thread: str | None,
    state: JobState | None,
    limit: int,
    before: str,
) -> Page[Job]:
    """Jobs behind *before*, newest first."""
    start = number_of(before) if before else _BEHIND_ALL
    if desk is None:
        rows = await _newest_anywhere(table, [state] if state else [*JobState], limit + 1, start)
        return await _page(table, rows, limit)
    if state in (JobState.QUEUED, JobState.RUNNING):
        return await _pending(table, desk, thread, state, limit=limit, start=start)
    if state is not None:
        return await _in_state(table, desk, thread, state, limit=limit, start=start)
    rows = []
    looked_at = 0
    behind = ""
    looked_through_max = limit + 1 if thread is None else LOOKED_THROUGH_MAX
    async for row in _newest(table, desk, looked_through_max, start):
        looked_at += 1
        if looked_at == LOOKED_THROUGH_MAX:
            # Short, and yet there may be more behind all that was looked through.
            behind = str(_number(row))
        if thread in (None, row["thread"]):
            rows.append(row)
        if len(rows) > limit:
            break
    return await _page(table, rows, limit, behind)


async def threads(table: Table, *, desk: Desk | None, limit: int, before: str) -> Page[ThreadView]:
    """Conversations whose newest job is older than *before*, the latest first.

    Among the newest 10,000 jobs of *desk*, or 1,000 of every state.
    """
    start = number_of(before) if before else _BEHIND_ALL
    if desk is not None:
        rows = [row async for row in _newest(table, desk, LOOKED_THROUGH_MAX)]
    else:
        rows = await _newest_anywhere(table, [*JobState], ANYWHERE_JOBS_MAX)
    talks: dict[tuple[str, str], list[Item]] = {}
    for row in rows:
        talks.setdefault((str(row["desk"]), str(row["thread"])), []).append(row)
    latest = [talk for talk in talks.values() if _number(talk[0]) < start]
    shown = latest[:limit]
    found = await stored(table, [_key_of(talk[0]) for talk in shown])
    last = {job_key(each.job.id): each.job for each in found}
    views = [
        ThreadView(
            desk=job.desk,
            thread=job.thread,
            jobs=len(talk),
            last_job=job.id,
            last_at=job.submitted_at,
        )
        for talk in shown
        if (job := last.get(_key_of(talk[0]))) is not None
    ]
    return Page(views, next=str(_number(shown[-1][0])) if len(latest) > limit else "")


async def desks(table: Table, *, waiting: bool, limit: int, before: str) -> Page[DeskStatus]:
    """Desks with an owner, those that wait, then the others; or only those that wait."""
    kinds = [FREE, KEPT] if waiting else [*_SECTIONS]
    first, place = _place(before) if before else (kinds[0], "")
    if first not in kinds:
        raise _refusal(before)
    found: list[tuple[str, Key]] = []
    for kind in kinds[kinds.index(first) :]:
        left = limit + 1 - len(found)
        if left == 0:
            break
        # Those that have worked lately are shown first.
        is_backward = kind is IDLE
        query = table.query(
            kind,
            index="by_time",
            after="" if is_backward else place,
            before=place if is_backward else "",
            limit=left,
            is_backward=is_backward,
        )
        number = _SECTIONS.index(kind)
        found += [(f"{number}.{row['time']}", _key_of(row)) async for row in query]
        place = ""
    keys = [key for _, key in found[:limit]]
    items = await table.get_all(keys)
    statuses = [DeskRecord.from_item(items[key]).status() for key in keys if key in items]
    return Page(statuses, next=found[limit - 1][0] if len(found) > limit else "")


async def _page(table: Table, rows: Sequence[Item], limit: int, behind: str = "") -> Page[Job]:
    """The jobs of the first *limit* rows; *behind* them a page goes on if there are no more."""
    if len(rows) > limit:
        behind = str(_number(rows[limit - 1]))
    found = await stored(table, [_key_of(row) for row in rows[:limit]])
    return Page([each.job for each in found], next=behind)


async def _pending(
    table: Table, desk: Desk, thread: str | None, state: JobState, *, limit: int, start: int
) -> Page[Job]:
    """The queued or running jobs of a desk, as its record has them."""
    item = await table.get(key_of(desk))
    record = DeskRecord.from_item(item) if item else None
    found = await stored(table, [job_key(each) for each in record.pending] if record else [])
    found.sort(key=lambda each: each.listed, reverse=True)
    chosen = [each for each in found if each.listed < start and _is_chosen(each, thread, state)]
    behind = str(chosen[limit - 1].listed) if len(chosen) > limit else ""
    return Page([each.job for each in chosen[:limit]], next=behind)


async def _in_state(
    table: Table, desk: Desk, thread: str | None, state: JobState, *, limit: int, start: int
) -> Page[Job]:
    """The jobs of a desk that have ended so: the index does not know how they have ended."""
    found: list[StoredJob] = []
    keys: list[Key] = []
    looked_at = 0
    behind = ""
    async for row in _newest(table, desk, LOOKED_THROUGH_MAX, start):
        looked_at += 1
        if looked_at == LOOKED_THROUGH_MAX:
            behind = str(_number(row))
        if thread in (None, row["thread"]):
            keys.append(_key_of(row))
        if len(keys) == limit:
            found += [each for each in await stored(table, keys) if each.job.state is state]
            keys = []
        if len(found) > limit:
            break
    found += [each for each in await stored(table, keys) if each.job.state is state]
    if len(found) > limit:
        behind = str(found[limit - 1].listed)
    return Page([each.job for each in found[:limit]], next=behind)


async def _newest_anywhere(
    table: Table, states: Sequence[JobState], limit: int, start: int = _BEHIND_ALL
) -> list[Item]:
    """What the index says of the newest jobs in *states*."""
    rows: dict[Key, Item] = {}
    for state in states:
        found = table.query(
            f"job {state.value}",
            index="by_state",
            before=serial(start),
            limit=limit,
            is_backward=True,
        )
        rows |= {_key_of(row): row async for row in found}
    return heapq.nlargest(limit, rows.values(), key=_number)


def _newest(table: Table, desk: Desk, limit: int, start: int = _BEHIND_ALL) -> AsyncIterator[Item]:
    """What the index says of the newest jobs of a desk."""
    return table.query(
        f"jobs of {desk.key}",
        index="by_group",
        before=serial(start),
        limit=limit,
        is_backward=True,
    )


def _number(row: Item) -> int:
    return int(str(row["listed"] if "listed" in row else row["place"]))


def _key_of(row: Item) -> Key:
    return str(row["pk"]), str(row["sk"])


def _is_chosen(each: StoredJob, thread: str | None, state: JobState) -> bool:
    return thread in (None, each.job.thread) and each.job.state is state


def _place(cursor: str) -> tuple[str, str]:
    match = _DESK.fullmatch(cursor)
    if match is None:
        raise _refusal(cursor)
    section, place = [group for group in match.groups() if group is not None]
    return _SECTIONS[int(section)], place


def _refusal(cursor: str) -> Rejected:
    return Rejected(f"cursor {cursor[:40]!r} is not one of ours; start without a cursor")
