"""Announce: one transaction, then the executions that ask, interrupt and send."""

from collections.abc import Sequence

from hotdesk.backends.aws import waking
from hotdesk.backends.aws.carrying import carry
from hotdesk.backends.aws.change import Change
from hotdesk.backends.aws.desk import PENDING_MAX, DeskRecord, Pending
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.rows import MAIL, StoredJob, entry_of, is_job, job_key
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.values import stamp
from hotdesk.backends.aws.workflow import new_execution_name
from hotdesk.desks import Desk, InterruptPolicy, InterruptReason, Job, JobState, NewJob
from hotdesk.errors import Rejected, Unavailable
from hotdesk.events import JobSubmitted
from hotdesk.lifecycle import Limits, has_live_owner, preempts

# Each takes at most five of the hundred actions of a transaction: itself, its mail, its desk,
# that it was submitted, and that it interrupts.
TOGETHER_MAX = 20


async def submit(change: Change, post: Post, jobs: Sequence[NewJob], limits: Limits) -> list[Job]:
    """Make *jobs* durable; those whose id is known come back as they stand."""
    submitted = []
    mails: set[tuple[str, str]] = set()
    for new in jobs:
        known = await change.find_job(new.id)
        if known is not None:
            if known.job.desk != new.desk:
                raise Rejected(f"job id {new.id!r} belongs to another desk; choose another id")
            submitted.append(known.job)
            if known.job.state is JobState.QUEUED:
                # Whoever announced it may not have come to start its execution.
                carry(change, post, await change.desk(new.desk), new.id)
            continue
        job = await _announce(change, new)
        submitted.append(job)
        if new.origin.message_id:
            await remember_mail(change, new.origin.message_id, new.desk, new.thread, mails)
        desk = await change.desk(new.desk)
        carry(change, post, desk, job.id)
        if not desk.owner:
            # The workflow asks for any worker; a pinned one and one that lingers are rung.
            if desk.is_pinned:
                waking.ask(change, post, desk)
            elif len(desk.pending) == 1:
                waking.ring_lingering(change, post)
        elif has_live_owner(
            desk.owner, desk.lease_until, margin=limits.clock_skew, now=change.now
        ) and _preempts(desk, job, limits):
            waking.note_interrupt(change, desk, InterruptReason.PREEMPT, by=new.id)
    return submitted


def _preempts(desk: DeskRecord, new: Job, limits: Limits) -> bool:
    """Whether the workflow's ring will find that *new* stops what runs."""
    if desk.active is None or desk.active.is_ending or new.interrupt is InterruptPolicy.NEVER:
        return False
    return preempts(entry_of(new), desk.pending[desk.active.job_id].entry, limits)


def announce(change: Change, desk: DeskRecord, job: Job) -> None:
    """Enter a job into what is pending; a desk without an owner waits from its first one on.

    Raises:
        Unavailable: The desk has as many as its record holds.
    """
    if len(desk.pending) >= PENDING_MAX:
        raise Unavailable(f"desk {desk.desk} has {PENDING_MAX} pending jobs; let it work first")
    desk.pending[job.id] = Pending(
        entry=entry_of(job),
        place=job.place,
        since=change.now,
        execution=new_execution_name(job.id, job.send),
    )
    if not desk.owner and desk.free_since is None:
        desk.wait_from(change.now)
    change.write_desk(desk)


async def remember_mail(
    change: Change, message_id: str, desk: Desk, thread: str, known: set[tuple[str, str]]
) -> None:
    """Note the thread of a mail, unless one is noted."""
    key = (f"mail {message_id}", desk.key)
    if key not in known and await change.table.get(key) is None:
        at = stamp(change.now)
        change.put({"pk": key[0], "sk": key[1], "thread": thread, "time_kind": MAIL, "time": at})
    known.add(key)


async def _announce(change: Change, new: NewJob) -> Job:
    desk = await change.desk_or_new(new.desk)
    place = desk.announce()
    job = Job(
        id=new.id,
        desk=new.desk,
        thread=new.thread,
        instruction=new.instruction,
        interrupt=new.interrupt,
        state=JobState.QUEUED,
        order=place,
        place=place,
        send=1,
        attempt=0,
        preemptions=0,
        given_back=0,
        submitted_at=change.now,
        origin=new.origin,
    )
    announce(change, desk, job)
    event = JobSubmitted(
        desk=new.desk.key, job_id=new.id, source=new.origin.source, thread=new.thread
    )
    change.add_job(StoredJob(job=job, listed=0), event)
    return job


async def check(table: Table, jobs: Sequence[NewJob]) -> None:
    """Look at all of a large batch before a part of it is written.

    Raises:
        Rejected: A known id belongs to another desk.
    """
    known = await table.get_all([job_key(new.id) for new in jobs])
    desks = {str(item["id"]): str(item["desk"]) for item in known.values() if is_job(item)}
    for new in jobs:
        if desks.setdefault(new.id, new.desk.key) != new.desk.key:
            raise Rejected(f"job id {new.id!r} belongs to another desk; choose another id")
