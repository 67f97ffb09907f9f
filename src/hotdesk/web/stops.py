"""Which job stopped which, out of their events, and which goes on with the work of which."""

from collections.abc import Iterable, Mapping, Sequence

from hotdesk.desks import InterruptPolicy, InterruptReason, Job, JobState
from hotdesk.events import StoredEvent
from hotdesk.ports import Backend

LOOKED_AT_MAX = 12
_EVENTS_AT_ONCE = 1000
_READS_MAX = 5


async def events_of(backend: Backend, job_id: str) -> list[StoredEvent]:
    """What happened to a job, oldest first; of endless attempts only the first 5,000 events."""
    found: list[StoredEvent] = []
    for _ in range(_READS_MAX):
        after = found[-1].cursor if found else ""
        more = await backend.events(after=after, job_id=job_id, limit=_EVENTS_AT_ONCE)
        found += more
        if len(more) < _EVENTS_AT_ONCE:
            break
    return found


def stopped_by(events: Iterable[StoredEvent]) -> str:
    """The id of the job that stopped this one last, out of its events; empty if none did."""
    found = ""
    for event in events:
        if event.kind == "InterruptSent" and event.details.get("reason") == InterruptReason.PREEMPT:
            found = str(event.details.get("by") or "")
    return found


async def stops(backend: Backend, jobs: Sequence[Job]) -> Mapping[str, str]:
    """Which of *jobs* was stopped by which job, both by id; only the first few are looked at."""
    found: dict[str, str] = {}
    for job in [each for each in jobs if _was_stopped(each)][:LOOKED_AT_MAX]:
        if by := stopped_by(await events_of(backend, job.id)):
            found[job.id] = by
    return found


def continued(job: Job, thread: Sequence[Job]) -> list[Job]:
    """Of the jobs of a *thread*, newest first, those that were folded into *job*; oldest first."""
    if job.interrupt is InterruptPolicy.NEVER:
        return []
    found: list[Job] = []
    for each in thread:
        if each.order >= job.order:
            continue
        if each.state is JobState.SUCCEEDED:
            break
        if each.state is JobState.PREEMPTED:
            found.append(each)
    return found[::-1]


def continuation(job: Job, thread: Sequence[Job]) -> Job | None:
    """The job of a *thread*, newest first, that goes on with the work of *job*, if one does."""
    if job.state is not JobState.PREEMPTED:
        return None
    newer = (
        each
        for each in reversed(thread)
        if each.order > job.order
        and each.interrupt is not InterruptPolicy.NEVER
        and each.state is not JobState.CANCELLED
    )
    return next(newer, None)


def _was_stopped(job: Job) -> bool:
    return bool(job.preemptions) or job.state in (JobState.PREEMPTED, JobState.RUNNING)
