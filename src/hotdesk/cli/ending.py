"""How a job ended, as an exit code; and following one until then."""

from collections.abc import Callable
from datetime import timedelta

from hotdesk.cli.invocation import Connected
from hotdesk.desks import Job, JobState
from hotdesk.events import StoredEvent
from hotdesk.ports import LogChunk

LOOK_AT_LEAST = timedelta(seconds=10)

EXIT_CODES = {
    JobState.SUCCEEDED: 0,
    JobState.FAILED: 10,
    JobState.DEAD: 10,
    JobState.CANCELLED: 11,
    JobState.PREEMPTED: 12,
}


async def follow(
    connected: Connected,
    job_id: str,
    *,
    on_state: Callable[[Job], None] = lambda _: None,
    on_event: Callable[[StoredEvent], None] = lambda _: None,
    on_log: Callable[[LogChunk], None] = lambda _: None,
    until_end: bool = True,
) -> Job:
    """Pass on each state, event and piece of the log of a job until it has ended.

    Without ``until_end`` only what there is now. What was written before the job ended
    has been passed on when it is returned.
    """
    mark: int | None = None
    state: JobState | None = None
    cursor, number = "", 0
    while True:
        job = await connected.client.job(job_id)
        events = await connected.backend.events(after=cursor, job_id=job_id)
        chunks = await connected.client.log(job_id, after=number)
        if job.state is not state:
            state = job.state
            on_state(job)
        for event in events:
            cursor = event.cursor
            on_event(event)
        for chunk in chunks:
            number = chunk.number
            on_log(chunk)
        if events or chunks:
            continue
        if job.state.is_ended or not until_end:
            return job
        mark = await connected.backend.changed(mark, wait=LOOK_AT_LEAST)
