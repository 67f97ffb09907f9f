"""``/health``: what ``hotdesk doctor`` finds, the settings in force, and who did what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from pydantic import Field
from starlette.background import BackgroundTask

from hotdesk.web import audit
from hotdesk.web.access import Caller
from hotdesk.web.doctor import Examination
from hotdesk.web.records import CURSOR_MAX
from hotdesk.web.screens.acting import acted
from hotdesk.web.screens.screen import ROWS, Ask, Screen, older
from hotdesk.web.site import By, Here, Site
from hotdesk.web.upkeep import Setting

PATH = "/health"
FRESH = timedelta(seconds=10)


class WhichHealth(Ask):
    """Whether defaults are shown, too; *before* is the end of the actions of the page before."""

    defaults: bool = False
    before: str = Field("", max_length=CURSOR_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """*since* is set while the checks are made; *older* is where more actions are."""

    title: str
    ask: WhichHealth
    since: datetime | None
    latest: Examination | None
    settings: Sequence[Setting]
    defaults: int
    actions: Sequence[audit.Action]
    older: str


async def see(here: Site, ask: WhichHealth) -> HealthView:
    """Look at what is known; nothing is checked for it."""
    actions, end = await audit.actions(here.backend, limit=ROWS, before=ask.before)
    known = here.upkeep.settings
    shown = [each for each in known if ask.defaults or not each.is_default]
    return HealthView(
        title="Health",
        ask=ask,
        since=here.upkeep.doctor.since,
        latest=here.upkeep.doctor.latest,
        settings=shown,
        defaults=sum(each.is_default for each in known),
        actions=actions,
        older=older(PATH, ask, end),
    )


SCREENS = (
    Screen(
        path=PATH, template="health.html", nav="health", ask=WhichHealth, see=see, kinds=audit.KINDS
    ),
)

actions = APIRouter(prefix=PATH, include_in_schema=False)


@actions.post("/check")
async def check(here: Here, by: By) -> object:
    """Make the checks of ``hotdesk doctor`` behind the answer; what they find is pushed."""
    doctor, now = here.upkeep.doctor, here.clock.now()
    if doctor.since is not None:
        return acted("The checks are being made already.", to=PATH)
    if doctor.latest is not None and now < doctor.latest.at + FRESH:
        return acted("That was checked just now.", to=PATH)
    answer = acted("The checks are being made.", to=PATH)
    answer.background = BackgroundTask(_examine, here, by)
    return answer


async def _examine(here: Site, by: Caller) -> None:
    await here.upkeep.doctor.examine(here.clock)
    # Noted at the end: it is what has the page shown anew.
    await here.note(by, "check", "deployment")
