"""One running job at a desk: keep its message hidden and its partial work, seal, settle.

The outcome is recorded together with what is to be called back and deleted, so that whoever
comes after a death does that; a message is shown before its send is cleared.
"""

from dataclasses import replace
from datetime import timedelta

from hotdesk.backends.aws.change import Change
from hotdesk.backends.aws.claiming import clear_leftover
from hotdesk.backends.aws.desk import (
    DeskRecord,
    Leftover,
    ThreadState,
)
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import DUE, StoredJob, entry_of
from hotdesk.backends.aws.values import stamp
from hotdesk.backends.aws.workflow import Verdict
from hotdesk.desks import (
    Delivery,
    InterruptPolicy,
    Job,
    JobState,
    Json,
    Outcome,
    Result,
)
from hotdesk.errors import ClaimLost, NotAllowed, NotFound
from hotdesk.events import (
    AttemptFailed,
    AttemptGivenBack,
    Event,
    JobEnded,
    JobPutBack,
    PartialSaved,
)
from hotdesk.lifecycle import (
    Limits,
    Settlement,
    settlement,
)

# SQS hides a message for 12 hours in all; before that the run goes on without one.
HIDDEN_MAX = timedelta(hours=11)


async def keep_hidden(change: Change, post: Post, delivery: Delivery, span: timedelta) -> None:
    """Keep the message of the running job invisible, or go on without it near SQS's bound."""
    desk = await change.running(delivery)
    assert desk.active is not None
    queue, receipt = desk.queue, desk.active.receipt
    if not receipt:
        return
    if change.now - desk.active.since < HIDDEN_MAX - span:
        await post.queues.hide(queue, receipt, span)
        return
    without_message(change, post, desk)
    desk.active = replace(desk.active, receipt="")


def without_message(change: Change, post: Post, desk: DeskRecord) -> None:
    """Delete the message of what runs once that is committed, whoever comes to do it.

    It is hidden for so long that it would hold up all that is behind it.
    """
    assert desk.active is not None
    change.write_desk(desk)
    if not desk.active.receipt:
        return
    execution = desk.pending[desk.active.job_id].execution
    desk.leftover = left = Leftover(
        job_id=desk.active.job_id,
        execution=execution,
        token="",
        receipt=desk.active.receipt,
        verdict=Verdict(),
    )
    queue = desk.queue
    change.effects.append(lambda: post.finish(queue, left))


async def settle(
    change: Change, post: Post, delivery: Delivery, outcome: Outcome, limits: Limits
) -> bool:
    """Record how the attempt ended; whether the next job may be handed over at once."""
    claim = delivery.claim
    try:
        stored = await change.job(delivery.job.id)
    except NotFound as error:
        raise ClaimLost(claim.desk.key, claim.generation) from error
    if stored.settled == delivery.job.deliveries:
        # The answer to this very call was lost after its commit, and perhaps what follows it.
        before = await change.find_desk(claim.desk)
        if before is not None and before.leftover is not None:
            await post.finish(before.queue, before.leftover)
        return False
    desk = await change.running(delivery)
    assert desk.active is not None
    active, entry = desk.active, desk.pending[stored.job.id].entry
    after = settlement(entry, outcome, desk.newer(entry), limits)
    await clear_leftover(post, desk)
    is_over = after.state.is_ended or after.is_put_back
    if not is_over and active.receipt:
        await post.queues.hide(desk.queue, active.receipt, timedelta(0))
    keeps_token = is_over or not active.receipt
    pending = desk.pending[stored.job.id]
    desk.pending[stored.job.id] = replace(pending, token=active.token if keeps_token else "")
    desk.active = None
    stored = replace(stored, settled=stored.job.deliveries)
    desk.leftover = write(
        change,
        post,
        desk,
        stored,
        after,
        receipt=active.receipt,
        result=outcome.result,
        error=outcome.error,
    )
    if after.delay:
        desk.due_at = change.now + after.delay
    return not after.delay


async def save_partial(change: Change, delivery: Delivery, partial: Json, commit: str) -> None:
    """Keep partial work with the job."""
    desk = await change.running(delivery)
    stored = await change.job(delivery.job.id)
    job = replace(stored.job, partial=partial, partial_commit=commit or stored.job.partial_commit)
    change.write_desk(desk)
    change.write_job(replace(stored, job=job))
    change.emit(
        PartialSaved(desk=desk.desk.key, job_id=job.id, generation=desk.generation, commit=commit)
    )


async def seal(change: Change, delivery: Delivery, *, lease: timedelta) -> None:
    """Mark the running job as ending, unless it was cancelled."""
    desk = await change.running(delivery)
    assert desk.active is not None
    if desk.pending[delivery.job.id].entry.is_cancelled:
        raise NotAllowed(f"job {delivery.job.id} was cancelled")
    desk.active = replace(desk.active, is_ending=True)
    desk.lease_until = change.now + lease
    change.write_desk(desk)


