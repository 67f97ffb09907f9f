"""The hand-over of one desk: receive, register or drop, and take a registration back.

The order of the steps around a message: received briefly, registered, then hidden for long
and probed. Messages may come in another order than the sends were announced in: the record
keeps the order, and the token of one that is early.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from hotdesk.backends.aws.change import Change
from hotdesk.backends.aws.claiming import clear_leftover, worker_of
from hotdesk.backends.aws.desk import (
    EARLY_MAX,
    Active,
    DeskRecord,
    Leftover,
    Pending,
    ThreadState,
)
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.queues import SendMessage
from hotdesk.backends.aws.rows import StoredJob, entry_of, interrupted_of
from hotdesk.backends.aws.running import without_message, write
from hotdesk.backends.aws.workflow import Verdict
from hotdesk.desks import (
    Claim,
    Delivery,
    Entry,
    InterruptPolicy,
    Job,
    JobState,
)
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.events import (
    AttemptGivenBack,
    JobStarted,
)
from hotdesk.lifecycle import (
    ACTIVE_TTL,
    EXTEND_BY,
    Decision,
    Limits,
    decide,
    dropped,
)

# Sends that are dropped at their hand-over in one call; the rest follow in the next.
DROPS_MAX = 50
# Of them in one transaction: each takes at most three of its hundred actions.
DROPS_TOGETHER = 30


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
    change: Change, post: Post, claim: Claim, message: SendMessage | None, limits: Limits
) -> tuple[Delivery | None, DeskRecord]:
    """Register the oldest send, whose message is *message* or was taken ahead of its turn.

    Only the desk, when it was dropped, when the message was another one's, or when it must wait.
    """
    desk = await change.held(claim)
    if message is not None and not _is_current(desk, message):
        await _drop_stale(change, post, desk, message)
        return None, desk
    head = desk.in_order()[0] if may_hand_over(desk, change.now) else None
    if message is None:
        if head is None or not head.token:
            return None, desk
        token, receipt = head.token, ""
    elif head is None:
        # Somebody has paused it since the caller looked, or sent an order to leave it.
        await post.queues.hide(desk.queue, message.receipt, timedelta(0))
        return None, desk
    elif message.job_id != head.entry.job_id:
        await _take_early(change, post, desk, message)
        return None, desk
    else:
        token, receipt = message.token, message.receipt
    if _decide(desk, head.entry, limits) is Decision.RUN:
        stored = await change.job(head.entry.job_id)
        await clear_leftover(post, desk)
        delivery = await _start(change, desk, claim, stored, token=token, receipt=receipt)
        return delivery, desk
    rest = [each for each in desk.in_order() if each.place > head.place]
    desk.pending[head.entry.job_id] = head = replace(head, token=token)
    await _drop(change, post, desk, [head, *rest], limits, receipt=receipt)
    return None, desk


def _is_current(desk: DeskRecord, message: SendMessage) -> bool:
    pending = desk.pending.get(message.job_id)
    return (
        pending is not None
        and pending.entry.send == message.send
        and pending.execution == message.execution
        and not pending.token
    )


async def _drop_stale(change: Change, post: Post, desk: DeskRecord, message: SendMessage) -> None:
    """Remove the message of a send that is over, and tell its execution how to go on."""
    pending = desk.pending.get(message.job_id)
    stored = await change.find_job(message.job_id)
    verdict = Verdict(is_answered=stored is not None and bool(stored.job.origin.message_id))
    if pending is not None and pending.execution == message.execution:
        if pending.entry.send == message.send:
            # The same one come twice, or sent again by the watchdog: the last token counts.
            if pending.token != message.token:
                desk.pending[message.job_id] = replace(pending, token=message.token)
                change.write_desk(desk)
            change.effects.append(partial(post.queues.delete, desk.queue, message.receipt))
            return
        # It was put back, and whoever did that died before saying so.
        verdict = Verdict(send=pending.entry.send)
    left = Leftover(
        job_id=message.job_id,
        execution=message.execution,
        token=message.token,
        receipt=message.receipt,
        verdict=verdict,
    )
    await post.finish(desk.queue, left)


async def _take_early(change: Change, post: Post, desk: DeskRecord, message: SendMessage) -> None:
    """Keep the token of a message that overtook an older send; the record keeps the order.

    When the record keeps as many as it can, its execution sends it again, behind the others:
    a message that is only hidden holds up what is behind it in a FIFO queue.
    """
    pending = desk.pending[message.job_id]
    if sum(bool(each.token) for each in desk.pending.values()) >= EARLY_MAX:
        left = Leftover(
            job_id=message.job_id,
            execution=message.execution,
            token=message.token,
            receipt=message.receipt,
            verdict=Verdict(send=pending.entry.send),
        )
        await post.finish(desk.queue, left)
        return
    desk.pending[message.job_id] = replace(pending, token=message.token)
    change.write_desk(desk)
    queue = desk.queue
    change.effects.append(lambda: post.queues.delete(queue, message.receipt))


async def unstart(change: Change, post: Post, delivery: Delivery) -> DeskRecord:
    """Take back a registration whose token is dead: this message carries the send no more."""
    desk = await change.running(delivery)
    assert desk.active is not None
    stored = await change.job(delivery.job.id)
    job = replace(stored.job, state=JobState.QUEUED, attempt=stored.job.attempt - 1)
    desk.pending[job.id] = replace(desk.pending[job.id], entry=entry_of(job), token="")
    without_message(change, post, desk)
    desk.active = None
    change.write_job(replace(stored, job=job, settled=stored.job.deliveries))
    change.emit(
        AttemptGivenBack(
            desk=desk.desk.key,
            job_id=job.id,
            generation=desk.generation,
            reason="its workflow no longer waits for it",
        )
    )
    return desk


def _decide(desk: DeskRecord, entry: Entry, limits: Limits) -> Decision:
    thread = desk.threads.get(entry.thread)
    has_newer_run = thread is not None and thread.run_order > entry.order
    return decide(entry, desk.newer(entry), has_newer_run=has_newer_run, limits=limits)


async def _drop(
    change: Change,
    post: Post,
    desk: DeskRecord,
    chain: Sequence[Pending],
    limits: Limits,
    *,
    receipt: str,
) -> None:
    """Drop the first of *chain*, and those behind it up to the first that is to run.

    Only the first one's message has been received. The others are deleted at their turn,
    because their send is over, as that of a job that was cancelled while it was queued. One
    that came early has no turn left: it is a first one, whose callback is recorded.
    """
    chain = chain[:DROPS_TOGETHER]
    await change.load_jobs(each.entry.job_id for each in chain)
    await clear_leftover(post, desk)
    for each in chain:
        decision = _decide(desk, each.entry, limits)
        if decision is Decision.RUN or (each is not chain[0] and each.token):
            return
        stored = await change.job(each.entry.job_id)
        after = dropped(each.entry, decision)
        error = _why(decision, stored.job)
        left = write(change, post, desk, stored, after, error=error, receipt=receipt)
        desk.leftover = desk.leftover or left
        receipt = ""


async def _start(
    change: Change,
    desk: DeskRecord,
    claim: Claim,
    stored: StoredJob,
    *,
    token: str,
    receipt: str,
) -> Delivery:
    """Register a send as active and count its attempt."""
    waited = change.now - stored.job.submitted_at
    job = replace(
        stored.job,
        state=JobState.RUNNING,
        attempt=stored.job.attempt + 1,
        started_at=change.now,
        worker_id=claim.worker_id,
        generation=claim.generation,
        deliveries=stored.job.deliveries + 1,
    )
    desk.pending[job.id] = replace(desk.pending[job.id], entry=entry_of(job), token="")
    desk.due_at = None
    desk.active = Active(
        job_id=job.id,
        send=job.send,
        token=token,
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
            waited_ms=None if stored.job.deliveries else waited // timedelta(milliseconds=1),
        )
    )
    return delivery


async def raise_visibility(post: Post, desk: DeskRecord) -> None:
    """Hide the message of the registered send for as long as a run may go unextended."""
    if desk.active is not None and desk.active.receipt:
        await post.queues.hide(desk.queue, desk.active.receipt, EXTEND_BY)


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


def _why(decision: Decision, job: Job) -> str:
    """The error that a job dropped at its hand-over keeps."""
    if decision is not Decision.DIE:
        return job.error
    before = f"; before that: {job.error}" if job.error else ""
    return f"its worker died in the last of {job.attempt} attempts{before}"
