"""What the routes work with: one client of one backend, and who is asking."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from hotdesk.client import Client
from hotdesk.events import ActionTaken
from hotdesk.placement import PoolLimits
from hotdesk.ports import Backend, Clock
from hotdesk.web.access import Caller
from hotdesk.web.comparing import Comparing
from hotdesk.web.feed import Feed
from hotdesk.web.metrics import Metrics
from hotdesk.web.patches import Patches
from hotdesk.web.problems import Refused
from hotdesk.web.upkeep import Upkeep


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One deployment, as the routes see it.

    ``check_project`` raises ``Rejected`` for a project that is not configured.
    """

    client: Client
    backend: Backend
    clock: Clock
    feed: Feed
    metrics: Metrics
    pool: PoolLimits
    check_project: Callable[[str], None]
    patches: Patches = field(default_factory=Patches)
    upkeep: Upkeep = field(default_factory=Upkeep)
    comparing: Comparing = field(default_factory=lambda: Comparing(PoolLimits()))

    async def note(
        self, caller: Caller, action: str, target: str, *, desk: str = "", job_id: str = ""
    ) -> None:
        """Keep in the events that *caller* did something; *desk* is a key."""
        event = ActionTaken(desk=desk, job_id=job_id, by=caller.name, action=action, target=target)
        await self.backend.record([event], now=self.clock.now())


async def _site(request: Request) -> Site:
    return cast("Site", request.app.state.site)


async def _caller(request: Request) -> Caller:
    return cast("Caller", request.state.caller)


async def _no_query(request: Request) -> None:
    """Refuse parameters where there are none: a name that is misspelled is not left out."""
    if request.query_params:
        raise Refused(422, "this takes no parameters behind a question mark")


Here = Annotated[Site, Depends(_site)]
By = Annotated[Caller, Depends(_caller)]
PLAIN = (Depends(_no_query),)
