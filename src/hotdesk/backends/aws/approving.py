"""Jobs that wait for a person's word, as items of their own: nothing of them is a job yet."""

from contextlib import suppress
from datetime import datetime
from functools import partial

from hotdesk.backends.aws.blobs import Kept, pointed
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.change import Change, change
from hotdesk.backends.aws.rows import (
    HELD,
    held_group,
    held_item,
    held_key,
    held_of,
    held_texts,
    is_job,
    job_key,
)
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import Item, stamp
from hotdesk.desks import Desk, NewJob
from hotdesk.errors import NotFound
from hotdesk.events import MailDropped
from hotdesk.ports import Held


async def hold(table: Table, job: NewJob, reason: str, now: datetime) -> None:
    """Keep *job* unless it waits or is submitted already."""
    uploads: Kept = {}

    async def work(tx: Change) -> bool:
        known = await table.get_all([held_key(job.id), job_key(job.id)])
        if any(map(is_job, known.values())):
            return False
        item = held_item(Held(job=job, reason=reason, held_at=now))
        tx.put(
            await table.blobs.pack(held_texts(job.id), item, uploads), "attribute_not_exists(pk)"
        )
        tx.check(job_key(job.id), "attribute_not_exists(#id)")
        return True

    is_first = await change(table, now, work)
    if uploads and not is_first:
        await table.blobs.discard([*uploads.values()])


async def held(table: Table, desk: Desk | None, limit: int) -> list[Held]:
    """What waits, oldest first."""
    partition, index = (HELD, "by_time") if desk is None else (held_group(desk.key), "by_group")
    found = []
    for item in await table.found(partition, index=index, limit=limit):
        # It may be dropped while it is read.
        with suppress(Refused):
            found.append(held_of(await table.whole(item, {})))
    return found


async def held_job(table: Table, job_id: str) -> Held:
    """One of them."""
    item = await table.get(held_key(job_id))
    if item is not None:
        with suppress(Refused):
            return held_of(await table.whole(item, {}))
    raise NotFound("held job", job_id)


async def drop_held(table: Table, job_id: str) -> None:
    """Forget it."""
    item = await table.get(held_key(job_id))
    if item is None:
        return
    with suppress(Refused):
        # Exactly that one: a call that comes late must not forget one that was held since.
        at = str(item["held_at"])
        await table.delete(held_key(job_id), condition="#held_at = :at", at=at)
        await _discard_texts(table, item)


async def remove_held(table: Table, *, before: datetime, now: datetime, limit: int) -> None:
    """Drop what has waited since before that instant, at most *limit*."""
    old = await table.found(HELD, index="by_time", until=stamp(before), limit=limit)
    for item in old:
        await change(table, now, partial(_remove, item=item))
        await _discard_texts(table, item)


async def _remove(change: Change, item: Item) -> None:
    job_id, at = str(item["id"]), str(item["held_at"])
    found = await change.table.get(held_key(job_id))
    # It may be approved or dropped meanwhile, and be held anew.
    if found is None or found["held_at"] != at:
        return
    change.delete(held_key(job_id), "#held_at = :at", at=at)
    change.emit(
        MailDropped(
            desk=str(item["desk"]), job_id=job_id, sender=str(item["sender"]), by="retention"
        )
    )


async def _discard_texts(table: Table, item: Item) -> None:
    if texts := [key for value in item.values() if (key := pointed(value))]:
        await table.blobs.discard(texts)
