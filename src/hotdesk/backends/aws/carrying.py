"""The executions that carry pending sends: started, and started again when one is lost."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from hotdesk.backends.aws import waking
from hotdesk.backends.aws.change import Apart, Change
from hotdesk.backends.aws.change import change as change_desk
from hotdesk.backends.aws.claiming import clear_leftover
from hotdesk.backends.aws.desk import LEFT, DeskRecord
from hotdesk.backends.aws.names import of_desk
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import entry_of
from hotdesk.backends.aws.running import end_unstarted
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.workflow import Carriage, Parcel, new_execution_name
from hotdesk.desks import Desk, InterruptReason, JobState
from hotdesk.events import CancelAsked

# A workflow that fails again and again is a fault of the stack, not of the moment.
STARTS_MAX = 5
# Desks in one sweep; each death leaves one.
LEFT_MAX = 50


def carry(change: Change, post: Post, desk: DeskRecord, job_id: str) -> None:
    """Start the execution of a pending job once the change is committed; again does no harm."""
    pending = desk.pending.get(job_id)
    if pending is None or pending.token:
        # It is over meanwhile, or has come.
        return
    parcel = Parcel(
        execution=pending.execution,
        desk=desk.desk,
        job_id=job_id,
        send=pending.entry.send,
        policy=pending.entry.interrupt.value,
        queue=desk.queue,
        name=of_desk(post.stack, desk.desk, desk.queues),
    )
    change.effects.append(lambda: post.workflow.start(parcel))


async def carry_on(
    change: Change,
    post: Post,
    key: Desk,
    *,
    job_id: str,
    execution: str,
    carriage: Carriage,
) -> None:
    """Go on after *execution* has come to *carriage*, if it still carries the job.

    One that was stopped by hand cancels its job: somebody wanted that. One that failed, or
    was never started, is started again; after several, the job fails.
    """
    desk = await change.desk(key)
    pending = desk.pending.get(job_id)
    if pending is None or pending.execution != execution or carriage is Carriage.RUNNING:
        return
    is_active = desk.active is not None and desk.active.job_id == job_id
    if carriage is Carriage.NEVER:
        carry(change, post, desk, job_id)
    elif carriage is Carriage.ABORTED and is_active:
        await cancel_running(change, post, desk, job_id)
    elif carriage is Carriage.ABORTED:
        stored = await change.job(job_id)
        why = "its workflow was stopped by hand"
        await end_unstarted(change, post, desk, stored, JobState.CANCELLED, error=why)
    elif is_active:
        # It runs on, and its outcome is in the record, whoever is told of it.
        return
    elif pending.starts >= STARTS_MAX:
        stored = await change.job(job_id)
        why = f"its workflow came to nothing {STARTS_MAX} times; see the executions of the stack"
        await end_unstarted(change, post, desk, stored, JobState.FAILED, error=why)
    else:
        restart(change, post, desk, job_id)


def restart(change: Change, post: Post, desk: DeskRecord, job_id: str) -> None:
    """Have a new execution carry a pending job that is not running; the old one is stopped."""
    pending = desk.pending[job_id]
    lost = pending.execution
    name = new_execution_name(job_id, pending.entry.send)
    desk.pending[job_id] = replace(pending, execution=name, starts=pending.starts + 1, token="")
    change.write_desk(desk)
    change.effects.append(lambda: post.workflow.stop(lost))
    carry(change, post, desk, job_id)


async def finish_left(table: Table, post: Post, apart: Apart, now: datetime) -> None:
    """Call back and delete what owners left who died right behind an outcome."""
    for item in await table.found(LEFT, index="by_time", limit=LEFT_MAX):
        desk = DeskRecord.from_item(item).desk
        with apart.one():
            await change_desk(table, now, partial(_finish_left, post=post, key=desk))


async def _finish_left(change: Change, post: Post, key: Desk) -> None:
    desk = await change.desk(key)
    if desk.leftover is not None and not desk.owner:
        await clear_leftover(post, desk)
        change.write_desk(desk)


async def replace_queue(change: Change, post: Post, key: Desk, queue: str) -> None:
    """Forget a queue that somebody has removed, and send anew what may have been in it."""
    desk = await change.desk(key)
    if desk.queue != queue:
        return
    desk.queue = ""
    change.write_desk(desk)
    for job_id, pending in desk.pending.items():
        is_active = desk.active is not None and desk.active.job_id == job_id
        if not pending.token and not is_active:
            restart(change, post, desk, job_id)


async def cancel_running(change: Change, post: Post, desk: DeskRecord, job_id: str) -> None:
    """Mark the running job as cancelled and interrupt it, unless it is over already."""
    stored = await change.job(job_id)
    if stored.job.is_cancelled or (desk.active is not None and desk.active.is_ending):
        return
    marked = replace(stored.job, is_cancelled=True)
    change.write_desk(desk)
    change.write_job(replace(stored, job=marked))
    desk.pending[job_id] = replace(desk.pending[job_id], entry=entry_of(marked))
    key, generation = desk.desk.key, desk.generation
    change.emit(CancelAsked(desk=key, job_id=job_id, generation=generation))
    if desk.owner:
        waking.interrupt(change, post, desk, InterruptReason.CANCEL)
