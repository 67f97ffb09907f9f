"""Rows of the file as the values of ``desks.py``, and back."""

import json
from datetime import datetime

from hotdesk.backends.sqlite.file import Row, from_us
from hotdesk.backends.texts import origin_of, result_of
from hotdesk.desks import (
    Desk,
    DeskStatus,
    Entry,
    Interrupted,
    InterruptPolicy,
    Job,
    JobState,
    WorkerStatus,
)
from hotdesk.events import StoredEvent

# A look-up here costs a tenth of a call of the enumeration, and each hand-over makes several.
_POLICIES = {policy.value: policy for policy in InterruptPolicy}
_STATES = {state.value: state for state in JobState}


def instant(value: int | None) -> datetime | None:
    """An instant, or ``None``."""
    return None if value is None else from_us(value)


def job_of(stored: Row, desk: Desk | None = None, **changed: int | str) -> Job:
    """A job; the row has ``desk_key`` unless *desk* is given. *changed* goes before it."""
    # A Row looks for a name among all its columns, each time.
    row = {**dict(zip(stored.keys(), stored, strict=True)), **changed}
    partial = row["partial"]
    return Job(
        id=row["id"],
        desk=desk or Desk.from_key(row["desk_key"]),
        thread=row["thread"],
        instruction=row["instruction"],
        interrupt=_POLICIES[row["interrupt"]],
        state=_STATES[row["state"]],
        order=row["order"],
        place=row["place"],
        send=row["send"],
        attempt=row["attempt"],
        preemptions=row["preemptions"],
        given_back=row["given_back"],
        submitted_at=from_us(row["submitted_at"]),
        started_at=instant(row["started_at"]),
        ended_at=instant(row["ended_at"]),
        worker_id=row["worker"],
        generation=row["generation"],
        partial=None if partial is None else json.loads(partial),
        partial_commit=row["partial_commit"],
        result=result_of(row["result"]),
        error=row["error"],
        is_cancelled=bool(row["cancelled"]),
        outcomes=row["outcomes"],
        deliveries=row["deliveries"],
        origin=origin_of(row["origin"]),
    )


def entry_of(row: Row) -> Entry:
    """What the rules need of a job."""
    return Entry(
        job_id=row["id"],
        send=row["send"],
        order=row["order"],
        thread=row["thread"],
        interrupt=_POLICIES[row["interrupt"]],
        attempt=row["attempt"],
        preemptions=row["preemptions"],
        given_back=row["given_back"],
        is_cancelled=bool(row["cancelled"]),
    )


def interrupted_of(row: Row) -> Interrupted:
    """An interrupted job that a later one continues."""
    return Interrupted(
        job_id=row["id"],
        instruction=row["instruction"],
        partial=None if row["partial"] is None else json.loads(row["partial"]),
        partial_commit=row["partial_commit"],
    )


def desk_status_of(row: Row) -> DeskStatus:
    """A desk as people see it."""
    return DeskStatus(
        desk=Desk.from_key(row["key"]),
        generation=row["generation"],
        owner=row["owner"] or "",
        lease_until=instant(row["lease_until"]),
        pending=row["pending"],
        active_job=row["active_job"] or "",
        free_since=instant(row["free_since"]),
        due_at=instant(row["due_at"] or None),
        is_paused=bool(row["paused"]),
        is_pinned=bool(row["pinned"]),
    )


def worker_status_of(row: Row) -> WorkerStatus:
    """A worker as people see it."""
    if row["draining"]:
        state = "draining"
    elif row["active_job"]:
        state = "busy"
    else:
        state = "holding" if row["desk"] is not None else "warm"
    return WorkerStatus(
        id=row["id"],
        pid=row["pid"],
        state=state,
        desk=Desk.from_key(row["desk_key"]) if row["desk_key"] else None,
        job_id=row["active_job"] or "",
        started_at=from_us(row["started_at"]),
        seen_at=from_us(row["seen_at"]),
        free_since=instant(row["free_since"]),
        jobs_done=row["jobs_done"],
        pinned=Desk.from_key(row["pinned"]) if row["pinned"] else None,
    )


def event_of(row: Row) -> StoredEvent:
    """An event as it is read back."""
    return StoredEvent(
        cursor=str(row["cursor"]),
        at=from_us(row["at"]),
        kind=row["kind"],
        desk=row["desk"],
        job_id=row["job"],
        generation=row["generation"],
        details=json.loads(row["details"]) if row["details"] else {},
    )
