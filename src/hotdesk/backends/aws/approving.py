"""Jobs that wait for a person's word, as items of their own: nothing of them is a job yet."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from hotdesk.backends.aws.blobs import Kept, pointed
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.change import Change, change
from hotdesk.backends.aws.post import Post
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
from hotdesk.backends.aws.submitting import submit
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import Item, stamp
from hotdesk.desks import Desk, InterruptPolicy, Job, NewJob
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.events import MailApproved, MailDropped
from hotdesk.lifecycle import Limits
from hotdesk.ports import LOOKED_THROUGH_MAX, Held


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


async def held(table: Table, desk: Desk | None, thread: str | None, limit: int) -> list[Held]:
    """What waits, oldest first."""
    partition, index = (HELD, "by_time") if desk is None else (held_group(desk.key), "by_group")
    most = limit if thread is None else LOOKED_THROUGH_MAX
    items = await table.found(partition, index=index, limit=most)
    found: list[Held] = []
    for item in items:
        if len(found) < limit and thread in (None, item["thread"]):
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


async def approve(
    tx: Change,
    post: Post,
    job_id: str,
    *,
    interrupt: InterruptPolicy,
    by: str,
    limits: Limits,
) -> Job:
    """Submit what waits, or find it submitted."""
    item = await tx.table.get(held_key(job_id))
    if item is None:
        known = await tx.find_job(job_id)
        if known is None:
            raise NotFound("held job", job_id)
        return known.job
    new = replace(held_of(await tx.table.whole(item, {})).job, interrupt=interrupt)
    [job] = await submit(tx, post, [new], limits)
    _remove(tx, item)
    desk, sender = new.desk.key, new.origin.sender
    tx.emit(MailApproved(desk=desk, job_id=job_id, sender=sender, by=by))
    return job


async def drop_held(tx: Change, job_id: str, by: str) -> None:
    """Forget what waits, unless it is a job by now."""
    key = job_key(job_id)
    found = await tx.table.get_all([held_key(job_id), key])
    if key in found and is_job(found[key]):
        raise NotAllowed(
            f"job {job_id} was approved already; stop it with: hotdesk job cancel {job_id}"
        )
    item = found.get(held_key(job_id))
    if item is None:
        raise NotFound("held job", job_id)
    _drop(tx, item, by)


async def remove_held(table: Table, *, before: datetime, now: datetime, limit: int) -> None:
    """Drop what has waited since before that instant, at most *limit*."""
    old = await table.found(HELD, index="by_time", until=stamp(before), limit=limit)
    for item in old:
        await change(table, now, partial(_remove_old, item=item))


async def _remove_old(tx: Change, item: Item) -> None:
    here, there = held_key(str(item["id"])), job_key(str(item["id"]))
    stands = await tx.table.get_all([here, there])
    found = stands.get(here)
    # It may be approved or dropped meanwhile, and be held anew.
    if found is None or found["held_at"] != item["held_at"]:
        return
    if there in stands and is_job(stands[there]):
        # Its approval was cut off in an older version; it has not been dropped.
        _remove(tx, item)
    else:
        _drop(tx, item, "retention")


def _drop(tx: Change, item: Item, by: str) -> None:
    _remove(tx, item)
    desk, job_id, sender = str(item["desk"]), str(item["id"]), str(item["sender"])
    tx.emit(MailDropped(desk=desk, job_id=job_id, sender=sender, by=by))


def _remove(tx: Change, item: Item) -> None:
    # Of those who decide about it at the same instant one is first, and the others look again.
    tx.delete(held_key(str(item["id"])), "#held_at = :at", at=str(item["held_at"]))
    if texts := [key for value in item.values() if (key := pointed(value))]:
        tx.effects.append(partial(tx.table.blobs.discard, texts))
