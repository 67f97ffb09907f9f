"""``/jobs``: submit, look, read the output, cancel, retry and interrupt."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, Origin
from hotdesk.errors import NotAllowed
from hotdesk.web.paging import place_in, shown_page
from hotdesk.web.records import (
    Asked,
    DeskName,
    Given,
    Instruction,
    JobId,
    JobRecord,
    LogRecord,
    Name,
    PageRecord,
    SubmittedRecord,
    Turned,
)
from hotdesk.web.site import PLAIN, By, Here, Site
from hotdesk.web.streams import DESCRIPTION, EventStream, follow_log

CHUNKS_MAX = 1000
# Chunks are read by tens until this much text is together: one may be as large as a pipe.
CHARACTERS_MAX = 1_000_000
CHUNKS_AT_ONCE = 10

router = APIRouter(prefix="/jobs", tags=["jobs"])

Key = Annotated[
    JobId | None,
    Header(
        alias="Idempotency-Key",
        description="The id that the job will have: the same request again changes nothing.",
    ),
]


LastChunk = Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=2**53)]


class NewJob(Given):
    """An instruction for a desk. Without a thread a new conversation begins."""

    desk: DeskName
    instruction: Instruction
    thread: Name | None = None
    interrupt: Annotated[InterruptPolicy | None, Field(strict=False)] = None


class Correction(Given):
    """What an interrupted job is continued with."""

    instruction: Instruction


class WhichJobs(Turned):
    """Which jobs to list."""

    desk: DeskName | None = None
    thread: Name | None = None
    state: JobState | None = None


class WhichChunks(Asked):
    """Which pieces of the output."""

    after: int = Field(0, ge=0, le=2**53)
    limit: int = Field(CHUNKS_MAX, ge=1, le=CHUNKS_MAX)


class Behind(Asked):
    """Where a stream begins; what a browser that comes again says goes before it."""

    after: int = Field(0, ge=0, le=2**53)


class LogPage(BaseModel):
    """A part of the output; the next one is behind ``after``.

    There is no more if neither ``has_more`` nor a job that has not ended says so.
    """

    items: list[LogRecord]
    after: int
    has_more: bool
    is_ended: bool


@router.post("", status_code=201, dependencies=PLAIN)
async def submit(
    new: NewJob, here: Here, by: By, response: Response, key: Key = None
) -> SubmittedRecord:
    """Submit one instruction; the job is durable with the answer."""
    desk = Desk.parse(new.desk)
    here.check_project(desk.project)
    job = await here.client.submit(
        desk,
        new.instruction,
        thread=new.thread,
        id=key,
        interrupt=new.interrupt,
        origin=Origin(source="http"),
    )
    if job.instruction != new.instruction or new.thread not in (None, job.thread):
        raise NotAllowed(
            f"the Idempotency-Key {job.id} belongs to another instruction; take a new one"
        )
    await here.note(by, "submit", job.id, desk=desk.key, job_id=job.id)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return SubmittedRecord.of(job, await _position(here, job))


@router.get("")
async def jobs(which: Annotated[WhichJobs, Query()], here: Here) -> PageRecord[JobRecord]:
    """List jobs, newest first."""
    asked = ("jobs", which.desk, which.thread, which.state)
    found = await here.client.jobs(
        which.desk,
        thread=which.thread,
        state=which.state,
        limit=which.limit,
        before=place_in(which.cursor, asked),
    )
    return shown_page(found, asked, JobRecord.brief)


@router.get("/{job_id}", dependencies=PLAIN)
async def job(job_id: JobId, here: Here) -> JobRecord:
    """One job."""
    return JobRecord.of(await here.client.job(job_id))


@router.get("/{job_id}/log")
async def log(job_id: JobId, which: Annotated[WhichChunks, Query()], here: Here) -> LogPage:
    """The output of a job behind the chunk number ``after``."""
    # Asked first, so that nothing is missing from the output of one that has ended.
    is_ended = (await here.client.job(job_id)).state.is_ended
    chunks: list[LogRecord] = []
    length, after, has_more = 0, which.after, True
    while has_more and length < CHARACTERS_MAX and len(chunks) < which.limit:
        limit = min(CHUNKS_AT_ONCE, which.limit - len(chunks))
        found = await here.client.log(job_id, after=after, limit=limit)
        chunks += [LogRecord.of(chunk) for chunk in found]
        length += sum(len(chunk.text) for chunk in found)
        after = chunks[-1].number if chunks else after
        has_more = len(found) == limit
    return LogPage(items=chunks, after=after, has_more=has_more, is_ended=is_ended)


@router.get(
    "/{job_id}/log/stream",
    status_code=200,
    response_class=EventStream,
    response_model=None,
    responses={**DESCRIPTION},
)
async def log_stream(
    job_id: JobId, which: Annotated[Behind, Query()], here: Here, last: LastChunk = None
) -> EventStream:
    """The output as it comes, as server-sent ``log`` events, until the job has ended.

    The id of each is the number of its chunk; the last event is ``end``, with the state.
    """
    await here.client.job(job_id)
    content = follow_log(here.feed, here.client, here.clock, job_id, last or which.after)
    return EventStream(here.feed, content)


@router.post("/{job_id}/cancel", dependencies=PLAIN)
async def cancel(job_id: JobId, here: Here, by: By) -> JobRecord:
    """End a queued job now, or ask its worker to stop it."""
    found = await here.client.cancel(job_id)
    await here.note(by, "cancel", found.id, desk=found.desk.key, job_id=found.id)
    return JobRecord.of(found)


@router.post("/{job_id}/retry", dependencies=PLAIN)
async def retry(job_id: JobId, here: Here, by: By) -> JobRecord:
    """Send a job again that failed, died, was cancelled or preempted."""
    found = await here.client.retry(job_id)
    await here.note(by, "retry", found.id, desk=found.desk.key, job_id=found.id)
    return JobRecord.of(found)


@router.post("/{job_id}/interrupt", status_code=201, dependencies=PLAIN)
async def interrupt(  # noqa: PLR0917 - FastAPI passes them by name
    job_id: JobId, new: Correction, here: Here, by: By, response: Response, key: Key = None
) -> SubmittedRecord:
    """Correct a job: a new one in its thread, which stops and continues it.

    If the job has ended, the new one follows it.
    """
    former = await here.client.job(job_id)
    found = await here.client.submit(
        former.desk,
        new.instruction,
        thread=former.thread,
        id=key,
        interrupt="thread",
        origin=Origin(source="http"),
    )
    if (found.instruction, found.thread) != (new.instruction, former.thread):
        raise NotAllowed(
            f"the Idempotency-Key {found.id} belongs to another instruction; take a new one"
        )
    await here.note(by, "interrupt", job_id, desk=found.desk.key, job_id=found.id)
    response.headers["Location"] = f"/api/v1/jobs/{found.id}"
    return SubmittedRecord.of(found, await _position(here, found))


async def _position(here: Site, job: Job) -> int | None:
    return None if job.state.is_ended else await here.client.position(job)
