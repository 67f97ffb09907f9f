"""The guarantee behind the fast path, and retention: bounded work in short transactions."""

from datetime import timedelta

from hotdesk.backends.sqlite.approving import remove_held
from hotdesk.backends.sqlite.asking import forget
from hotdesk.backends.sqlite.claiming import expire_lapsed
from hotdesk.backends.sqlite.file import Transaction, to_us
from hotdesk.backends.sqlite.submitting import wake_one
from hotdesk.events import RetentionApplied
from hotdesk.lifecycle import Limits
from hotdesk.ports import TALLY_KEPT, tally_step

# Desks that are looked at, and rows that are removed, in one transaction.
BATCH = 200


def free_lapsed(tx: Transaction, limits: Limits) -> tuple[int, int]:
    """Free lapsed desks and wake workers for waiting ones; count both (the latter up to BATCH)."""
    lapsed = expire_lapsed(tx, limits)
    tx.run("shorten_backoffs", latest=to_us(tx.now + limits.backoff_max))
    for desk in tx.all("waiting_desks", limit=BATCH):
        if desk["due_at"] <= tx.at:
            wake_one(tx, desk)
    return lapsed, int(tx.row("some_waiting", now=tx.at, limit=BATCH)["waiting"])


def remove_old(tx: Transaction, retention: timedelta) -> int:
    """Remove one batch of what ended or was held longer than *retention* ago; count the jobs.

    Dead letters stay until a person has decided, interrupted jobs until their
    thread has succeeded.
    """
    before = to_us(tx.now - retention)
    rows = tx.all("ended_before", before=before, limit=BATCH)
    for row in rows:
        forget(tx, row["seq"], row["id"])
    tx.run("delete_old_events", before=before, limit=10 * BATCH)
    tx.run("delete_old_mail", before=before, limit=BATCH)
    tx.run("delete_old_tallies", before=tally_step(tx.now - TALLY_KEPT), limit=10 * BATCH)
    remove_held(tx, before=tx.now - retention, limit=BATCH)
    if rows:
        tx.emit(RetentionApplied(jobs=len(rows)))
    return len(rows)
