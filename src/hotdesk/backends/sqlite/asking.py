"""What people ask for: cancel, retry, discard, pause, resume, release, drain, pin."""

from collections.abc import Iterable

from hotdesk.backends.sqlite.file import Row, Transaction
from hotdesk.backends.sqlite.rows import job_of
from hotdesk.backends.sqlite.running import end_unstarted
from hotdesk.backends.sqlite.submitting import ask, interrupt, wake_one
from hotdesk.desks import Desk, InterruptReason, Job, JobState
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.events import (
    CancelAsked,
    DeskPaused,
    DeskResumed,
    DrainAsked,
    JobDiscarded,
    JobRetried,
    ReleaseAsked,
)


def cancel(tx: Transaction, job_id: str) -> Job:
    """End a queued job, or mark a running one and interrupt it."""
    job = _job(tx, job_id)
    if job["state"] == JobState.CANCELLED.value:
        return job_of(job)
    if JobState(job["state"]).is_ended:
        raise NotAllowed(f"job {job_id} has already {job['state']}")
    desk = tx.row("desk_by_id", desk=job["desk"])
    if desk["active_job"] != job_id:
        end_unstarted(tx, desk, job, JobState.CANCELLED)
    elif desk["active_ending"]:
        raise NotAllowed(f"job {job_id} is finished and being published; it cannot be cancelled")
    elif not job["cancelled"]:
        tx.run("mark_cancelled", seq=job["seq"])
        tx.emit(CancelAsked(desk=desk["key"], job_id=job_id, generation=desk["generation"]))
        if desk["owner"] is not None:
            interrupt(tx, desk, InterruptReason.CANCEL)
    return job_of(_job(tx, job_id))


def retry(tx: Transaction, job_id: str) -> Job:
    """Send an ended job again, as the newest of its desk."""
    job = _job(tx, job_id)
    state = JobState(job["state"])
    if not state.is_ended or state is JobState.SUCCEEDED:
        raise NotAllowed(f"job {job_id} is {state}; only a job that came to nothing is retried")
    if state is JobState.PREEMPTED and tx.one(
        "pending_of_thread", desk=job["desk"], thread=job["thread"]
    ):
        raise NotAllowed(
            f"job {job_id} was preempted and a newer job of its thread is pending: "
            "that one continues it; retry when it has ended"
        )
    desk = tx.row("announce_again", desk=job["desk"])
    tx.run("retry", seq=job["seq"], place=desk["last_place"])
    tx.emit(JobRetried(desk=desk["key"], job_id=job_id))
    if desk["owner"] is None:
        ask(tx, desk)
    else:
        tx.ring(desk["owner"])
    return job_of(_job(tx, job_id))


def discard(tx: Transaction, job_id: str) -> None:
    """Remove a job that failed or died, with its log."""
    job = _job(tx, job_id)
    if job["state"] not in (JobState.DEAD.value, JobState.FAILED.value):
        raise NotAllowed(f"job {job_id} is {job['state']}; only dead or failed jobs are discarded")
    forget(tx, job["seq"], job_id)
    tx.emit(JobDiscarded(desk=job["desk_key"], job_id=job_id))


def forget(tx: Transaction, seq: int, job_id: str) -> None:
    """Remove a job and all that was kept for it but its events.

    An answer that was not sent yet goes with it: there is nothing left to say.
    """
    tx.run("delete_log", job=job_id)
    tx.run("delete_outbox", job=job_id)
    tx.run("delete_job", seq=seq)


def pause(tx: Transaction, desk: Desk, *, is_paused: bool) -> None:
    """Stop or start the serving of a desk."""
    row = _desk(tx, desk)
    if bool(row["paused"]) == is_paused:
        return
    tx.run("pause", desk=row["id"], paused=int(is_paused))
    tx.emit(DeskPaused(desk=desk.key) if is_paused else DeskResumed(desk=desk.key))
    _wake(tx, tx.row("desk_by_id", desk=row["id"]))


def ask_release(tx: Transaction, desk: Desk) -> None:
    """Ask the owner, if there is one, to leave after its job."""
    row = _desk(tx, desk)
    if tx.run("ask_release", desk=row["id"]):
        tx.emit(ReleaseAsked(desk=desk.key, generation=row["generation"]))
        tx.ring(row["owner"])


def drain(tx: Transaction, worker_id: str) -> None:
    """Mark a worker as draining and interrupt what it runs."""
    if not tx.run("drain", worker=worker_id):
        raise NotFound("worker", worker_id)
    tx.emit(DrainAsked(worker_id=worker_id))
    tx.ring(worker_id)
    for desk in tx.all("desks_of_worker", worker=worker_id):
        if desk["active_job"] is not None and not desk["active_ending"]:
            interrupt(tx, desk, InterruptReason.DRAIN)


def retire(tx: Transaction, worker_id: str) -> bool:
    """Mark a worker as draining if it holds no desk."""
    if not tx.run("retire", worker=worker_id):
        return False
    tx.emit(DrainAsked(worker_id=worker_id))
    tx.ring(worker_id)
    return True


def pin(tx: Transaction, desks: Iterable[Desk]) -> None:
    """Reserve exactly *desks* for pinned workers."""
    tx.run("unpin_all")
    for desk in desks:
        tx.run("pin", key=desk.key)


def _job(tx: Transaction, job_id: str) -> Row:
    row = tx.one("job_by_id", job=job_id)
    if row is None:
        raise NotFound("job", job_id)
    return row


def _desk(tx: Transaction, desk: Desk) -> Row:
    row = tx.one("desk_by_key", key=desk.key)
    if row is None:
        raise NotFound("desk", str(desk))
    return row


def _wake(tx: Transaction, desk: Row) -> None:
    if desk["owner"] is not None:
        tx.ring(desk["owner"])
    elif desk["pending"]:
        wake_one(tx, desk)
