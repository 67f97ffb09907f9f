"""The screens as routes: an address is looked up, seen, rendered and put into the frame."""

from collections.abc import Sequence
from types import ModuleType
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import Field
from starlette.routing import compile_path

from hotdesk.errors import NotFound, Rejected
from hotdesk.web.access import Caller
from hotdesk.web.assets import Assets
from hotdesk.web.live import Boards
from hotdesk.web.rendering import Renderer, Shown
from hotdesk.web.screens import dead, desk, desks, health, job, jobs, overview, threads, workers
from hotdesk.web.screens.screen import Ask, Screen
from hotdesk.web.site import By, Here, Site
from hotdesk.web.streams import EventStream

MODULES: Sequence[ModuleType] = (
    overview,
    desks,
    desk,
    jobs,
    job,
    threads,
    dead,
    workers,
    health,
)
SCREENS: tuple[Screen[Any], ...] = tuple(each for module in MODULES for each in module.SCREENS)

LIVE = "/live"
HOME = "/"
URL_MAX = 2000
SEEN_MAX = 64


class Followed(Ask):
    """Which screen to follow, and what of it has been seen."""

    of: str = Field(max_length=URL_MAX)
    seen: str = Field("", max_length=SEEN_MAX)


Last = Annotated[str | None, Header(alias="Last-Event-ID", max_length=SEEN_MAX)]


class Dashboard:
    """Every screen of one deployment."""

    def __init__(
        self, here: Site, assets: Assets, screens: Sequence[Screen[Any]] = SCREENS
    ) -> None:
        """Of *screens* the first one that an address fits is meant."""
        self._renderer = Renderer(assets)
        self._screens = [(compile_path(screen.path), screen) for screen in screens]
        self.boards = Boards(here, self._renderer)

    def find(self, url: str) -> tuple[Screen[Any], Ask]:
        """The screen that *url*, a path with its query, leads to, and what it is asked.

        Raises:
            NotFound: There is none.
            Rejected: It cannot be asked that.
        """
        missing = NotFound("screen", url[:80])
        if not url.startswith("/") or url.startswith("//"):
            raise missing
        try:
            parts = urlsplit(url)
        except ValueError:
            raise missing from None
        path = unquote(parts.path)
        for (pattern, _, convertors), screen in self._screens:
            if found := pattern.match(path):
                place = {
                    name: convertors[name].convert(value)
                    for name, value in found.groupdict().items()
                }
                return screen, screen.asked(place, parse_qsl(parts.query, keep_blank_values=True))
        raise missing

    def checked(self, url: str) -> str:
        """The address of a screen, which *url* may be: nothing else is gone to."""
        try:
            self.find(url)
        except Rejected:
            return HOME
        # A browser would take out a line end, or turn a backslash around, and go elsewhere.
        return quote(url, safe="/?&=%:@+,;~")

    def plain(
        self, template: str, title: str, caller: Caller | None = None, **known: object
    ) -> str:
        """A page that is no screen and does not change."""
        html = self._renderer.part(template, title=title, **known)
        return self._renderer.page(Shown(title=title, html=html), nav="", caller=caller)

    async def page(self, url: str, caller: Caller) -> str:
        """The screen at *url* as it stands.

        Raises:
            HotdeskError: There is none, or what it raises itself.
        """
        screen, ask = self.find(url)
        rendering = await self.boards.render(screen, ask, caller.role)
        return self._renderer.page(
            rendering.shown,
            nav=screen.nav,
            caller=caller,
            stream=f"{LIVE}?of={quote(url, safe='')}",
            seen=rendering.digest,
            dead=rendering.dead,
        )


def add_dashboard(
    app: FastAPI, dashboard: Dashboard, screens: Sequence[Screen[Any]] = SCREENS
) -> None:
    """Add the routes of the screens, and of what can be done on them."""

    async def page(request: Request, by: By) -> HTMLResponse:
        return HTMLResponse(await dashboard.page(url_of(request), by))

    for screen in screens:
        app.add_api_route(screen.path, page, include_in_schema=False)
    for module in MODULES:
        if actions := getattr(module, "actions", None):
            app.include_router(actions)

    @app.get(LIVE, include_in_schema=False, response_class=EventStream, response_model=None)
    async def live(
        followed: Annotated[Followed, Query()],
        request: Request,
        here: Here,
        by: By,
        last: Last = None,
    ) -> EventStream:
        screen, ask = dashboard.find(followed.of)
        content = dashboard.boards.follow(
            screen,
            ask,
            by.role,
            seen=followed.seen if last is None else last,
            is_admitted=request.state.is_admitted,
        )
        return EventStream(here.feed, content)


def url_of(request: Request) -> str:
    """The path of a request with its query, as an address."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
