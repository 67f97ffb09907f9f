"""``/threads`` and ``/held``: conversations, and mails that wait for a word."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from hotdesk.desks import Desk
from hotdesk.errors import NotFound
from hotdesk.web.access import Caller
from hotdesk.web.paging import place_in, shown_page
from hotdesk.web.records import (
    LIMIT,
    LIMIT_MAX,
    TEXT_MAX,
    Asked,
    DeskName,
    HeldRecord,
    JobId,
    JobRecord,
    Listing,
    Name,
    PageRecord,
    ThreadRecord,
    Turned,
)
from hotdesk.web.site import PLAIN, By, Here

router = APIRouter(prefix="/threads", tags=["threads"])
held = APIRouter(prefix="/held", tags=["threads"])


class OfDesk(Turned):
    """Of which desk to list."""

    desk: DeskName | None = None


class WhichHeld(Asked):
    """Of which desk to list, and how many."""

    desk: DeskName | None = None
    limit: int = Field(LIMIT, ge=1, le=LIMIT_MAX)


@router.get("")
async def threads(which: Annotated[OfDesk, Query()], here: Here) -> PageRecord[ThreadRecord]:
    """List conversations, the latest first."""
    asked = ("threads", which.desk)
    found = await here.client.threads(
        which.desk, limit=which.limit, before=place_in(which.cursor, asked)
    )
    return shown_page(found, asked, ThreadRecord.of)


@router.get("/{project}/{user}/{thread}")
async def thread(
    project: Name, user: Name, thread: Name, which: Annotated[Turned, Query()], here: Here
) -> PageRecord[JobRecord]:
    """The jobs of one conversation, newest first."""
    desk = str(Desk(project, user))
    asked = ("thread", desk, thread)
    found = await here.client.jobs(
        desk, thread=thread, limit=which.limit, before=place_in(which.cursor, asked)
    )
    if not found and not found.next and which.cursor is None:
        raise NotFound("thread", f"{desk} {thread}")
    return shown_page(found, asked, JobRecord.brief)


@held.get("")
async def held_jobs(which: Annotated[WhichHeld, Query()], here: Here) -> Listing[HeldRecord]:
    """List what waits for approval, oldest first."""
    found = await here.client.held(which.desk, limit=which.limit + 1)
    return Listing.of([HeldRecord.of(each, text_max=TEXT_MAX) for each in found], which.limit)


@held.get("/{job_id}", dependencies=PLAIN)
async def held_job(job_id: JobId, here: Here) -> HeldRecord:
    """One mail that waits."""
    return HeldRecord.of(await here.client.held_job(job_id))


@held.post("/{job_id}/approve", dependencies=PLAIN)
async def approve(job_id: JobId, here: Here, by: By) -> JobRecord:
    """Let it become a job."""
    return JobRecord.of(await here.client.approve(job_id, by=_name(by)))


@held.post("/{job_id}/drop", status_code=204, dependencies=PLAIN)
async def drop(job_id: JobId, here: Here, by: By) -> None:
    """Forget it."""
    await here.client.drop_held(job_id, by=_name(by))


def _name(by: Caller) -> str:
    """Who decided, told apart from the accounts of machines that the command line names."""
    return f"{by.name}@http"
