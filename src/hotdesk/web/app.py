"""The application: routes within gates, and errors as problems."""

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from hotdesk.web import login
from hotdesk.web.access import Access
from hotdesk.web.answers import answer_errors
from hotdesk.web.api import dead, desks, events, health, jobs, metrics, threads, workers
from hotdesk.web.assets import FOLDER, Assets
from hotdesk.web.bodies import Bodies
from hotdesk.web.dashboard import Dashboard, add_dashboard
from hotdesk.web.entrance import Entrance
from hotdesk.web.headers import Envelope
from hotdesk.web.hosts import Hosts
from hotdesk.web.problems import DOCUMENT, MEDIA_TYPE, Problem
from hotdesk.web.rates import Rates
from hotdesk.web.site import PLAIN, Site

PREFIX = "/api/v1"
PUBLIC = frozenset({"/livez", "/readyz"})
ROUTERS = (
    jobs.router,
    events.router,
    desks.router,
    workers.router,
    threads.router,
    threads.held,
    dead.router,
    health.router,
)

# What every route may answer; 5xx are not promised, and stand here because they are problems too.
ANSWERS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": what, "content": {MEDIA_TYPE: {}}}
    for status, what in {
        400: "The body is not strict JSON.",
        401: "There is no token, or not one that is taken here.",
        403: "The token may not do this.",
        404: "There is nothing of that name.",
        409: "Its state forbids this.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "Something about the request is not usable.",
        429: "Too many requests.",
        503: "It may be tried again.",
    }.items()
}


def make_app(
    site: Site,
    entrance: Entrance,
    *,
    hosts: Collection[str],
    rates: Rates,
    tell: Callable[[str], None],
) -> ASGIApp:
    """Make the whole of it. ``tell`` is told of bugs, in a sentence."""
    app = FastAPI(
        title="Hotdesk",
        version=version("hotdesk"),
        summary="One warm pool of agent workers for every project and user.",
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.site = site
    for outer in (health.public, metrics.router):
        app.include_router(outer)
    api = APIRouter(prefix=PREFIX, responses={**ANSWERS})
    for router in ROUTERS:
        api.include_router(router)
    app.include_router(api)
    assets = Assets()
    dashboard = Dashboard(site, assets)
    app.state.dashboard, app.state.entrance = dashboard, entrance
    app.mount(FOLDER, assets)
    app.include_router(login.router)
    add_dashboard(app, dashboard)
    _describe(app)
    answer_errors(app, dashboard, tell)
    inner: ASGIApp = Bodies(app, json_under=PREFIX, strangers=login.PUBLIC)
    inner = Access(
        inner,
        caller_of=entrance.caller,
        public=PUBLIC | login.PUBLIC,
        folder=FOLDER,
        login=login.LOGIN,
        rates=rates,
    )
    inner = Hosts(inner, names=hosts)
    return Envelope(inner, count=site.metrics.answered)


def _describe(app: FastAPI) -> None:
    @app.get(DOCUMENT, include_in_schema=False, dependencies=PLAIN)
    async def document() -> JSONResponse:
        return JSONResponse(app.openapi())
