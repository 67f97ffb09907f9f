"""``/desks``: look, pause, resume and release."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from hotdesk.desks import Desk
from hotdesk.web.access import Caller
from hotdesk.web.paging import place_in, shown_page
from hotdesk.web.records import (
    LIMIT,
    LIMIT_MAX,
    Asked,
    DeskRecord,
    JobRecord,
    Listing,
    Name,
    PageRecord,
    Turned,
)
from hotdesk.web.site import PLAIN, By, Here, Site

router = APIRouter(prefix="/desks", tags=["desks"])


class WhichDesks(Turned):
    """Which desks to list."""

    waiting: bool = False


class HowMany(Asked):
    """How many to list."""

    limit: int = Field(LIMIT, ge=1, le=LIMIT_MAX)


@router.get("")
async def desks(which: Annotated[WhichDesks, Query()], here: Here) -> PageRecord[DeskRecord]:
    """List desks: those with an owner or jobs first, or only the waiting ones."""
    asked = ("desks", which.waiting)
    found = await here.client.desks(
        waiting=which.waiting, limit=which.limit, before=place_in(which.cursor, asked)
    )
    return shown_page(found, asked, DeskRecord.of)


@router.get("/{project}/{user}", dependencies=PLAIN)
async def desk(project: Name, user: Name, here: Here) -> DeskRecord:
    """One desk."""
    return await _shown(here, Desk(project, user))


@router.get("/{project}/{user}/queue")
async def queue(
    project: Name, user: Name, which: Annotated[HowMany, Query()], here: Here
) -> Listing[JobRecord]:
    """The pending jobs in the order of their hand-over, the running one first."""
    found = await here.client.queue(str(Desk(project, user)), limit=which.limit + 1)
    return Listing.of([JobRecord.brief(each) for each in found], which.limit)


@router.post("/{project}/{user}/pause", dependencies=PLAIN)
async def pause(project: Name, user: Name, here: Here, by: By) -> DeskRecord:
    """Stop serving the desk once its running job is over."""
    desk = Desk(project, user)
    here.check_project(project)
    await here.client.pause(str(desk))
    return await _done(here, by, "pause", desk)


@router.post("/{project}/{user}/resume", dependencies=PLAIN)
async def resume(project: Name, user: Name, here: Here, by: By) -> DeskRecord:
    """Serve a paused desk again."""
    desk = Desk(project, user)
    await here.client.resume(str(desk))
    return await _done(here, by, "resume", desk)


@router.post("/{project}/{user}/release", dependencies=PLAIN)
async def release(project: Name, user: Name, here: Here, by: By) -> DeskRecord:
    """Ask the owner to leave the desk after its running job."""
    desk = Desk(project, user)
    await here.client.ask_release(str(desk))
    return await _done(here, by, "release", desk)


async def _done(here: Site, by: Caller, action: str, desk: Desk) -> DeskRecord:
    await here.note(by, action, str(desk), desk=desk.key)
    return await _shown(here, desk)


async def _shown(here: Site, desk: Desk) -> DeskRecord:
    return DeskRecord.of(await here.client.desk(str(desk)))