async def end_unstarted(
    change: Change,
    post: Post,
    desk: DeskRecord,
    stored: StoredJob,
    state: JobState,
    *,
    error: str = "",
) -> None:
    """Give a queued job its outcome without a worker; its message is dropped at its turn.

    One that came early is gone already: what is to be called back is recorded, as behind a run.
    """
    entry = entry_of(stored.job)
    after = Settlement(
        state=state,
        attempt=entry.attempt,
        preemptions=entry.preemptions,
        given_back=entry.given_back,
    )
    pending = desk.pending[stored.job.id]
    if pending.token:
        await clear_leftover(post, desk)
        desk.leftover = write(change, post, desk, stored, after, error=error)
        return
    write(change, post, desk, stored, after, error=error)
    # Nobody has its token yet: a workflow that waits to be heard of is stopped instead.
    change.effects.append(lambda: post.workflow.stop(pending.execution))


def write(
    change: Change,
    post: Post,
    desk: DeskRecord,
    stored: StoredJob,
    after: Settlement,
    *,
    receipt: str = "",
    result: Result | None = None,
    error: str,
) -> Leftover | None:
    """Write what follows into the job's record, the desk's entries and its threads.

    Once it is committed, the execution is called back and the message deleted, if its token
    is known: that is returned.
    """
    before, carried = stored.job, desk.pending[stored.job.id]
    is_ended = after.state.is_ended
    job = replace(
        before,
        state=after.state,
        place=desk.announce() if after.is_put_back else before.place,
        send=before.send + after.is_put_back,
        attempt=after.attempt,
        preemptions=after.preemptions,
        given_back=after.given_back,
        ended_at=change.now if is_ended else None,
        result=result if after.state is JobState.SUCCEEDED else None,
        error=error,
        outcomes=before.outcomes + is_ended,
    )
    change.write_desk(desk)
    change.write_job(replace(stored, job=job))
    change.emit(_event(desk, before, after, job.send))
    if is_ended:
        desk.take_out(job.id)
    else:
        desk.pending[job.id] = replace(
            carried,
            entry=entry_of(job),
            place=job.place,
            since=change.now if after.is_put_back else carried.since,
            token="" if after.is_put_back else carried.token,
        )
        desk.due_at = None
    _note_thread(desk, before, after)
    if is_ended and job.origin.message_id:
        _owe_answer(change, job)
    if not (is_ended or after.is_put_back) or not carried.token:
        return None
    left = Leftover(
        job_id=job.id,
        execution=carried.execution,
        token=carried.token,
        receipt=receipt,
        verdict=Verdict(
            send=job.send if after.is_put_back else 0,
            is_answered=is_ended and bool(job.origin.message_id),
        ),
    )
    queue = desk.queue
    change.effects.append(lambda: post.finish(queue, left))
    return left


def _note_thread(desk: DeskRecord, job: Job, after: Settlement) -> None:
    state = desk.threads.get(job.thread)
    if after.is_interrupted:
        state = desk.threads.setdefault(job.thread, ThreadState())
        if job.id not in state.owed:
            state.owed.append(job.id)
    if state is None or not after.state.is_ended:
        return
    has_run = job.started_at is not None and after.state is not JobState.CANCELLED
    if has_run and job.interrupt is not InterruptPolicy.NEVER:
        state.run_order = max(state.run_order, job.order)
    if after.state is JobState.SUCCEEDED:
        state.owed = []
    elif after.state is not JobState.PREEMPTED:
        state.owed = [each for each in state.owed if each != job.id]
    desk.forget_thread_if_over(job.thread)


def _owe_answer(change: Change, job: Job) -> None:
    at = stamp(change.now)
    change.put(
        {
            "pk": f"job {job.id}",
            "sk": f"answer {job.outcomes:06d}",
            "time_kind": DUE,
            "time": at,
            "job": job.id,
            "number": job.outcomes,
            "state": job.state.value,
            "created_at": at,
            "tries": 0,
            "is_sent": False,
            "error": "",
        }
    )


def _event(desk: DeskRecord, job: Job, after: Settlement, send_number: int) -> Event:
    key, generation = desk.desk.key, desk.generation
    if after.state.is_ended:
        return JobEnded(desk=key, job_id=job.id, generation=generation, state=after.state.value)
    if after.is_put_back:
        return JobPutBack(desk=key, job_id=job.id, generation=generation, send=send_number)
    if after.attempt < job.attempt:
        reason = "origin or disk out of reach" if after.delay else "interrupted"
        return AttemptGivenBack(desk=key, job_id=job.id, generation=generation, reason=reason)
    return AttemptFailed(
        desk=key,
        job_id=job.id,
        generation=generation,
        attempt=after.attempt,
        delay_seconds=after.delay.total_seconds(),
    )
