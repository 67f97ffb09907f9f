"""How people come in: with a token in each request, or with a log-in, which becomes a cookie.

One logs in with a token, the password or an invitation.

The password can be guessed, so it is tried one at a time and seldom; whoever has a token or
an invitation gets in although strangers guess.
"""

import hashlib
from collections.abc import Sequence

import anyio
import anyio.to_thread
from starlette.datastructures import Headers

from hotdesk.ports import Clock
from hotdesk.web.access import Caller, Role, Token, Tokens
from hotdesk.web.logins import Failures, Logins, Way
from hotdesk.web.passwords import Password

LOCAL = "local"
"""Who acts with the token that ``up`` makes: somebody of this machine."""
OWNER = "owner"
"""Who acts with the password."""


def ways_of(tokens: Sequence[Token], password: Password | None) -> dict[str, Way]:
    """What people may log in with, by the names under which log-ins are kept."""
    ways = {way_of(each): Way(caller=each.caller, expires_on=each.expires_on) for each in tokens}
    if password is not None:
        ways[_way_of_password(password)] = Way(caller=Caller(name=OWNER, role=Role.OPERATOR))
    return ways


def way_of(token: Token) -> str:
    """What a log-in with *token* is kept under.

    Each ``up`` makes another token for its own machine; log-ins with the former ones stand.
    """
    return LOCAL if token.caller.name == LOCAL else token.digest.hex()


class Entrance:
    """The one way in."""

    def __init__(
        self,
        tokens: Tokens,
        logins: Logins,
        clock: Clock,
        *,
        password: Password | None = None,
    ) -> None:
        """Without a *password* none is taken."""
        self.logins = logins
        self.password = password
        self._tokens = tokens
        self._failures = Failures(clock)
        self._one_at_a_time = anyio.CapacityLimiter(1)

    def caller(self, headers: Headers) -> Caller | None:
        """Who sends these headers; ``None`` if they do not say.

        Raises:
            Refused: The token is wrong, or has expired.
        """
        return self._tokens.caller(headers) or self.logins.caller(headers)

    async def way(self, secret: str, address: str) -> str | None:
        """The way of whoever at *address* gives this *secret*; ``None`` if it is none.

        Raises:
            Refused: The token has expired, or too many others were wrong.
        """
        if way := self.logins.accept(secret):
            return way
        if token := self._tokens.find(secret):
            return way_of(token)
        self._failures.check(address)
        async with self._one_at_a_time:
            # Others may have failed while this one waited.
            self._failures.check(address)
            if self.password is not None:
                fits = await anyio.to_thread.run_sync(self.password.fits, secret)
                if fits:
                    return _way_of_password(self.password)
            self._failures.add(address)
        return None


def _way_of_password(password: Password) -> str:
    return "password " + hashlib.sha256(str(password).encode()).hexdigest()
