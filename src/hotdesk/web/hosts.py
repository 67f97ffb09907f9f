"""Which names a request may call us by, and which pages it may come from.

A page on the web can make a browser of this machine send requests here. If it makes its
own name lead here (DNS rebinding), that name stands in ``Host``. If it does not, its own
name stands in ``Origin``. Addresses cannot be rebound, so they may always stand in ``Host``.
"""

from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hotdesk.web.access import SAFE
from hotdesk.web.problems import problem

HEADER = "Hotdesk-Request"
"""What a page of ours sends with everything but GET; a form of another page cannot."""


class Hosts:
    """Refuses requests for other hosts, and actions that another page asks for."""

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        """Answer to *names* beside ``localhost`` and addresses."""
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        headers = Headers(scope=scope)
        app = self._app
        if not self._is_ours(headers.getlist("host")):
            app = problem(421, "nothing of that name is served here")
        elif scope["method"] not in SAFE and not _is_same_origin(headers):
            app = problem(403, "a page of another origin asked for this")
        await app(scope, receive, send)

    def _is_ours(self, given: list[str]) -> bool:
        if len(given) != 1:
            return False
        host = _without_port(given[0]).lower()
        if host in self._names:
            return True
        try:
            return bool(ip_address(host.strip("[]")))
        except ValueError:
            return False


def _is_same_origin(headers: Headers) -> bool:
    """Whether no browser says that another page asks, and who asks can set headers.

    What a browser sends by itself (a cookie) proves nothing; a header of our own or a token
    does, because a page may not set it for another origin.
    """
    origin = headers.get("origin")
    # The scheme may differ: a proxy may have taken TLS off.
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return False
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    return "authorization" in headers or HEADER in headers


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
