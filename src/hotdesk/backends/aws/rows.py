"""Items of jobs, workers, events and logs as the values of ``desks.py``, and back."""

import json
from dataclasses import dataclass
from typing import Any

from hotdesk.backends.aws.values import (
    Item,
    instant_of,
    instant_or_none,
    serial,
    stamp,
    stamp_or_none,
)
from hotdesk.backends.texts import origin_of, origin_text, result_of, result_text
from hotdesk.desks import (
    Desk,
    Entry,
    Interrupted,
    InterruptPolicy,
    Job,
    JobState,
    NewJob,
    WorkerStatus,
)
from hotdesk.events import Event, StoredEvent
from hotdesk.ports import Held

WORKERS = "workers"
# A partition of DynamoDB takes 1,000 writes a second, an event in a transaction is two of
# them: one partition would carry 100 jobs a second. Four carry as many as the one counter.
EVENT_SHARDS = 4
ENDED = "job ended"
DUE = "answer due"
MAIL = "mail"
REMAINS = "remains"
HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job and what only the store needs to know of it.

    ``listed`` is the cursor of its submission: jobs are listed by it. ``settled`` is the
    last hand-over whose worker has reported: a later report of it is a repetition, and
    any other one of a send that is over is stale.
    """

    job: Job
    listed: int
    settled: int = 0


def job_key(job_id: str) -> tuple[str, str]:
    """Where a job is."""
    return f"job {job_id}", "job"


def worker_key(worker_id: str) -> tuple[str, str]:
    """Where a worker is: all of them stand together."""
    return WORKERS, worker_id


def event_shard(number: int) -> str:
    """One of the partitions that events are spread over."""
    return f"events {number}"


def event_key(cursor: int) -> tuple[str, str]:
    """Where an event is."""
    return event_shard(cursor % EVENT_SHARDS), serial(cursor)


def entry_of(job: Job) -> Entry:
    """What the rules need of a job."""
    return Entry(
        job_id=job.id,
        send=job.send,
        order=job.order,
        thread=job.thread,
        interrupt=job.interrupt,
        attempt=job.attempt,
        preemptions=job.preemptions,
        given_back=job.given_back,
        is_cancelled=job.is_cancelled,
    )


def interrupted_of(job: Job) -> Interrupted:
    """An interrupted job that a later one continues."""
    return Interrupted(
        job_id=job.id,
        instruction=job.instruction,
        partial=job.partial,
        partial_commit=job.partial_commit,
    )


def job_item(stored: StoredJob) -> Item:
    """A job as it is stored."""
    job = stored.job
    pk, sk = job_key(job.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "group": f"jobs of {job.desk.key}",
        "place": serial(stored.listed),
        "state_kind": f"job {job.state.value}",
        "listed": serial(stored.listed),
        "id": job.id,
        "desk": job.desk.key,
        "thread": job.thread,
        "instruction": job.instruction,
        "interrupt": job.interrupt.value,
        "state": job.state.value,
        "order": job.order,
        "hand_over": job.place,
        "send": job.send,
        "attempt": job.attempt,
        "preemptions": job.preemptions,
        "given_back": job.given_back,
        "submitted_at": stamp(job.submitted_at),
        "started_at": stamp_or_none(job.started_at),
        "ended_at": stamp_or_none(job.ended_at),
        "worker": job.worker_id,
        "generation": job.generation,
        "partial": json.dumps(job.partial),
        "partial_commit": job.partial_commit,
        "result": result_text(job.result),
        "error": job.error,
        "is_cancelled": job.is_cancelled,
        "outcomes": job.outcomes,
        "deliveries": job.deliveries,
        "origin": origin_text(job.origin),
        "settled": stored.settled,
    }
    # Dead letters stay until a person has decided.
    if job.ended_at is not None and job.state is not JobState.DEAD:
        item |= {"time_kind": ENDED, "time": stamp(job.ended_at)}
    return item


def removed_job_item(job_id: str, at: str) -> Item:
    """What stands in the place of a job until all that was kept for it is removed."""
    pk, sk = job_key(job_id)
    return {"pk": pk, "sk": sk, "time_kind": REMAINS, "time": at, "removed": job_id}


def removed_queue_key(url: str) -> tuple[str, str]:
    """Where a queue is noted that the record has forgotten, until it is removed."""
    return f"queue {url}", "queue"


def removed_queue_item(url: str, at: str) -> Item:
    """A queue that the record has forgotten."""
    pk, sk = removed_queue_key(url)
    return {"pk": pk, "sk": sk, "time_kind": REMAINS, "time": at, "queue": url}


def is_job(item: Item) -> bool:
    """Whether it is a job, and not what stands in the place of one that was removed."""
    return "id" in item


def stored_job(item: Item) -> StoredJob:
    """The inverse of ``job_item``."""
    row: dict[str, Any] = item
    job = Job(
        id=row["id"],
        desk=Desk.from_key(row["desk"]),
        thread=row["thread"],
        instruction=row["instruction"],
        interrupt=InterruptPolicy(row["interrupt"]),
        state=JobState(row["state"]),
        order=row["order"],
        place=row["hand_over"],
        send=row["send"],
        attempt=row["attempt"],
        preemptions=row["preemptions"],
        given_back=row["given_back"],
        submitted_at=instant_of(row["submitted_at"]),
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        worker_id=row["worker"],
        generation=row["generation"],
        partial=json.loads(row["partial"]),
        partial_commit=row["partial_commit"],
        result=result_of(row["result"]),
        error=row["error"],
        is_cancelled=row["is_cancelled"],
        outcomes=row["outcomes"],
        deliveries=row["deliveries"],
        origin=origin_of(row["origin"]),
    )
    return StoredJob(job=job, listed=int(row["listed"]), settled=row["settled"])


def held_key(job_id: str) -> tuple[str, str]:
    """Where a job is that waits for approval."""
    return f"held {job_id}", "held"


def held_group(desk: str) -> str:
    """Where the index has those of the desk of that key."""
    return f"held of {desk}"


def held_texts(job_id: str) -> str:
    """Under which name the bucket has the long texts of one, which is no id of a job.

    What goes with a job must not take those of a mail that waits under the same id.
    """
    return f"!{job_id}"


def owner_of_texts(name: str) -> tuple[str, str]:
    """Whose long texts stand in the bucket under *name*."""
    return held_key(name[1:]) if name.startswith("!") else job_key(name)


def held_item(held: Held) -> Item:
    """A job that waits, as it is stored."""
    job = held.job
    pk, sk = held_key(job.id)
    # With its id, so that two of one instant keep their order.
    since = f"{stamp(held.held_at)} {job.id}"
    return {
        "pk": pk,
        "sk": sk,
        "time_kind": HELD,
        "time": since,
        "group": held_group(job.desk.key),
        "place": since,
        "id": job.id,
        "desk": job.desk.key,
        "thread": job.thread,
        "instruction": job.instruction,
        "interrupt": job.interrupt.value,
        "origin": origin_text(job.origin),
        "sender": job.origin.sender,
        "reason": held.reason,
        "held_at": stamp(held.held_at),
    }


def held_of(item: Item) -> Held:
    """The inverse of ``held_item``."""
    row: dict[str, Any] = item
    job = NewJob(
        id=row["id"],
        desk=Desk.from_key(row["desk"]),
        thread=row["thread"],
        instruction=row["instruction"],
        interrupt=InterruptPolicy(row["interrupt"]),
        origin=origin_of(row["origin"]),
    )
    return Held(job=job, reason=row["reason"], held_at=instant_of(row["held_at"]))


def event_item(event: Event, cursor: int, at: str) -> Item:
    """An event as it is stored."""
    pk, sk = event_key(cursor)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "at": at,
        "kind": type(event).__name__,
        "desk": event.desk,
        "job": event.job_id,
        "generation": event.generation,
        "details": json.dumps(event.details()),
    }
    if event.job_id:
        item |= {"group": f"events of {event.job_id}", "place": serial(cursor)}
    return item


def stored_event(item: Item) -> StoredEvent:
    """An event as it is read back."""
    row: dict[str, Any] = item
    return StoredEvent(
        cursor=str(int(row["sk"])),
        at=instant_of(row["at"]),
        kind=row["kind"],
        desk=row["desk"],
        job_id=row["job"],
        generation=row["generation"],
        details=json.loads(row["details"]),
    )


def worker_status(item: Item, active_job: str, *, is_owner: bool) -> WorkerStatus:
    """A worker as people see it.

    One that is no longer the owner of what it claimed is not free either: it may be frozen.
    """
    row: dict[str, Any] = item
    if row["is_draining"]:
        state = "draining"
    elif active_job:
        state = "busy"
    else:
        state = "holding" if row["desk"] else "warm"
    return WorkerStatus(
        id=row["sk"],
        pid=row["pid"],
        state=state,
        desk=Desk.from_key(row["desk"]) if row["desk"] and is_owner else None,
        job_id=active_job,
        started_at=instant_of(row["started_at"]),
        seen_at=instant_of(row["seen_at"]),
        free_since=instant_or_none(row["free_since"]),
        jobs_done=row["jobs_done"],
        pinned=Desk.from_key(row["pinned"]) if row["pinned"] else None,
    )
