"""``/dead``: look at dead letters, and retry or discard them, many at once."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from anyio.lowlevel import checkpoint
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hotdesk.desks import Job, JobState
from hotdesk.errors import NotAllowed, Rejected
from hotdesk.web.access import Caller
from hotdesk.web.api.threads import OfDesk
from hotdesk.web.paging import place_in, shown_page
from hotdesk.web.records import Given, JobId, JobRecord, PageRecord
from hotdesk.web.site import PLAIN, By, Here, Site

AT_ONCE_MAX = 200

router = APIRouter(prefix="/dead", tags=["dead letters"])


class Letters(Given):
    """The jobs that something is done to, dead or failed."""

    jobs: Annotated[list[JobId], Field(min_length=1, max_length=AT_ONCE_MAX)]


class NotDone(BaseModel):
    """A job to which it was not done, and why."""

    job: str
    problem: str


class Outcome(BaseModel):
    """To which jobs it was done, and to which not."""

    done: list[str]
    refused: list[NotDone]


@router.get("")
async def dead(which: Annotated[OfDesk, Query()], here: Here) -> PageRecord[JobRecord]:
    """List the jobs whose attempts are used up, newest first."""
    asked = ("dead", which.desk)
    found = await here.client.jobs(
        which.desk,
        state=JobState.DEAD,
        limit=which.limit,
        before=place_in(which.cursor, asked),
    )
    return shown_page(found, asked, JobRecord.brief)


@router.post("/retry", dependencies=PLAIN)
async def retry(letters: Letters, here: Here, by: By) -> Outcome:
    """Send them again, with their attempts at zero."""
    return await _each(letters, here, by, "retry", here.client.retry)


@router.post("/discard", dependencies=PLAIN)
async def discard(letters: Letters, here: Here, by: By) -> Outcome:
    """Remove them for good."""
    return await _each(letters, here, by, "discard", here.client.discard)


async def _each(
    letters: Letters, here: Site, by: Caller, action: str, once: Callable[[str], Awaitable[object]]
) -> Outcome:
    done: list[str] = []
    refused: list[NotDone] = []
    for job_id in dict.fromkeys(letters.jobs):
        try:
            job = await letter(here, job_id)
            await once(job_id)
        except Rejected as error:
            refused.append(NotDone(job=job_id, problem=str(error)))
        else:
            await here.note(by, action, job_id, desk=job.desk.key, job_id=job_id)
            done.append(job_id)
        # Each is a commit; others are served between two of them.
        await checkpoint()
    return Outcome(done=done, refused=refused)


async def letter(here: Site, job_id: str) -> Job:
    """A job that is one, dead or failed.

    Raises:
        NotFound: There is no such job.
        NotAllowed: It is none.
    """
    job = await here.client.job(job_id)
    if job.state not in (JobState.DEAD, JobState.FAILED):
        raise NotAllowed(f"job {job_id} is {job.state}, no dead letter")
    return job
