"""``/login`` and what belongs to it, as routes.

Who comes with an invitation has it behind the ``#`` of the address, which browsers send to
nobody; the script of the page puts it into the form.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, cast

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import Field

from hotdesk.web.access import Caller, Role
from hotdesk.web.dashboard import Dashboard
from hotdesk.web.entrance import LOCAL, Entrance
from hotdesk.web.problems import Refused
from hotdesk.web.records import Given
from hotdesk.web.screens.acting import acted
from hotdesk.web.screens.screen import Ask
from hotdesk.web.site import PLAIN, By, Here

LOGIN = "/login"
PUBLIC = frozenset({LOGIN, "/logout"})
HOME = "/"
URL_MAX = 2000

router = APIRouter(include_in_schema=False)


class Where(Ask):
    """Where to go afterwards."""

    next: str = Field(HOME, max_length=URL_MAX)


class Shown(Given):
    """What somebody shows to be let in: a token, the password or an invitation."""

    secret: str = Field(max_length=1000)
    next: str = Field(HOME, max_length=URL_MAX)


@router.get(LOGIN)
async def look(where: Annotated[Where, Query()], request: Request) -> Response:
    """The form; whoever is known already goes on."""
    dashboard, entrance = _parts(request)
    if entrance.logins.caller(request.headers) is not None:
        return RedirectResponse(dashboard.checked(where.next), 303)
    return HTMLResponse(
        dashboard.plain(
            "login.html", "Log in", next=where.next, has_password=entrance.password is not None
        )
    )


@router.post(LOGIN, dependencies=PLAIN)
async def log_in(shown: Annotated[Shown, Form()], request: Request, here: Here) -> Response:
    """Let somebody in, with a cookie that is new each time."""
    dashboard, entrance = _parts(request)
    address = _network(request)
    way = await entrance.way(shown.secret.strip(), address)
    if way is None:
        await here.note(Caller(name="", role=Role.VIEWER), "log-in refused", address)
        raise Refused(401, "this is not known here", hint="look for what hotdesk dashboard opens")
    entrance.logins.end(request.headers)
    secret = entrance.logins.begin(way)
    await here.note(entrance.logins.who(way), "log in", address)
    answer = acted("", to=dashboard.checked(shown.next))
    answer.headers["Set-Cookie"] = entrance.logins.cookie(request.headers, secret)
    return answer


@router.post("/logout", dependencies=PLAIN)
async def log_out(request: Request, here: Here) -> Response:
    """End the log-in of this browser, here and there."""
    _, entrance = _parts(request)
    caller = entrance.logins.end(request.headers)
    if caller is not None:
        await here.note(caller, "log out", _network(request))
    answer = acted("", to=LOGIN)
    answer.headers["Set-Cookie"] = entrance.logins.cookie(request.headers, "")
    return answer


@router.post("/invitations", status_code=201, dependencies=PLAIN)
async def invite(request: Request, by: By) -> JSONResponse:
    """Let whoever may read the file of ``up`` log a browser in."""
    if by.name != LOCAL or "authorization" not in request.headers:
        raise Refused(403, "only who runs hotdesk up invites", hint="log in with a token")
    _, entrance = _parts(request)
    return JSONResponse({"invitation": entrance.logins.invite(LOCAL)}, 201)


@router.get("/whoami", dependencies=PLAIN)
async def whoami(by: By) -> JSONResponse:
    """Who asks."""
    return JSONResponse({"name": by.name, "role": by.role})


def _parts(request: Request) -> tuple[Dashboard, Entrance]:
    state = request.app.state
    return cast("Dashboard", state.dashboard), cast("Entrance", state.entrance)


def _network(request: Request) -> str:
    """Where a request comes from; one who has an IPv6 network has all of its addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return (
        str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else host
    )
