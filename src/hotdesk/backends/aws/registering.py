"""Who is known: workers that register, leave, or are taken for dead; and their queues.

Between machines nothing proves a death. A worker lives as long as it was heard of within
a lease, or holds a desk whose lease runs; of two processes under one name, the one that
registered last is the worker, and the other one is not known.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hotdesk.backends.aws import waking
from hotdesk.backends.aws.change import Apart, Change, change
from hotdesk.backends.aws.claiming import expire
from hotdesk.backends.aws.desk import DeskRecord
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import removed_queue_item, removed_queue_key, worker_key
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import instant_of, stamp
from hotdesk.desks import Desk, checked_name
from hotdesk.errors import NotAllowed
from hotdesk.events import WorkerStarted, WorkerStopped
from hotdesk.lifecycle import CLOCK_SKEW, LEASE, has_live_owner
from hotdesk.ports import WorkerCard

# What it held was freed long before. Whoever comes back has to make its queue anew, which
# SQS refuses for 60 s: so it is not taken for dead in every disturbance.
SILENT_MAX = timedelta(minutes=15)


async def register(
    table: Table, post: Post, card: WorkerCard, *, process: str, now: datetime
) -> None:
    """Make a worker known and reachable, as the one of *process*.

    Raises:
        Rejected: Its id is not a name.
        NotAllowed: A worker of that name, of another process, lives.
    """
    rings = await post.queues.open_worker(checked_name("worker", card.id))
    # A process of this name that was killed: what it ran counts, and it drains no more.
    await change(table, now, partial(_make_room, post=post, worker_id=card.id, process=process))
    await change(table, now, partial(_enter, card=card, rings=rings, process=process))


async def deregister(
    table: Table, post: Post, worker_id: str, *, process: str, now: datetime
) -> None:
    """Forget the worker of *process*; what it still holds is freed as after a death."""
    leave = partial(_leave, post=post, worker_id=worker_id, process=process)
    if rings := await change(table, now, leave):
        await post.queues.close_worker(worker_id)
        await table.delete(removed_queue_key(rings))


async def bury_silent(
    table: Table, post: Post, known: set[str], apart: Apart, now: datetime
) -> int:
    """Forget the workers that were not heard of for long, but for the *known*; count them."""
    count = 0
    for worker in await waking.workers(table):
        if worker["sk"] not in known and instant_of(worker["seen_at"]) < now - SILENT_MAX:
            buried = partial(_bury, post=post, worker_id=worker["sk"])
            with apart.one():
                count += await change(table, now, buried)
    return count


async def _make_room(change: Change, *, post: Post, worker_id: str, process: str) -> None:
    worker, desk = await _found(change, worker_id)
    if worker is None:
        return
    if worker["process"] != process and _is_alive(worker, desk, change.now):
        raise NotAllowed(f"worker {worker_id} runs already; choose another name")
    await _forget(change, post, worker, desk, is_clean=False)


async def _enter(change: Change, *, card: WorkerCard, rings: str, process: str) -> None:
    worker, _ = await _found(change, card.id)
    if worker is not None and worker["process"] != process:
        raise NotAllowed(f"worker {card.id} was started twice; choose another name")
    pk, sk = worker_key(card.id)
    at = stamp(change.now)
    change.put(
        {
            "pk": pk,
            "sk": sk,
            "process": process,
            "pid": card.pid,
            "rings": rings,
            "pinned": card.pinned.key if card.pinned else None,
            "desk": None,
            "is_draining": False,
            "free_since": at,
            "started_at": at,
            "seen_at": at,
            "jobs_done": 0,
        },
        "attribute_not_exists(pk) OR #process = :process",
        process=process,
    )
    change.delete(removed_queue_key(rings))
    change.emit(WorkerStarted(worker_id=card.id))


async def _leave(change: Change, *, post: Post, worker_id: str, process: str) -> str:
    worker, desk = await _found(change, worker_id)
    if worker is None or worker["process"] != process:
        return ""
    await _forget(change, post, worker, desk, is_clean=True)
    return str(worker["rings"])


async def _bury(change: Change, *, post: Post, worker_id: str) -> bool:
    worker, desk = await _found(change, worker_id)
    if worker is None or instant_of(worker["seen_at"]) >= change.now - SILENT_MAX:
        return False
    if _is_alive(worker, desk, change.now):
        return False
    await _forget(change, post, worker, desk, is_clean=False)
    return True


async def _found(change: Change, worker_id: str) -> tuple[dict[str, Any] | None, DeskRecord | None]:
    """A worker, and the desk that it holds."""
    worker: dict[str, Any] | None = await change.table.get(worker_key(worker_id))
    if worker is None or worker["desk"] is None:
        return worker, None
    desk = await change.find_desk(Desk.from_key(worker["desk"]))
    return worker, desk if desk is not None and desk.owner == worker_id else None


def _is_alive(worker: dict[str, Any], desk: DeskRecord | None, now: datetime) -> bool:
    seen_until = instant_of(worker["seen_at"]) + LEASE
    lease_until = desk.lease_until if desk else None
    return has_live_owner(worker["sk"], seen_until, margin=CLOCK_SKEW, now=now) or has_live_owner(
        worker["sk"], lease_until, margin=CLOCK_SKEW, now=now
    )


async def _forget(
    change: Change,
    post: Post,
    worker: dict[str, Any],
    desk: DeskRecord | None,
    *,
    is_clean: bool,
) -> None:
    """Free what a worker held as after a death, and forget it; a sweep removes its queue."""
    if desk is not None:
        await expire(change, post, desk)
    # Only as it was read: whoever has registered in between is another one.
    change.delete(
        worker_key(worker["sk"]),
        "#process = :process AND #seen_at = :seen",
        process=worker["process"],
        seen=worker["seen_at"],
    )
    change.put(removed_queue_item(worker["rings"], stamp(change.now)))
    change.emit(WorkerStopped(worker_id=worker["sk"], is_clean=is_clean))
