"""Jobs that wait for a person's word, in a table of their own: nothing of them is a job yet."""

from datetime import datetime

from hotdesk.backends.sqlite.file import Row, Transaction, from_us, to_us
from hotdesk.backends.sqlite.rows import origin_of, origin_text
from hotdesk.desks import Desk, InterruptPolicy, NewJob
from hotdesk.errors import NotFound
from hotdesk.events import MailDropped
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


def held(tx: Transaction, desk: Desk | None, limit: int) -> list[Held]:
    """What waits, oldest first."""
    if desk is None:
        rows = tx.all("held_oldest", limit=limit)
    else:
        rows = tx.all("held_of_desk", desk=desk.key, limit=limit)
    return [_held_of(row) for row in rows]


def held_job(tx: Transaction, job_id: str) -> Held:
    """One of them."""
    row = tx.one("held_job", job=job_id)
    if row is None:
        raise NotFound("held job", job_id)
    return _held_of(row)


def remove_held(tx: Transaction, *, before: datetime, limit: int) -> int:
    """Drop what has waited since before that instant, at most *limit*; count it."""
    rows = tx.all("held_before", before=to_us(before), limit=limit)
    for row in rows:
        tx.run("drop_held", job=row["job"])
        sender = origin_of(row["origin"]).sender
        tx.emit(MailDropped(desk=row["desk"], job_id=row["job"], sender=sender, by="retention"))
    return len(rows)


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
