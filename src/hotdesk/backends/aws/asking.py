"""What people ask for: cancel, retry, discard, pause, resume, release, drain, pin."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from hotdesk.backends.aws import waking
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.carrying import cancel_running, carry
from hotdesk.backends.aws.change import Change, change
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import is_job, job_key, worker_key
from hotdesk.backends.aws.running import end_unstarted
from hotdesk.backends.aws.submitting import announce
from hotdesk.backends.aws.table import Table
from hotdesk.desks import Desk, InterruptReason, Job, JobState
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.events import (
    DeskPaused,
    DeskResumed,
    DrainAsked,
    JobDiscarded,
    JobRetried,
    ReleaseAsked,
)

PINS = ("pins", "pins")


async def cancel(change: Change, post: Post, job_id: str) -> Job:
    """End a queued job, or mark a running one and interrupt it."""
    stored = await change.job(job_id)
    job = stored.job
    if job.state is JobState.CANCELLED:
        return job
    if job.state.is_ended:
        raise NotAllowed(f"job {job_id} has already {job.state}")
    desk = await change.desk(job.desk)
    if job_id not in desk.pending:
        # It has ended since we read it: decide anew.
        raise Refused("stale", {})
    if desk.active is None or desk.active.job_id != job_id:
        await end_unstarted(change, post, desk, stored, JobState.CANCELLED)
    elif desk.active.is_ending:
        raise NotAllowed(f"job {job_id} is finished and being published; it cannot be cancelled")
    else:
        await cancel_running(change, post, desk, job_id)
    return (await change.job(job_id)).job


async def retry(change: Change, post: Post, job_id: str) -> Job:
    """Send an ended job again, as the newest of its desk."""
    stored = await change.job(job_id)
    job = stored.job
    if not job.state.is_ended or job.state is JobState.SUCCEEDED:
        raise NotAllowed(f"job {job_id} is {job.state}; only a job that came to nothing is retried")
    desk = await change.desk(job.desk)
    if job.state is JobState.PREEMPTED and any(
        each.entry.thread == job.thread for each in desk.pending.values()
    ):
        raise NotAllowed(
            f"job {job_id} was preempted and a newer job of its thread is pending: "
            "that one continues it; retry when it has ended"
        )
    place = desk.announce()
    again = replace(
        job,
        state=JobState.QUEUED,
        order=place,
        place=place,
        send=job.send + 1,
        attempt=0,
        preemptions=0,
        given_back=0,
        is_cancelled=False,
        started_at=None,
        ended_at=None,
        result=None,
        error="",
    )
    if (thread := desk.threads.get(job.thread)) is not None:
        thread.owed = [each for each in thread.owed if each != job_id]
    announce(change, desk, again)
    change.write_job(replace(stored, job=again))
    change.emit(JobRetried(desk=desk.desk.key, job_id=job_id))
    carry(change, post, desk, job_id)
    if desk.is_pinned and not desk.owner:
        waking.ask(change, post, desk)
    return again


async def discard(change: Change, job_id: str) -> None:
    """Remove a job that failed or died, with its log."""
    # Without its long texts: one that the bucket has lost must not keep it.
    item = await change.table.get(job_key(job_id))
    if item is None or not is_job(item):
        raise NotFound("job", job_id)
    state, key = JobState(str(item["state"])), str(item["desk"])
    if state not in (JobState.DEAD, JobState.FAILED):
        raise NotAllowed(f"job {job_id} is {state}; only dead or failed jobs are discarded")
    # With its desk, so that nobody retries it at the same time.
    change.write_desk(await change.desk(Desk.from_key(key)))
    change.forget_job(job_id)
    change.emit(JobDiscarded(desk=key, job_id=job_id))


async def forget_rest(table: Table, job_id: str) -> None:
    """Remove what was kept for a job that is gone, then free its id."""
    for partition in (f"log {job_id}", f"job {job_id}"):
        keys = [(str(item["pk"]), str(item["sk"])) async for item in table.query(partition)]
        await table.delete_all([key for key in keys if key != job_key(job_id)])
    if not await table.blobs.remove(job_id):
        # A sweep goes on with it.
        return
    # Whoever else has come that far, and another job that took the id since, are left alone.
    with suppress(Refused):
        await table.delete(job_key(job_id), condition="attribute_not_exists(#id)")


async def pause(change: Change, post: Post, key: Desk, *, is_paused: bool) -> None:
    """Stop or start the serving of a desk."""
    desk = await change.desk(key)
    if desk.is_paused == is_paused:
        return
    desk.is_paused = is_paused
    # A claim request for a paused desk may be gone: resuming asks anew.
    desk.asked_at = None
    change.write_desk(desk)
    change.emit(DeskPaused(desk=key.key) if is_paused else DeskResumed(desk=key.key))
    waking.wake(change, post, desk)


async def ask_release(change: Change, post: Post, key: Desk) -> None:
    """Ask the owner, if there is one, to leave after its job."""
    desk = await change.desk(key)
    if desk.owner:
        desk.is_release_asked = True
        change.write_desk(desk)
        change.emit(ReleaseAsked(desk=key.key, generation=desk.generation))
        waking.ring(change, post, desk.owner)


async def drain(change: Change, post: Post, worker_id: str) -> None:
    """Mark a worker as draining and interrupt what it runs."""
    worker: dict[str, Any] | None = await change.table.get(worker_key(worker_id))
    if worker is None:
        raise NotFound("worker", worker_id)
    change.update(
        worker_key(worker_id), "SET #is_draining = :yes", "attribute_exists(pk)", yes=True
    )
    change.emit(DrainAsked(worker_id=worker_id))
    waking.ring(change, post, worker_id)
    if worker["desk"] is None:
        return
    desk = await change.desk(Desk.from_key(worker["desk"]))
    if desk.owner == worker_id and desk.active is not None and not desk.active.is_ending:
        waking.interrupt(change, post, desk, InterruptReason.DRAIN)


async def retire(change: Change, post: Post, worker_id: str) -> bool:
    """Mark a worker as draining if it holds no desk."""
    worker: dict[str, Any] | None = await change.table.get(worker_key(worker_id))
    if worker is None or worker["desk"] is not None:
        return False
    change.update(
        worker_key(worker_id),
        "SET #is_draining = :yes",
        "attribute_exists(pk) AND #desk = :none",
        yes=True,
        none=None,
    )
    change.emit(DrainAsked(worker_id=worker_id))
    waking.ring(change, post, worker_id)
    return True


async def pin(table: Table, desks: Iterable[Desk], now: datetime) -> None:
    """Reserve exactly *desks* for pinned workers.

    The list holds what is pinned and what is to be until every desk says so, so that a
    call that stopped in between is finished by the next one.
    """
    wanted = {desk.key for desk in desks}
    item = await table.get(PINS)
    listed: dict[str, Any] = item or {"desks": []}
    every: list[str] = sorted(wanted | set(listed["desks"]))
    await table.put({"pk": PINS[0], "sk": PINS[1], "desks": [*every]})
    for key in every:
        await change(table, now, partial(_pin, key=key, is_pinned=key in wanted))
    await table.put({"pk": PINS[0], "sk": PINS[1], "desks": [*sorted(wanted)]})


async def _pin(change: Change, key: str, *, is_pinned: bool) -> None:
    desk = await change.desk_or_new(Desk.from_key(key))
    if desk.is_pinned != is_pinned:
        desk.is_pinned = is_pinned
        desk.asked_at = None
        change.write_desk(desk)
