"""Who asks, and what they may do: tokens are compared by their digests, never kept or shown.

There is one rule for all routes, so that none can forget it: who looks (GET) needs to be
known, and everything else is for operators. A browser that is not known is led to the log-in.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hotdesk.ports import Clock
from hotdesk.web.problems import Refused, problem
from hotdesk.web.rates import Rates

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# For those whose token is not one of ours: they are told less often than they can ask.
STRANGERS = "strangers"


class Role(StrEnum):
    """What a token is for."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody known. ``name`` stands in the events of what they do."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept: the SHA-256 of it, which is as good as 16 random bytes are.

    It is taken up to the end of the day ``expires_on``, in UTC.
    """

    caller: Caller
    digest: bytes
    expires_on: date | None = None


def wants_page(scope: Scope) -> bool:
    """Whether a browser goes there, to show what it gets."""
    return scope["method"] in SAFE and "text/html" in Headers(scope=scope).get("accept", "")


def digest_of(secret: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


class Tokens:
    """The tokens of one deployment."""

    def __init__(self, tokens: Sequence[Token], clock: Clock) -> None:
        """Take each of *tokens*."""
        self._tokens = tokens
        self._clock = clock

    def caller(self, headers: Headers) -> Caller | None:
        """Who sends these headers; ``None`` if they do not say.

        Raises:
            Refused: The token is wrong, or has expired.
        """
        given = headers.getlist("authorization")
        if not given:
            return None
        scheme, _, secret = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or not secret.strip():
            raise Refused(401, "the Authorization header is not of the form: Bearer TOKEN")
        token = self.find(secret.strip())
        if token is None:
            raise Refused(401, "this token is not known here")
        return token.caller

    def find(self, secret: str) -> Token | None:
        """The token that *secret* is, if it is one.

        Raises:
            Refused: It has expired.
        """
        digest = digest_of(secret)
        # All of them each time: how long it takes says nothing of which one was close.
        found = [each for each in self._tokens if hmac.compare_digest(each.digest, digest)]
        if not found:
            return None
        [token] = found
        if token.expires_on is not None and self._clock.now().date() > token.expires_on:
            raise Refused(401, f"this token has expired, on {token.expires_on}")
        return token


class Access:
    """Lets through who is known and may do it; puts the caller into the state of the request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        caller_of: Callable[[Headers], Caller | None],
        public: Collection[str],
        folder: str,
        login: str,
        rates: Rates,
    ) -> None:
        """Requests for the paths *public* and below *folder* need no caller.

        *rates* bound the others. Pages that are not for strangers lead to *login*.
        """
        self._app = app
        self._caller_of = caller_of
        self._public = public
        self._folder = f"{folder}/"
        self._login = login
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["path"] in self._public or scope["path"].startswith(self._folder):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = self._admit(scope, headers)
        except Refused as refused:
            is_unknown = refused.status == HTTPStatus.UNAUTHORIZED
            if is_unknown and wants_page(scope) and "authorization" not in headers:
                await self._lead_to_login(scope, receive, send)
                return
            told = dict(refused.headers or {})
            if is_unknown:
                told["WWW-Authenticate"] = "Bearer"
            answer = problem(refused.status, refused.detail, headers=told)
            await answer(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["caller"] = caller
        state["is_admitted"] = lambda: self._is_still(caller, headers)
        await self._app(scope, receive, send)

    async def _lead_to_login(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        wanted = quote(scope["path"]) + (f"?{query}" if query else "")
        answer = RedirectResponse(f"{self._login}?{urlencode({'next': wanted})}", 303)
        await answer(scope, receive, send)

    def _is_still(self, caller: Caller, headers: Headers) -> bool:
        """Whether who was let in would be let in now: streams last long."""
        try:
            return self._caller_of(headers) == caller
        except Refused:
            return False

    def _admit(self, scope: Scope, headers: Headers) -> Caller:
        try:
            caller = self._caller_of(headers)
        except Refused:
            self._rates.spend(STRANGERS)
            raise
        if caller is None:
            self._rates.spend(STRANGERS)
            raise Refused(401, "this needs a token")
        self._rates.spend(f"caller {caller.name}")
        if scope["method"] not in SAFE and caller.role is not Role.OPERATOR:
            raise Refused(403, f"the token {caller.name} may look, not act")
        return caller
