"""Who holds a desk: claim, heartbeat, release, give way, and what the dead leave behind."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hotdesk.backends.aws import waking
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.change import Apart, Change, change
from hotdesk.backends.aws.desk import FREE, OWNED, DeskRecord, key_of
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import worker_key
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import (
    Item,
    Value,
    instant_of,
    stamp,
    stamped,
    stamped_until,
)
from hotdesk.desks import Claim, Delivery, Desk, DeskView, Interrupt, JobState
from hotdesk.errors import ClaimLost, NotAllowed, NotFound, Unavailable
from hotdesk.events import (
    BranchFenced,
    DeskClaimed,
    DeskGivenWay,
    DeskReleased,
    LeaseExpired,
)
from hotdesk.lifecycle import ACTIVE_TTL, HEARTBEAT, Limits, has_live_owner, interrupt_for

# Whoever may push to a branch can name any generation there; a number here has 38 digits.
GENERATION_MET_MAX = 10**15
# Desks that are looked at in one claim: the first that can still be taken is.
CANDIDATES_MAX = 50
LAPSED_MAX = 200


async def worker_of(table: Table, worker_id: str, process: str = "") -> dict[str, Any]:
    """A worker that may claim, of *process* if that is given.

    Raises:
        NotFound: It is not registered, or another process has taken its name.
        NotAllowed: It is draining.
    """
    worker = await table.get(worker_key(worker_id))
    if worker is None or (process and worker["process"] != process):
        raise NotFound("worker", worker_id)
    if worker["is_draining"]:
        raise NotAllowed(f"worker {worker_id} is draining")
    return worker


async def own(
    change: Change, post: Post, worker_id: str, *, process: str, lease: timedelta
) -> tuple[Claim | None, dict[str, Any]]:
    """The claim that a worker holds already, because the answer was lost; and the worker."""
    worker = await worker_of(change.table, worker_id, process)
    if worker["desk"] is None:
        return None, worker
    desk = await change.desk(Desk.from_key(worker["desk"]))
    if desk.owner == worker_id and desk.lease_until is not None:
        if desk.lease_until > change.now:
            desk.lease_until = change.now + lease
            change.write_desk(desk)
            return desk.claim(), worker
        # It slept past its lease. What ran then has lost its claim, and its attempt counts.
        await expire(change, post, desk)
    await stand(change, worker_id)
    return None, worker


async def candidates(table: Table, pinned: Desk | None) -> list[DeskRecord]:
    """The desks that may be claimed, now or after a backoff; the longest without an owner first."""
    if pinned is not None:
        item = await table.get(key_of(pinned))
        items = [] if item is None else [item]
    else:
        items = await table.found(FREE, index="by_time", limit=CANDIDATES_MAX)
    return [DeskRecord.from_item(item) for item in items]


async def ask_for_waiting(table: Table, post: Post, now: datetime) -> None:
    """Ask for a worker if a desk waits; the sweep does it otherwise, some minutes later."""
    with suppress(Unavailable):
        for each in await candidates(table, None):
            if each.may_be_claimed(None, now):
                await post.queues.request(each.desk, each.generation)
                return


async def take(
    change: Change, worker_id: str, pinned: Desk | None, key: Desk, *, lease: timedelta
) -> Claim | None:
    """Take a desk that may be claimed, unless somebody was faster."""
    desk = await change.desk(key)
    if not desk.may_be_claimed(pinned, change.now):
        return None
    desk.owner = worker_id
    desk.generation += 1
    desk.lease_until = change.now + lease
    desk.free_since = None
    desk.is_release_asked = False
    desk.asked_at = None
    worker = await worker_of(change.table, worker_id)
    desk.rings = worker["rings"]
    change.write_desk(desk)
    change.update(
        worker_key(worker_id),
        "SET #desk = :desk, #free_since = :none, #seen_at = :now",
        "attribute_exists(pk) AND #is_draining = :no",
        desk=desk.desk.key,
        none=None,
        now=stamp(change.now),
        no=False,
    )
    change.emit(
        DeskClaimed(
            desk=desk.desk.key,
            generation=desk.generation,
            worker_id=worker_id,
            is_takeover=desk.is_unclean,
        )
    )
    return desk.claim()


async def beat(
    table: Table, claim: Claim, delivery: Delivery | None, *, lease: timedelta, now: datetime
) -> DeskRecord:
    """Renew the lease and the active record in one conditional write.

    Raises:
        ClaimLost: The claim no longer holds, or another send is active.
    """
    update = "SET #lease_until = :until, #time = :time, #version = #version + :one"
    condition = "#generation = :generation AND #owner = :owner"
    values: dict[str, Value] = {
        "until": stamp(now + lease),
        "time": stamped(now + lease, claim.desk.key),
        "one": 1,
        "generation": claim.generation,
        "owner": claim.worker_id,
    }
    if delivery is not None:
        update += ", #active.#expires = :expires"
        condition += " AND #active.#job = :job AND #active.#send = :send"
        values |= {
            "expires": stamp(now + ACTIVE_TTL),
            "job": delivery.job.id,
            "send": delivery.job.send,
        }
    try:
        item = await table.update(key_of(claim.desk), update, condition=condition, **values)
    except Refused as error:
        raise ClaimLost(claim.desk.key, claim.generation) from error
    return DeskRecord.from_item(item)


async def seen(table: Table, worker_id: str, done: int, now: datetime) -> Item | None:
    """Note that a worker lives; return it, unless it is forgotten."""
    try:
        return await table.update(
            worker_key(worker_id),
            "SET #seen_at = :now ADD #jobs_done :done",
            condition="attribute_exists(pk)",
            now=stamp(now),
            done=done,
        )
    except Refused:
        return None


async def view(
    table: Table, desk: DeskRecord, worker: Item | None, limits: Limits, now: datetime
) -> DeskView:
    """The desk as its owner should see it; a *worker* that was forgotten drains."""
    is_draining = worker is None or bool(worker["is_draining"])
    interrupt = interrupt_of(desk, is_draining=is_draining, limits=limits)
    is_pinned = worker is not None and worker["pinned"] is not None
    return DeskView(
        interrupt=interrupt,
        has_pending=bool(desk.pending),
        is_wanted_elsewhere=not is_pinned and await _is_one_wanted(table, now),
        is_leaving_asked=desk.is_paused or desk.is_release_asked,
        is_draining=is_draining,
        due_at=desk.due_at,
    )


def interrupt_of(desk: DeskRecord, *, is_draining: bool, limits: Limits) -> Interrupt | None:
    """Why what runs is to stop, if it is."""
    if desk.active is None:
        return None
    running = desk.pending[desk.active.job_id].entry
    return interrupt_for(
        running,
        desk.newer(running),
        is_draining=is_draining,
        is_ending=desk.active.is_ending,
        limits=limits,
    )


async def _is_one_wanted(table: Table, now: datetime) -> bool:
    """Whether a desk waits and no worker is free to take it."""
    waiting = await candidates(table, None)
    if not any(each.may_be_claimed(None, now) for each in waiting):
        return False
    return not any(waking.is_free(each, now) for each in await waking.workers(table))


async def release(change: Change, post: Post, claim: Claim, *, done: int) -> bool:
    """Clear the owner if nothing is pending."""
    desk = await change.held(claim)
    if desk.pending:
        return False
    await clear_leftover(post, desk)
    _clear_owner(desk)
    desk.is_unclean = False
    change.write_desk(desk)
    await stand(change, claim.worker_id, done=done)
    change.emit(DeskReleased(desk=desk.desk.key, generation=claim.generation))
    return True


async def give_way(change: Change, post: Post, claim: Claim, *, done: int) -> None:
    """Clear the owner although jobs are pending, and ask for another."""
    desk = await change.held(claim)
    await clear_leftover(post, desk)
    await _leave(change, post, desk, is_clean=True)
    await stand(change, claim.worker_id, done=done)
    change.emit(DeskGivenWay(desk=desk.desk.key, generation=claim.generation))
    waking.ask(change, post, desk)


async def fenced(change: Change, claim: Claim, thread: str) -> None:
    """Strike *thread* from those that a former owner may still push to."""
    desk = await change.held(claim)
    desk.unfenced = [each for each in desk.unfenced if each != thread]
    change.write_desk(desk)
    change.emit(BranchFenced(desk=desk.desk.key, generation=claim.generation, thread=thread))


async def catch_up(change: Change, post: Post, claim: Claim, generation: int) -> None:
    """Put the generation behind one that the record had forgotten, and free the desk."""
    try:
        desk = await change.held(claim)
    except ClaimLost:
        return
    await expire(change, post, desk)
    desk.generation = max(desk.generation, min(generation, GENERATION_MET_MAX))
    await stand(change, claim.worker_id)


async def expire_lapsed(
    table: Table, post: Post, limits: Limits, apart: Apart, now: datetime
) -> int:
    """Free the desks whose lease has ended, with the margin for clock skew; count them."""
    before = stamped_until(now - limits.clock_skew)
    count = 0
    for item in await table.found(OWNED, index="by_time", until=before, limit=LAPSED_MAX):
        desk = DeskRecord.from_item(item).desk
        lapsed = partial(_expire_if_lapsed, post=post, key=desk, limits=limits)
        with apart.one():
            count += await change(table, now, lapsed)
    return count


async def _expire_if_lapsed(change: Change, post: Post, key: Desk, limits: Limits) -> bool:
    desk = await change.desk(key)
    if not desk.owner or has_live_owner(
        desk.owner, desk.lease_until, margin=limits.clock_skew, now=change.now
    ):
        return False
    await expire(change, post, desk)
    return True


async def expire(change: Change, post: Post, desk: DeskRecord) -> None:
    """End a claim whose owner did not end it, and ask for another worker."""
    # The worker is not noted as free: it may be frozen, until it claims again.
    assert desk.lease_until is not None
    late = max(timedelta(0), change.now - desk.lease_until)
    change.emit(
        LeaseExpired(
            desk=desk.desk.key,
            job_id=desk.active.job_id if desk.active else "",
            generation=desk.generation,
            worker_id=desk.owner,
            late_by_ms=late // timedelta(milliseconds=1),
        )
    )
    await _leave(change, post, desk, is_clean=False)
    waking.ask(change, post, desk)


async def _leave(change: Change, post: Post, desk: DeskRecord, *, is_clean: bool) -> None:
    """Clear the owner. A job that was active is the next to be handed over."""
    if desk.active is not None:
        if desk.active.receipt:
            # Shown before it is cleared: whoever dies in between leaves the receipt behind.
            await post.queues.hide(desk.queue, desk.active.receipt, timedelta(0))
        else:
            pending = desk.pending[desk.active.job_id]
            desk.pending[desk.active.job_id] = replace(pending, token=desk.active.token)
        stored = await change.job(desk.active.job_id)
        if not is_clean:
            desk.unfenced = sorted({*desk.unfenced, stored.job.thread})
        change.write_desk(desk)
        if stored.job.state is JobState.RUNNING:
            queued = replace(stored.job, state=JobState.QUEUED)
            change.write_job(replace(stored, job=queued))
    _clear_owner(desk)
    if desk.pending:
        desk.wait_from(change.now)
    desk.is_unclean = not is_clean
    change.write_desk(desk)


def _clear_owner(desk: DeskRecord) -> None:
    desk.owner = ""
    desk.rings = ""
    desk.lease_until = None
    desk.free_since = None
    desk.is_release_asked = False
    desk.active = None
    desk.asked_at = None


async def clear_leftover(post: Post, desk: DeskRecord) -> None:
    """Call back and delete what is left of the last send; the record notes that it is done."""
    if desk.leftover is not None:
        await post.finish(desk.queue, desk.leftover)
        desk.leftover = None


async def stand(change: Change, worker_id: str, *, done: int = 0) -> None:
    """Note that a worker holds no desk, unless it is forgotten."""
    if await change.table.get(worker_key(worker_id)) is not None:
        change.update(
            worker_key(worker_id),
            "SET #desk = :none, #free_since = :now, #seen_at = :now ADD #jobs_done :done",
            "attribute_exists(pk)",
            none=None,
            now=stamp(change.now),
            done=done,
        )


def was_seen_lately(worker: dict[str, Any], now: datetime) -> bool:
    """Whether an idle worker need not be noted again."""
    return instant_of(worker["seen_at"]) >= now - HEARTBEAT
