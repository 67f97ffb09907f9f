"""Jobs that wait for a person's word, in a table of their own: nothing of them is a job yet."""

from dataclasses import replace
from datetime import datetime

from hotdesk.backends.sqlite.file import Row, Transaction, from_us, to_us
from hotdesk.backends.sqlite.rows import job_of
from hotdesk.backends.sqlite.submitting import submit
from hotdesk.backends.texts import origin_of, origin_text
from hotdesk.desks import Desk, InterruptPolicy, Job, NewJob
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.events import MailApproved, MailDropped
from hotdesk.lifecycle import Limits
from hotdesk.ports import Held


def hold(tx: Transaction, job: NewJob, reason: str) -> None:
    """Keep *job* unless it waits or is submitted already."""
    tx.run(
        "hold",
        job=job.id,
        desk=job.desk.key,
        thread=job.thread,
        instruction=job.instruction,
        interrupt=job.interrupt.value,
        origin=origin_text(job.origin),
        reason=reason,
        now=tx.at,
    )


def held(tx: Transaction, desk: Desk | None, thread: str | None, limit: int) -> list[Held]:
    """What waits, oldest first."""
    key = None if desk is None else desk.key
    if thread is not None:
        rows = tx.all("held_of_thread", thread=thread, desk=key, limit=limit)
    elif key is None:
        rows = tx.all("held_oldest", limit=limit)
    else:
        rows = tx.all("held_of_desk", desk=key, limit=limit)
    return [_held_of(row) for row in rows]


def held_job(tx: Transaction, job_id: str) -> Held:
    """One of them."""
    row = tx.one("held_job", job=job_id)
    if row is None:
        raise NotFound("held job", job_id)
    return _held_of(row)


def approve(
    tx: Transaction, job_id: str, *, interrupt: InterruptPolicy, by: str, limits: Limits
) -> Job:
    """Submit what waits, or find it submitted."""
    row = tx.one("held_job", job=job_id)
    if row is None:
        known = tx.one("job_by_id", job=job_id)
        if known is None:
            raise NotFound("held job", job_id)
        return job_of(known)
    held = _held_of(row)
    [job] = submit(tx, [replace(held.job, interrupt=interrupt)], limits)
    tx.run("drop_held", job=job_id)
    sender = held.job.origin.sender
    tx.emit(MailApproved(desk=row["desk"], job_id=job_id, sender=sender, by=by))
    return job


def drop_held(tx: Transaction, job_id: str, by: str) -> None:
    """Forget what waits, unless it is a job by now."""
    if tx.one("is_known", job=job_id):
        raise NotAllowed(
            f"job {job_id} was approved already; stop it with: hotdesk job cancel {job_id}"
        )
    row = tx.one("held_job", job=job_id)
    if row is None:
        raise NotFound("held job", job_id)
    _drop(tx, row, by)


def remove_held(tx: Transaction, *, before: datetime, limit: int) -> None:
    """Drop what has waited since before that instant, at most *limit*."""
    for row in tx.all("held_before", before=to_us(before), limit=limit):
        if tx.one("is_known", job=row["job"]):
            # Its approval was cut off in an older version; it has not been dropped.
            tx.run("drop_held", job=row["job"])
        else:
            _drop(tx, row, "retention")


def _drop(tx: Transaction, row: Row, by: str) -> None:
    tx.run("drop_held", job=row["job"])
    sender = origin_of(row["origin"]).sender
    tx.emit(MailDropped(desk=row["desk"], job_id=row["job"], sender=sender, by=by))


def _held_of(row: Row) -> Held:
    return Held(
        job=NewJob(
            id=row["job"],
            desk=Desk.from_key(row["desk"]),
            thread=row["thread"],
            instruction=row["instruction"],
            interrupt=InterruptPolicy(row["interrupt"]),
            origin=origin_of(row["origin"]),
        ),
        reason=row["reason"],
        held_at=from_us(row["held_at"]),
    )
