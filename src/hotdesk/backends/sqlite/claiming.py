"""Who holds a desk: claim, heartbeat, release, give way, and what the dead leave behind."""

import json
from datetime import timedelta

from hotdesk.backends.sqlite.file import MICROSECOND, Row, Transaction, to_us
from hotdesk.backends.sqlite.rows import entry_of, instant
from hotdesk.backends.sqlite.submitting import seen_after, wake_one
from hotdesk.desks import Claim, Delivery, Desk, DeskView, Entry
from hotdesk.errors import ClaimLost, NotAllowed, NotFound
from hotdesk.events import (
    BranchFenced,
    DeskClaimed,
    DeskGivenWay,
    DeskReleased,
    LeaseExpired,
    WorkerStopped,
)
from hotdesk.lifecycle import ACTIVE_TTL, HEARTBEAT, Limits, interrupt_for

# Whoever may push to a branch can name any generation there. A column ends at 2**63, and
# a claim on a desk that stood there would fail, for every worker and again and again.
GENERATION_MET_MAX = 10**15


def claim(tx: Transaction, worker_id: str, *, lease: timedelta, limits: Limits) -> Claim | None:
    """Take a due desk for *worker_id*, or ``None``; wake another worker if more desks wait."""
    worker = tx.one("worker_by_id", worker=worker_id)
    if worker is None:
        raise NotFound("worker", worker_id)
    if worker["draining"]:
        raise NotAllowed(f"worker {worker_id} is draining")
    if worker["desk"] is not None:
        own = tx.row("desk_by_id", desk=worker["desk"])
        if own["owner"] == worker_id and own["lease_until"] > tx.at:
            # The answer to the claim was lost; the claim stands.
            _renew(tx, own, lease)
            return _claim_of(own, worker_id, own["generation"])
        if own["owner"] == worker_id:
            # It slept past its lease. What ran then has lost its claim, and its attempt counts.
            expire(tx, own)
        tx.run("stand", worker=worker_id, now=tx.at, done=0)
    expire_lapsed(tx, limits)
    if worker["pinned"] is None:
        desk = tx.one("waiting_desk", now=tx.at)
    else:
        desk = tx.one("waiting_pinned_desk", key=worker["pinned"], now=tx.at)
    if desk is None:
        if worker["seen_at"] < tx.at - HEARTBEAT // MICROSECOND:
            tx.run("seen", worker=worker_id, now=tx.at, done=0)
        return None
    tx.run("take", desk=desk["id"], worker=worker_id, lease_until=tx.at + lease // MICROSECOND)
    tx.run("sit", desk=desk["id"], worker=worker_id, now=tx.at)
    generation = desk["generation"] + 1
    tx.emit(
        DeskClaimed(
            desk=desk["key"],
            generation=generation,
            worker_id=worker_id,
            is_takeover=bool(desk["unclean"]),
        )
    )
    if (more := tx.one("waiting_desk", now=tx.at)) is not None:
        wake_one(tx, more)
    return _claim_of(desk, worker_id, generation)


def held(tx: Transaction, claim: Claim) -> Row:
    """The desk of *claim*, still held by it.

    Raises:
        ClaimLost: Another generation has begun, or this one has been ended.
    """
    desk = tx.one("held_desk", key=claim.desk.key)
    if desk is None or not _is_held(desk, claim):
        raise ClaimLost(claim.desk.key, claim.generation)
    return desk


def _is_held(desk: Row, claim: Claim) -> bool:
    return bool(desk["generation"] == claim.generation and desk["owner"] == claim.worker_id)


def is_active(desk: Row, delivery: Delivery) -> bool:
    """Whether *desk* is still held, and still running exactly this send."""
    return (
        _is_held(desk, delivery.claim)
        and desk["active_job"] == delivery.job.id
        and desk["active_send"] == delivery.job.send
    )


def held_active(tx: Transaction, delivery: Delivery) -> Row:
    """The desk of *delivery*, still held and still running exactly this send.

    Raises:
        ClaimLost: It is not.
    """
    desk = held(tx, delivery.claim)
    if not is_active(desk, delivery):
        raise ClaimLost(delivery.claim.desk.key, delivery.claim.generation)
    return desk


def beat(
    tx: Transaction,
    claim: Claim,
    delivery: Delivery | None,
    *,
    lease: timedelta,
    done: int,
    limits: Limits,
) -> DeskView:
    """Renew the lease and the active record; say what the owner should know."""
    desk = held(tx, claim) if delivery is None else held_active(tx, delivery)
    _renew(tx, desk, lease)
    tx.run("seen", worker=claim.worker_id, now=tx.at, done=done)
    return view(tx, desk, limits)


def view(tx: Transaction, desk: Row, limits: Limits) -> DeskView:
    """The desk as its owner should see it."""
    interrupt = None
    if desk["active_job"] is not None:
        running = entry_of(tx.row("running_job", job=desk["active_job"]))
        interrupt = interrupt_for(
            running,
            newer(tx, desk["id"], running),
            is_draining=bool(desk["draining"]),
            is_ending=bool(desk["active_ending"]),
            limits=limits,
        )
    return DeskView(
        interrupt=interrupt,
        has_pending=desk["pending"] > 0,
        is_wanted_elsewhere=desk["worker_pinned"] is None
        and bool(tx.row("is_one_wanted", now=tx.at, seen_after=seen_after(tx))["wanted"]),
        is_leaving_asked=bool(desk["paused"] or desk["release_asked"]),
        is_draining=bool(desk["draining"]),
        due_at=instant(desk["due_at"] or None),
    )


def newer(tx: Transaction, desk_id: int, entry: Entry) -> list[Entry]:
    """Pending jobs that may stop *entry*: one of each kind is enough for the rules."""
    found = tx.all("newer", desk=desk_id, thread=entry.thread, order=entry.order)
    return [entry_of(row) for row in found]


def catch_up(tx: Transaction, claim: Claim, generation: int) -> None:
    """Put the generation behind one that the record had forgotten, and free the desk."""
    try:
        desk = tx.row("desk_by_id", desk=held(tx, claim)["id"])
    except ClaimLost:
        return
    tx.run("catch_up", desk=desk["id"], generation=min(generation, GENERATION_MET_MAX))
    expire(tx, desk)
    tx.run("stand", worker=claim.worker_id, now=tx.at, done=0)


def release(tx: Transaction, claim: Claim, *, done: int) -> bool:
    """Clear the owner if nothing is pending."""
    desk = held(tx, claim)
    if not tx.run("release", desk=desk["id"]):
        return False
    tx.run("stand", worker=claim.worker_id, now=tx.at, done=done)
    tx.emit(DeskReleased(desk=desk["key"], generation=claim.generation))
    return True


def give_way(tx: Transaction, claim: Claim, *, done: int) -> None:
    """Clear the owner although jobs are pending, and ask for another."""
    desk = held(tx, claim)
    leave(tx, desk, is_clean=True)
    if desk["pending"]:
        # Before this worker counts as free: it is awake, another one should be.
        wake_one(tx, desk)
    tx.run("stand", worker=claim.worker_id, now=tx.at, done=done)
    tx.emit(DeskGivenWay(desk=desk["key"], generation=claim.generation))


def fenced(tx: Transaction, claim: Claim, thread: str) -> None:
    """Strike *thread* from those that a former owner may still push to."""
    desk = held(tx, claim)
    left = [each for each in json.loads(desk["unfenced"]) if each != thread]
    tx.run("set_unfenced", desk=desk["id"], unfenced=json.dumps(left))
    tx.emit(BranchFenced(desk=desk["key"], generation=claim.generation, thread=thread))


def expire_lapsed(tx: Transaction, limits: Limits) -> int:
    """Free the desks whose lease has ended, with the margin for clock skew; count them."""
    lapsed = tx.all("lapsed_desks", before=to_us(tx.now - limits.clock_skew))
    for desk in lapsed:
        expire(tx, desk)
    return len(lapsed)


def bury(tx: Transaction, worker_id: str) -> int:
    """Free what a worker held whose process is proven dead, and forget it; count its desks."""
    if tx.one("worker_by_id", worker=worker_id) is None:
        return 0
    desks = tx.all("desks_of_worker", worker=worker_id)
    tx.run("forget_worker", worker=worker_id)
    tx.emit(WorkerStopped(worker_id=worker_id, is_clean=False))
    for desk in desks:
        expire(tx, desk)
    return len(desks)


def expire(tx: Transaction, desk: Row) -> None:
    """End a claim whose owner did not end it, and ask for another worker."""
    # The worker is not noted as free: it may be frozen, until it claims again.
    leave(tx, desk, is_clean=False)
    tx.emit(
        LeaseExpired(
            desk=desk["key"],
            job_id=desk["active_job"] or "",
            generation=desk["generation"],
            worker_id=desk["owner"],
            late_by_ms=max(0, (tx.at - desk["lease_until"]) // 1000),
        )
    )
    if desk["pending"]:
        wake_one(tx, desk)


def leave(tx: Transaction, desk: Row, *, is_clean: bool) -> None:
    """Clear the owner. A job that was active is the next to be handed over."""
    unfenced = set(json.loads(desk["unfenced"]))
    if desk["active_job"] is not None:
        tx.run("back_to_queue", job=desk["active_job"])
        if not is_clean:
            unfenced.add(tx.row("job_by_id", job=desk["active_job"])["thread"])
    tx.run(
        "leave",
        desk=desk["id"],
        now=tx.at,
        unclean=int(not is_clean),
        unfenced=json.dumps(sorted(unfenced)),
    )


def _renew(tx: Transaction, desk: Row, lease: timedelta) -> None:
    tx.run(
        "renew",
        desk=desk["id"],
        lease_until=tx.at + lease // MICROSECOND,
        active_expires=tx.at + ACTIVE_TTL // MICROSECOND,
    )


def _claim_of(desk: Row, worker_id: str, generation: int) -> Claim:
    return Claim(
        desk=Desk.from_key(desk["key"]),
        generation=generation,
        worker_id=worker_id,
        is_takeover=bool(desk["unclean"]),
        unfenced=tuple(json.loads(desk["unfenced"])),
    )
