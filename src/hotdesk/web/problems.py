"""What went wrong, as RFC 9457 has it: ``application/problem+json`` with the next step.

A problem never holds a secret, an instruction, or what was in the body that was refused.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from hotdesk.errors import HotdeskError, NotAllowed, NotFound, Rejected, Unavailable

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2
DETAIL_MAX = 2000
DOCUMENT = "/api/v1/openapi.json"

NEXT = {
    400: f"send one JSON object in UTF-8, as {DOCUMENT} describes it",
    401: "send a token: Authorization: Bearer TOKEN; see docs/http-api.md",
    403: "ask for a token with the role operator",
    404: "list what there is, and ask for one of those",
    405: f"see {DOCUMENT}",
    408: "send the whole request at once",
    409: "look at it as it stands, and decide anew",
    413: "send less",
    415: "send JSON, and say so: Content-Type: application/json",
    421: "name the host in [web] hosts of hotdesk.toml, or use its address",
    422: "correct what is named; the same again is refused again",
    429: "ask again after Retry-After",
    500: "look into the log of hotdesk up",
    503: "ask again after Retry-After; with the same Idempotency-Key nothing is done twice",
}


class Mistake(BaseModel, frozen=True):
    """One thing that is wrong with a request."""

    where: str = Field(description="The parameter or field, with dots.")
    problem: str


class Problem(BaseModel, frozen=True):
    """RFC 9457. ``next`` is what to do about it."""

    type: str = Field(description="urn:hotdesk:problem: and the words of the status.")
    title: str
    status: int
    detail: str
    next: str
    errors: list[Mistake] = Field(default=[], description="Everything that is wrong, if several.")


class Refused(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, hint: str = ""
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.hint = hint


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mistake] = (),
    headers: Mapping[str, str] | None = None,
    hint: str = "",
) -> JSONResponse:
    """Make the answer that says it; *hint* is what to do about it, if that is not the usual."""
    title = HTTPStatus(status).phrase
    told = Problem(
        type=f"urn:hotdesk:problem:{title.lower().replace(' ', '-')}",
        title=title,
        status=status,
        detail=detail[:DETAIL_MAX],
        next=hint or NEXT.get(status, f"see {DOCUMENT}"),
        errors=[*errors],
    )
    return JSONResponse(told.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: HotdeskError) -> JSONResponse:
    """Say an error of ours, by who can act on it, as the exit codes of the command line do."""
    match error:
        case NotFound():
            return problem(404, str(error))
        case NotAllowed():
            return problem(409, str(error))
        case Rejected():
            return problem(422, str(error))
        case Unavailable():
            return problem(503, str(error), headers={"Retry-After": str(RETRY_SECONDS)})
    return problem(500, str(error))
