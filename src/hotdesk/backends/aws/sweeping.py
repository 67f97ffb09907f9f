"""The guarantee behind the fast path, and retention: bounded work in small changes."""

from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from hotdesk.backends.aws import asking, waking
from hotdesk.backends.aws.approving import remove_held
from hotdesk.backends.aws.blobs import UNSURE
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.change import Apart, Change, change
from hotdesk.backends.aws.desk import FREE, IDLE, KEPT, OWNED, DeskRecord
from hotdesk.backends.aws.history import History
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import (
    DUE,
    ENDED,
    MAIL,
    REMAINS,
    is_job,
    job_key,
    owner_of_texts,
    removed_queue_item,
    removed_queue_key,
)
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import stamp, stamped_until
from hotdesk.desks import Desk, JobState
from hotdesk.events import RetentionApplied
from hotdesk.lifecycle import Limits

# Desks that are looked at, and jobs that are removed, in one sweep.
BATCH = 200
# Longer than anybody needs to remove a job by himself.
UNFINISHED = timedelta(minutes=5)
# When retention looks again at what it has kept.
LOOK_AGAIN = timedelta(days=1)
# How long a desk keeps its queue without work.
IDLE_MAX = timedelta(days=7)
WALK = ("sweep", "texts")


async def wake_waiting(
    table: Table, post: Post, limits: Limits, apart: Apart, now: datetime
) -> int:
    """Ask again for desks that nobody came for; count those that any worker may claim."""
    count = 0
    latest = now + limits.backoff_max
    for kind in (FREE, KEPT, OWNED):
        for item in await table.found(kind, index="by_time", limit=BATCH):
            desk = DeskRecord.from_item(item)
            count += desk.may_be_claimed(None, now)
            is_stretched = desk.due_at is not None and desk.due_at > latest
            if is_stretched or (kind is not OWNED and desk.is_due(now)):
                woken = partial(_wake, post=post, key=desk.desk, latest=latest)
                with apart.one():
                    await change(table, now, woken)
    return count


async def _wake(change: Change, post: Post, key: Desk, latest: datetime) -> None:
    desk = await change.desk(key)
    if desk.due_at is not None and desk.due_at > latest:
        # A backoff that ends later than any could was made before the clock was set back.
        desk.due_at = latest
        change.write_desk(desk)
    elif desk.is_due(change.now):
        waking.ask(change, post, desk)


async def remove_old(table: Table, history: History, retention: timedelta, now: datetime) -> int:
    """Remove what ended or was held longer than *retention* ago, a batch; count the jobs.

    Dead letters stay until a person has decided, interrupted jobs until their thread has
    succeeded, and every job until its answer was sent.
    """
    before = stamp(now - retention - timedelta(microseconds=1))
    removed = 0
    for item in await table.found(ENDED, index="by_time", until=before, limit=BATCH):
        job_id = str(item["id"])
        if await change(table, now, partial(_remove, job_id=job_id, before=before)):
            await asking.forget_rest(table, job_id)
            removed += 1
        else:
            # What is kept must not stand in the way of what is behind it.
            later = stamp(now - retention + LOOK_AGAIN)
            with suppress(Refused):
                is_there = "attribute_exists(#id)"
                key = job_key(job_id)
                await table.update(key, "SET #time = :later", condition=is_there, later=later)
    await history.remove(before)
    old = table.query(MAIL, index="by_time", until=before, limit=BATCH)
    await table.delete_all([(str(item["pk"]), str(item["sk"])) async for item in old])
    await remove_held(table, before=now - retention, now=now, limit=BATCH)
    if removed:

        async def note(tx: Change) -> None:
            tx.emit(RetentionApplied(jobs=removed))

        await change(table, now, note)
    return removed


async def finish_removals(table: Table, post: Post, now: datetime) -> None:
    """Remove what was kept for jobs and queues that somebody has begun to remove."""
    before = stamp(now - UNFINISHED)
    for item in await table.found(REMAINS, index="by_time", until=before, limit=BATCH):
        if "queue" in item:
            await post.queues.remove(str(item["queue"]))
            await table.delete(removed_queue_key(str(item["queue"])))
        elif "removed" in item:
            await asking.forget_rest(table, str(item["removed"]))


async def cool_down(table: Table, now: datetime) -> None:
    """Forget the queues of desks that were idle for a week; a later sweep removes them."""
    before = stamped_until(now - IDLE_MAX)
    for item in await table.found(IDLE, index="by_time", until=before, limit=BATCH):
        desk = DeskRecord.from_item(item).desk
        await change(table, now, partial(_cool_down, key=desk, before=before))


async def _cool_down(change: Change, *, key: Desk, before: str) -> None:
    desk = await change.desk(key)
    kind, since = desk.waits_for()
    if kind != IDLE or since > before:
        return
    desk.is_cold = True
    change.write_desk(desk)
    # The name of a pinned desk's queue stands in the alarm that starts its worker.
    if desk.queue and not desk.is_pinned:
        change.put(removed_queue_item(desk.queue, stamp(change.now)))
        desk.queue = ""
        # SQS blocks the name of one that was removed for 60 s.
        desk.queues += 1


async def remove_unsure_texts(table: Table, now: datetime) -> None:
    """Remove long texts that no item came to point to: a page of the bucket, once a day each."""
    walk = await table.get(WALK) or {"after": "", "at": ""}
    after = str(walk["after"])
    if not after and str(walk["at"]) > stamp(now - UNSURE):
        return
    found, after = await table.blobs.unsure(after, now)
    known = await table.get_all([owner_of_texts(name) for name in found])
    for name, keys in found.items():
        if owner_of_texts(name) not in known:
            await table.blobs.discard(keys)
    await table.put({"pk": WALK[0], "sk": WALK[1], "after": after, "at": stamp(now)})


async def _remove(change: Change, job_id: str, before: str) -> bool:
    item = await change.table.get(job_key(job_id))
    if item is None or not is_job(item):
        return False
    # Without its long texts: one that the bucket has lost must not keep it for ever.
    if not item["ended_at"] or str(item["ended_at"]) > before:
        return False
    desk = await change.desk(Desk.from_key(str(item["desk"])))
    thread = desk.threads.get(str(item["thread"]))
    if item["state"] == JobState.PREEMPTED and thread is not None and job_id in thread.owed:
        return False
    async for item in change.table.query(f"job {job_id}"):
        if item.get("time_kind") == DUE:
            # Somebody still waits for its answer.
            return False
    change.write_desk(desk)
    change.forget_job(job_id)
    return True
