"""The application: routes within gates, and errors as problems."""

import traceback
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from hotdesk.errors import HotdeskError
from hotdesk.web.access import Access, Tokens
from hotdesk.web.api import dead, desks, events, health, jobs, metrics, threads, workers
from hotdesk.web.assets import FOLDER, Assets
from hotdesk.web.bodies import Bodies
from hotdesk.web.dashboard import add_dashboard
from hotdesk.web.headers import Envelope
from hotdesk.web.hosts import Hosts
from hotdesk.web.problems import (
    DOCUMENT,
    MEDIA_TYPE,
    Mistake,
    Problem,
    Refused,
    problem,
    problem_of,
)
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
MISTAKES_MAX = 20

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
    tokens: Tokens,
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
    app.mount(FOLDER, assets)
    add_dashboard(app, assets)
    _describe(app)
    _answer_errors(app)
    _answer_bugs(app, tell)
    inner: ASGIApp = Bodies(app, json_under=PREFIX)
    inner = Access(inner, caller_of=tokens.caller, public=PUBLIC, rates=rates)
    inner = Hosts(inner, names=hosts)
    return Envelope(inner, count=site.metrics.answered)


def _describe(app: FastAPI) -> None:
    @app.get(DOCUMENT, include_in_schema=False, dependencies=PLAIN)
    async def document() -> JSONResponse:
        return JSONResponse(app.openapi())


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(HotdeskError)
    async def ours(_: Request, error: HotdeskError) -> Response:
        return problem_of(error)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return problem(error.status, error.detail, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        detail = "there is nothing here" if error.status_code == 404 else str(error.detail)  # noqa: PLR2004 - RFC 9110
        return problem(error.status_code, detail, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        mistakes = [
            Mistake(where=".".join(map(str, each["loc"])), problem=each["msg"])
            for each in found[:MISTAKES_MAX]
        ]
        told = "; ".join(f"{each.where}: {each.problem}" for each in mistakes)
        return problem(422, told, errors=mistakes)


def _answer_bugs(app: FastAPI, tell: Callable[[str], None]) -> None:
    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        # Its message may hold anything, so only the place is told.
        frames = traceback.extract_tb(error.__traceback__)
        place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        tell(f"a request failed: {type(error).__name__}{place}")
        return problem(500, "something went wrong here")
