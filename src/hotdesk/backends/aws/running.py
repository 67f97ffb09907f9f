"""One job at a desk: receive, register, keep partial work, seal, settle.

The order of the steps around a message is the protocol's: received briefly, registered,
then hidden for long; deleted before it is settled, shown before it is cleared.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hotdesk.backends.aws.change import Change
from hotdesk.backends.aws.claiming import worker_of
from hotdesk.backends.aws.desk import Active, DeskRecord, Pending, ThreadState
from hotdesk.backends.aws.queues import Queues, SendMessage
from hotdesk.backends.aws.rows import DUE, StoredJob, entry_of, interrupted_of
from hotdesk.backends.aws.submitting import send
from hotdesk.backends.aws.values import stamp
from hotdesk.desks import (
    Claim,
    Delivery,
    Entry,
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
    JobStarted,
    PartialSaved,
)
from hotdesk.lifecycle import (
    ACTIVE_TTL,
    EXTEND_BY,
    Decision,
    Limits,
    Settlement,
    decide,
    dropped,
    settlement,
)

# Sends that are dropped at their hand-over in one call; the rest follow in the next.
DROPS_MAX = 50
# Of them in one transaction: each takes at most three of its hundred actions.
DROPS_TOGETHER = 30
# A send whose message has not come by then is sent again: whoever announced it may be dead.
MISSING_AFTER = timedelta(seconds=60)


async def standing(change: Change, claim: Claim) -> tuple[DeskRecord, Delivery | None, bool]:
    """The desk of *claim*, what is handed over already, and whether anything may be.

    What is active is handed over again: the answer to an earlier call was lost.
    """
    desk = await change.held(claim)
    if desk.active is not None:
        stored = await change.job(desk.active.job_id)
        return desk, await _delivery(change, desk, claim, stored.job, desk.active.receipt), False
    try:
        await worker_of(change.table, claim.worker_id)
    except (NotFound, NotAllowed):
        return desk, None, False
    return desk, None, may_hand_over(desk, change.now)


def may_hand_over(desk: DeskRecord, now: datetime) -> bool:
    """Whether the record lets a job begin now."""
    is_leaving = desk.is_paused or desk.is_release_asked
    return bool(desk.pending) and desk.active is None and not is_leaving and desk.is_due(now)


async def hand_over(
    change: Change, queues: Queues, claim: Claim, message: SendMessage, limits: Limits
) -> Delivery | DeskRecord:
    """Register the send of *message*; the desk, when it was dropped or must wait."""
    desk = await change.held(claim)
    pending = desk.pending.get(message.job_id)
    if pending is None or pending.entry.send != message.send:
        await queues.delete(desk.desk, message.receipt)
        return desk
    if not may_hand_over(desk, change.now):
        # Somebody has paused it since the caller looked, or sent an order to leave it.
        await queues.hide(desk.desk, message.receipt, timedelta(0))
        return desk
    if _decide(desk, pending.entry, limits) is Decision.RUN:
        stored = await change.job(message.job_id)
        return await _start(change, desk, claim, stored, receipt=message.receipt)
    await queues.delete(desk.desk, message.receipt)
    rest = [each for each in desk.in_order() if each.place > pending.place]
    await _drop(change, queues, desk, [pending, *rest], limits)
    return desk


def _decide(desk: DeskRecord, entry: Entry, limits: Limits) -> Decision:
    thread = desk.threads.get(entry.thread)
    has_newer_run = thread is not None and thread.run_order > entry.order
    return decide(entry, desk.newer(entry), has_newer_run=has_newer_run, limits=limits)


async def _drop(
    change: Change, queues: Queues, desk: DeskRecord, chain: Sequence[Pending], limits: Limits
) -> None:
    """Drop the first of *chain*, and those behind it up to the first that is to run.

    Their messages have not been received. Each is deleted at its turn, because its send
    is over, as that of a job that was cancelled while it was queued.
    """
    chain = chain[:DROPS_TOGETHER]
    await change.load_jobs(each.entry.job_id for each in chain)
    for each in chain:
        decision = _decide(desk, each.entry, limits)
        if decision is Decision.RUN:
            return
        stored = await change.job(each.entry.job_id)
        after = dropped(each.entry, decision)
        write(change, queues, desk, stored, after, error=_why(decision, stored.job))


async def settle(
    change: Change, queues: Queues, delivery: Delivery, outcome: Outcome, limits: Limits
) -> bool:
    """Record how the attempt ended; whether the next job may be handed over at once."""
    claim = delivery.claim
    try:
        stored = await change.job(delivery.job.id)
    except NotFound as error:
        raise ClaimLost(claim.desk.key, claim.generation) from error
    if stored.settled == delivery.job.deliveries:
        # The answer to this very call was lost after its commit.
        return False
    desk = await change.running(delivery)
    assert desk.active is not None
    entry = desk.pending[stored.job.id].entry
    after = settlement(entry, outcome, desk.newer(entry), limits)
    if after.state.is_ended or after.is_put_back:
        await queues.delete(desk.desk, desk.active.receipt)
    else:
        await queues.hide(desk.desk, desk.active.receipt, timedelta(0))
    desk.active = None
    stored = replace(stored, settled=stored.job.deliveries)
    write(change, queues, desk, stored, after, result=outcome.result, error=outcome.error)
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


def end_unstarted(
    change: Change, queues: Queues, desk: DeskRecord, stored: StoredJob, state: JobState
) -> None:
    """Give a queued job its outcome without a worker; its message is dropped at its turn."""
    entry = entry_of(stored.job)
    after = Settlement(
        state=state,
        attempt=entry.attempt,
        preemptions=entry.preemptions,
        given_back=entry.given_back,
    )
    write(change, queues, desk, stored, after, error="")


def write(
    change: Change,
    queues: Queues,
    desk: DeskRecord,
    stored: StoredJob,
    after: Settlement,
    *,
    result: Result | None = None,
    error: str,
) -> None:
    """Write what follows into the job's record, the desk's entries and its threads."""
    before = stored.job
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
        since = change.now if after.is_put_back else desk.pending[job.id].since
        desk.pending[job.id] = Pending(entry=entry_of(job), place=job.place, since=since)
        desk.due_at = None
    if after.is_put_back:
        send(change, queues, job)
    _note_thread(desk, before, after)
    if is_ended and job.origin.message_id:
        _owe_answer(change, job)


async def _start(
    change: Change,
    desk: DeskRecord,
    claim: Claim,
    stored: StoredJob,
    *,
    receipt: str,
) -> Delivery:
    """Register a send as active and count its attempt."""
    job = replace(
        stored.job,
        state=JobState.RUNNING,
        attempt=stored.job.attempt + 1,
        started_at=change.now,
        worker_id=claim.worker_id,
        generation=claim.generation,
        deliveries=stored.job.deliveries + 1,
    )
    desk.pending[job.id] = replace(desk.pending[job.id], entry=entry_of(job))
    desk.due_at = None
    desk.active = Active(
        job_id=job.id,
        send=job.send,
        receipt=receipt,
        since=change.now,
        expires=change.now + ACTIVE_TTL,
    )
    change.write_desk(desk)
    change.write_job(replace(stored, job=job))
    delivery = await _delivery(change, desk, claim, job, receipt)
    change.emit(
        JobStarted(
            desk=desk.desk.key,
            job_id=job.id,
            generation=claim.generation,
            worker_id=claim.worker_id,
            attempt=job.attempt,
            folded=len(delivery.folded),
        )
    )
    return delivery


async def raise_visibility(queues: Queues, delivery: Delivery) -> None:
    """Hide the message of a registered send for as long as a run may go unextended."""
    await queues.hide(delivery.claim.desk, delivery.receipt, EXTEND_BY)


async def _delivery(
    change: Change, desk: DeskRecord, claim: Claim, job: Job, receipt: str
) -> Delivery:
    thread = desk.threads.get(job.thread)
    owed = await owed_jobs(change, thread)
    folded = tuple(interrupted_of(each) for each in owed if _continues(job, each))
    return Delivery(claim=claim, job=job, folded=folded, receipt=receipt)


async def owed_jobs(change: Change, thread: ThreadState | None) -> list[Job]:
    """The interrupted jobs of a thread, oldest first."""
    if thread is None:
        return []
    await change.load_jobs(thread.owed)
    found = [await change.find_job(each) for each in thread.owed]
    return sorted((each.job for each in found if each), key=lambda job: job.order)


def _continues(job: Job, owed: Job) -> bool:
    """Whether *job* is handed what *owed* left.

    One that was put back and is older than this one ends as soon as its turn comes.
    """
    if owed.id == job.id:
        return False
    is_overtaken = owed.order < job.order and job.interrupt is not InterruptPolicy.NEVER
    return owed.state is JobState.PREEMPTED or (owed.state is JobState.QUEUED and is_overtaken)


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


def _why(decision: Decision, job: Job) -> str:
    """The error that a job dropped at its hand-over keeps."""
    if decision is not Decision.DIE:
        return job.error
    before = f"; before that: {job.error}" if job.error else ""
    return f"its worker died in the last of {job.attempt} attempts{before}"


async def send_missing(queues: Queues, desk: DeskRecord, now: datetime) -> bool:
    """Send the oldest entry's message again if it has been missing for long; whether it was.

    One that comes twice is dropped at its second turn, because its send is over then.
    """
    head = desk.in_order()[0]
    missing = now - head.since
    if missing < MISSING_AFTER:
        return False
    again = str(missing // MISSING_AFTER)
    await queues.send(desk.desk, head.entry.job_id, head.entry.send, again=again)
    return True
