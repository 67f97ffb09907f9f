"""Who is woken for a desk, after the change that gave a reason is committed.

A ring that is lost costs time and nothing else: idle workers look at the desks that
wait with every long poll, and the sweep asks again.
"""

from datetime import datetime, timedelta
from typing import Any

from hotdesk.backends.aws.change import Change
from hotdesk.backends.aws.desk import OWNED, DeskRecord
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import WORKERS
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import stamp
from hotdesk.desks import Desk, InterruptReason
from hotdesk.errors import Unavailable
from hotdesk.events import InterruptSent
from hotdesk.lifecycle import LEASE

ASK_AGAIN = timedelta(minutes=5)
LINGERING_MAX = 50


def ring(change: Change, post: Post, worker_id: str) -> None:
    """Wake *worker_id* once the change is committed."""

    async def effect() -> None:
        try:
            await post.queues.ring(worker_id)
        except Unavailable:
            return

    change.effects.append(effect)


def interrupt(change: Change, post: Post, desk: DeskRecord, reason: InterruptReason) -> None:
    """Ring the owner of *desk* and note that what runs now is to stop."""
    ring(change, post, desk.owner)
    note_interrupt(change, desk, reason)


def note_interrupt(
    change: Change, desk: DeskRecord, reason: InterruptReason, *, by: str = ""
) -> None:
    """Note that what runs now is to stop; its owner finds why in the record when it is rung."""
    assert desk.active is not None
    change.emit(
        InterruptSent(
            desk=desk.desk.key,
            job_id=desk.active.job_id,
            generation=desk.generation,
            reason=reason.value,
            by=by,
        )
    )


def ring_lingering(change: Change, post: Post) -> None:
    """Wake an owner without work if no worker is free; the workflow asks those that are."""

    async def effect() -> None:
        try:
            known = await workers(change.table)
            if not any(is_free(each, change.now) for each in known):
                await _ring_lingering(change.table, post, {each["sk"]: each for each in known})
        except Unavailable:
            # It looks for itself with each long poll.
            return

    change.effects.append(effect)


def ask(change: Change, post: Post, desk: DeskRecord) -> None:
    """Ask for a worker to claim *desk*: at most once for each generation in five minutes."""
    if desk.owner or not desk.pending or desk.is_paused:
        return
    if desk.is_pinned:
        change.effects.append(lambda: _ring_pinned(change.table, post, desk.desk))
        return
    if desk.asked_at is not None and abs(change.now - desk.asked_at) < ASK_AGAIN:
        return
    desk.asked_at = change.now
    change.write_desk(desk)
    change.effects.append(lambda: _request(change.table, post, desk, change.now))


def wake(change: Change, post: Post, desk: DeskRecord) -> None:
    """Wake the owner of *desk*, or ask for one."""
    if desk.owner:
        ring(change, post, desk.owner)
    else:
        ask(change, post, desk)


async def workers(table: Table) -> list[dict[str, Any]]:
    """The registered workers."""
    return [item async for item in table.query(WORKERS)]


def is_free(worker: dict[str, Any], now: datetime) -> bool:
    """Whether it can take any desk; one that was not seen for a lease may be frozen."""
    return (
        worker["desk"] is None
        and not worker["is_draining"]
        and worker["pinned"] is None
        and worker["seen_at"] > stamp(now - LEASE)
    )


async def _request(table: Table, post: Post, desk: DeskRecord, now: datetime) -> None:
    try:
        await post.queues.request(desk.desk, desk.generation)
        known = await workers(table)
        if not any(is_free(each, now) for each in known):
            await _ring_lingering(table, post, {each["sk"]: each for each in known})
    except Unavailable:
        # The mark stands, and the sweep asks again when it is old.
        return


async def _ring_lingering(table: Table, post: Post, known: dict[str, dict[str, Any]]) -> None:
    """Wake an owner that has nothing to do, so that it may leave for a desk that waits."""
    for item in await table.found(OWNED, index="by_time", limit=LINGERING_MAX):
        desk = DeskRecord.from_item(item)
        worker = known.get(desk.owner)
        if not desk.pending and worker is not None and worker["pinned"] is None:
            await post.queues.ring(desk.owner)
            return


async def _ring_pinned(table: Table, post: Post, desk: Desk) -> None:
    try:
        for each in await workers(table):
            if each["pinned"] == desk.key and not each["desk"] and not each["is_draining"]:
                await post.queues.ring(each["sk"])
                return
    except Unavailable:
        return
