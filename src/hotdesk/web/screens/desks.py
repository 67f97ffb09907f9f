"""``/desks``: every desk, those with a worker or with jobs first."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from hotdesk.desks import DeskStatus
from hotdesk.web.records import CURSOR_MAX
from hotdesk.web.screens.screen import ROWS, Ask, Screen, older
from hotdesk.web.site import Site

PATH = "/desks"


class WhichDesks(Ask):
    """Which desks; *before* is the end of the page in front of this one."""

    waiting: bool = False
    before: str = Field("", max_length=CURSOR_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesksView:
    """A page of desks; *older* is the address of the next one."""

    title: str
    desks: Sequence[DeskStatus]
    ask: WhichDesks
    older: str


async def see(here: Site, ask: WhichDesks) -> DesksView:
    """Look at one page of them."""
    found = await here.client.desks(waiting=ask.waiting, limit=ROWS, before=ask.before)
    return DesksView(title="Desks", desks=found, ask=ask, older=older(PATH, ask, found.next))


SCREENS = (Screen(path=PATH, template="desks.html", nav="desks", ask=WhichDesks, see=see),)
