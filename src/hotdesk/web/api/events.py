"""``/events``: what happens, as a stream."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import Field

from hotdesk.desks import Desk
from hotdesk.events import StoredEvent
from hotdesk.web.records import Asked, DeskName, JobId
from hotdesk.web.site import Here
from hotdesk.web.streams import DESCRIPTION, EventStream, follow_events

CURSOR_MAX = 200

router = APIRouter(prefix="/events", tags=["events"])

Last = Annotated[str | None, Header(alias="Last-Event-ID", max_length=CURSOR_MAX)]


class WhichEvents(Asked):
    """Where to begin, and which events."""

    after: str | None = Field(
        None,
        max_length=CURSOR_MAX,
        description="The cursor to go on behind; empty for the oldest event that is kept. "
        "Without it and Last-Event-ID only what is new follows.",
    )
    desk: DeskName | None = None
    job: JobId | None = None
    kind: Annotated[str, Field(pattern=r"^[A-Za-z]{1,64}$")] | None = None


@router.get(
    "",
    status_code=200,
    response_class=EventStream,
    response_model=None,
    responses={**DESCRIPTION},
)
async def events(
    which: Annotated[WhichEvents, Query()], here: Here, last: Last = None
) -> EventStream:
    """Events as they happen, without end, as server-sent events whose ids are cursors.

    A browser that comes again says with ``Last-Event-ID`` where it was, which goes before
    ``after``.
    """
    cursor = which.after if last is None else last
    if cursor is not None:
        # So that one that is not ours is told before the stream begins.
        await here.backend.events(after=cursor, limit=1)
    desk = None if which.desk is None else Desk.parse(which.desk).key

    def is_wanted(event: StoredEvent) -> bool:
        return (
            desk in (None, event.desk)
            and which.job in (None, event.job_id)
            and which.kind in (None, event.kind)
        )

    return EventStream(here.feed, follow_events(here.feed, here.backend, cursor, is_wanted))
