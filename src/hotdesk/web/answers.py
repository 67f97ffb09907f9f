"""Errors as answers: a page for people who look, a problem for everybody else."""

import traceback
from collections.abc import Callable
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from hotdesk.errors import HotdeskError
from hotdesk.web.access import Caller, wants_page
from hotdesk.web.dashboard import Dashboard, url_of
from hotdesk.web.problems import Mistake, Problem, Refused, problem, problem_of

MISTAKES_MAX = 20
HINTS = {
    404: "It may have been removed, or its address was mistyped. The lists show what there is.",
    422: "Something in the address cannot be used. Choose from the list instead.",
    503: "It may be tried again in a moment.",
}
AGAIN = frozenset({429, 503})


def answer_errors(app: FastAPI, dashboard: Dashboard, tell: Callable[[str], None]) -> None:
    """Add what answers errors. ``tell`` is told of bugs, in a sentence."""

    def told(request: Request, answer: JSONResponse) -> Response:
        if not wants_page(request.scope):
            return answer
        found = Problem.model_validate_json(bytes(answer.body))
        html = dashboard.plain(
            "problem.html",
            found.title,
            cast("Caller | None", getattr(request.state, "caller", None)),
            detail=found.detail[:1].upper() + found.detail[1:] + ".",
            hint=HINTS.get(found.status, ""),
            again=url_of(request) if found.status in AGAIN else "",
        )
        headers = {"Retry-After": each} if (each := answer.headers.get("retry-after")) else None
        return HTMLResponse(html, found.status, headers=headers)

    @app.exception_handler(HotdeskError)
    async def ours(request: Request, error: HotdeskError) -> Response:
        return told(request, problem_of(error))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        answer = problem(error.status, error.detail, headers=error.headers, hint=error.hint)
        return told(request, answer)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        detail = "there is nothing here" if error.status_code == 404 else str(error.detail)  # noqa: PLR2004 - RFC 9110
        return told(request, problem(error.status_code, detail, headers=error.headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        mistakes = [
            Mistake(where=".".join(map(str, each["loc"])), problem=each["msg"])
            for each in found[:MISTAKES_MAX]
        ]
        detail = "; ".join(f"{each.where}: {each.problem}" for each in mistakes)
        return told(request, problem(422, detail, errors=mistakes))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # Its message may hold anything, so only the place is told.
        frames = traceback.extract_tb(error.__traceback__)
        place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        tell(f"a request failed: {type(error).__name__}{place}")
        return told(request, problem(500, "something went wrong here"))
