"""Announce, ask and send, in one commit."""

from collections.abc import Sequence

from hotdesk.backends.sqlite.file import MICROSECOND, Row, Transaction
from hotdesk.backends.sqlite.rows import entry_of, job_of
from hotdesk.backends.texts import origin_text
from hotdesk.desks import (
    Entry,
    Interrupt,
    InterruptPolicy,
    InterruptReason,
    Job,
    JobState,
    NewJob,
)
from hotdesk.errors import Rejected
from hotdesk.events import InterruptSent, JobSubmitted
from hotdesk.lifecycle import LEASE, Limits, preempts


def submit(tx: Transaction, jobs: Sequence[NewJob], limits: Limits) -> list[Job]:
    """Make *jobs* durable; those whose id is known come back as they stand."""
    submitted = []
    for new in jobs:
        if tx.one("is_known", job=new.id):
            known = tx.row("job_by_id", job=new.id)
            if known["desk_key"] != new.desk.key:
                raise Rejected(f"job id {new.id!r} belongs to another desk; choose another id")
            submitted.append(job_of(known))
            continue
        desk = tx.row("announce", key=new.desk.key)
        tx.run(
            "insert_job",
            id=new.id,
            desk=desk["id"],
            thread=new.thread,
            instruction=new.instruction,
            interrupt=new.interrupt.value,
            place=desk["last_place"],
            now=tx.at,
            origin=origin_text(new.origin),
        )
        tx.emit(
            JobSubmitted(
                desk=new.desk.key, job_id=new.id, source=new.origin.source, thread=new.thread
            )
        )
        if new.origin.message_id:
            tx.run(
                "remember_mail",
                message_id=new.origin.message_id,
                desk=new.desk.key,
                thread=new.thread,
                at=tx.at,
            )
        job = _as_submitted(new, desk["last_place"], tx)
        submitted.append(job)
        if desk["owner"] is None:
            ask(tx, desk)
        else:
            tell_owner(tx, desk, job, limits)
    return submitted


def ask(tx: Transaction, desk: Row) -> None:
    """Let a desk without an owner wait for one, from its first pending job on.

    It is asked for once: whoever takes another desk first wakes the next worker.
    """
    if desk["pending"] == 1:
        tx.run("begin_waiting", desk=desk["id"], now=tx.at)
        wake_one(tx, desk)


def wake_one(tx: Transaction, desk: Row) -> None:
    """Ask for a worker to claim *desk*, unless it may not be claimed."""
    if desk["paused"]:
        return
    if desk["pinned"]:
        if worker := tx.one("pinned_worker", key=desk["key"]):
            tx.ring(worker["id"])
        return
    # Several desks may wait for one ring: who claims one wakes the next worker. An
    # owner without work is woken when nobody is free, so that it may leave.
    free = tx.all("free_workers", seen_after=seen_after(tx), limit=1)
    for worker in free or tx.all("lingering_workers", limit=1):
        tx.ring(worker["id"])


def seen_after(tx: Transaction) -> int:
    """A worker that was not seen since then may be frozen, and is not counted as free."""
    return tx.at - LEASE // MICROSECOND


def tell_owner(tx: Transaction, desk: Row, new: Job, limits: Limits) -> None:
    """Wake the owner of *desk*; interrupt its running job if *new* preempts it.

    Who preempts whom is a rule; only jobs that could are looked up for it.
    """
    if desk["active_job"] is None:
        tx.ring(desk["owner"])
        return
    if new.interrupt is InterruptPolicy.NEVER or desk["active_ending"]:
        return
    running = entry_of(tx.row("running_job", job=desk["active_job"]))
    newer = Entry(
        job_id=new.id, send=new.send, order=new.order, thread=new.thread, interrupt=new.interrupt
    )
    if preempts(newer, running, limits):
        interrupt(tx, desk, InterruptReason.PREEMPT, by=new.id)


def interrupt(tx: Transaction, desk: Row, reason: InterruptReason, *, by: str = "") -> None:
    """Send the owner of *desk* an interrupt meant for the send that it runs now."""
    meant = Interrupt(reason=reason, send_id=f"{desk['active_job']}.{desk['active_send']}", by=by)
    tx.ring(desk["owner"], meant)
    tx.emit(
        InterruptSent(
            desk=desk["key"],
            job_id=desk["active_job"],
            generation=desk["generation"],
            reason=reason.value,
            by=by,
        )
    )


def _as_submitted(new: NewJob, place: int, tx: Transaction) -> Job:
    return Job(
        id=new.id,
        desk=new.desk,
        thread=new.thread,
        instruction=new.instruction,
        interrupt=new.interrupt,
        state=JobState.QUEUED,
        order=place,
        place=place,
        send=1,
        attempt=0,
        preemptions=0,
        given_back=0,
        submitted_at=tx.now,
        origin=new.origin,
    )
