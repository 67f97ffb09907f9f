"""The screens as routes: an address is looked up, seen, rendered and put into the frame."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.routing import compile_path

from hotdesk.errors import NotFound
from hotdesk.web.assets import Assets
from hotdesk.web.rendering import Renderer
from hotdesk.web.screens import desks, jobs
from hotdesk.web.screens.screen import Ask, Screen
from hotdesk.web.site import By, Here

MODULES: Sequence[ModuleType] = (desks, jobs)
SCREENS: tuple[Screen[Any], ...] = tuple(each for module in MODULES for each in module.SCREENS)


class Screens:
    """The screens by their addresses."""

    def __init__(self, screens: Sequence[Screen[Any]] = SCREENS) -> None:
        """The first one that an address fits is meant."""
        self._screens = [(compile_path(screen.path), screen) for screen in screens]

    def find(self, url: str) -> tuple[Screen[Any], Ask]:
        """The screen that *url*, a path with its query, leads to, and what it is asked.

        Raises:
            NotFound: There is none.
            Rejected: It cannot be asked that.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise NotFound("screen", url[:80]) from None
        path = unquote(parts.path)
        if url.startswith("/") and not url.startswith("//"):
            for (pattern, _, convertors), screen in self._screens:
                if found := pattern.match(path):
                    place = {
                        name: convertors[name].convert(value)
                        for name, value in found.groupdict().items()
                    }
                    query = parse_qsl(parts.query, keep_blank_values=True)
                    return screen, screen.asked(place, query)
        raise NotFound("screen", url[:80])


def add_dashboard(app: FastAPI, assets: Assets) -> None:
    """Add the screens, and what can be done on them."""
    renderer, screens = Renderer(assets), Screens()

    async def page(request: Request, here: Here, by: By) -> HTMLResponse:
        url = request.url.path
        if request.url.query:
            url += f"?{request.url.query}"
        screen, ask = screens.find(url)
        view = await screen.see(here, ask)
        shown = renderer.shown(screen.template, view, by.role, here.clock.now())
        stream = f"/live?of={quote(url, safe='')}"
        return HTMLResponse(
            renderer.page(shown, nav=screen.nav, caller=by, stream=stream, seen="", dead="")
        )

    for screen in SCREENS:
        app.add_api_route(screen.path, page, include_in_schema=False)
    for module in MODULES:
        if actions := getattr(module, "actions", None):
            app.include_router(actions)
