"""Browsers that are logged in.

A browser holds 32 random bytes in a cookie; kept is their digest, in a file that only its
owner may read, so that a log-in outlives a restart and ends with a log-out. What a browser may
do stands nowhere: each log-in names the secret that it was made with, and ends with that.
"""

import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from hotdesk.ports import Clock
from hotdesk.web.access import Caller, digest_of
from hotdesk.web.door import write_private
from hotdesk.web.problems import Refused

FILE = "web-logins.json"
LASTS = timedelta(days=7)
LOGINS_MAX = 1000
INVITATIONS_MAX = 100
INVITATION_SECONDS = 60.0
FAILED_MAX = 5
FAILED_IN_ALL_MAX = 60
MINUTE = 60.0
ADDRESSES_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A secret that people log in with: who they are then, and until when it is taken."""

    caller: Caller
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One browser. ``way`` names its secret, ``ends_at`` is in seconds since 1970."""

    digest: str
    way: str
    ends_at: float


class Logins:
    """All of them."""

    def __init__(
        self,
        ways: Mapping[str, Way],
        clock: Clock,
        *,
        file: Path | None = None,
        is_https: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Read what is in *file*. ``tell`` is told, in a sentence, if it cannot be written."""
        self._ways = ways
        self._clock = clock
        self._file = file
        self._tell = tell
        self._logins = {each.digest: each for each in _read(file)}
        self._invitations: dict[str, tuple[str, float]] = {}
        self.is_https = is_https

    def begin(self, way: str) -> str:
        """Log a browser in; gives what its cookie holds."""
        secret = secrets.token_urlsafe(32)
        now = self._clock.now()
        while len(self._logins) >= LOGINS_MAX:
            del self._logins[next(iter(self._logins))]
        login = Login(digest=_digest(secret), way=way, ends_at=(now + LASTS).timestamp())
        self._logins[login.digest] = login
        self._write(now)
        return secret

    def end(self, headers: Headers) -> Caller | None:
        """Log a browser out; gives who it was."""
        caller = self.caller(headers)
        if self._logins.pop(_digest(self._secret(headers)), None):
            self._write(self._clock.now())
        return caller

    def caller(self, headers: Headers) -> Caller | None:
        """Who sends these headers; ``None`` if they are not logged in, or not any more."""
        login = self._logins.get(_digest(self._secret(headers)))
        if login is None:
            return None
        now = self._clock.now()
        way = self._ways.get(login.way)
        if way is None or now.timestamp() >= login.ends_at:
            return None
        if way.expires_on is not None and now.date() > way.expires_on:
            return None
        return way.caller

    def who(self, way: str) -> Caller:
        """Who logs in that way."""
        return self._ways[way].caller

    def invite(self, way: str) -> str:
        """Let somebody in once, within a minute, who has what this returns."""
        secret = secrets.token_urlsafe(32)
        while len(self._invitations) >= INVITATIONS_MAX:
            del self._invitations[next(iter(self._invitations))]
        ends = self._clock.monotonic() + INVITATION_SECONDS
        self._invitations[_digest(secret)] = (way, ends)
        return secret

    def accept(self, invitation: str) -> str | None:
        """The way of an *invitation*, which is used up; ``None`` if it is none."""
        way, ends = self._invitations.pop(_digest(invitation), ("", 0.0))
        return way if way and self._clock.monotonic() < ends else None

    def cookie(self, headers: Headers, secret: str) -> str:
        """The header that sets the cookie; without a *secret* it removes it."""
        last = int(LASTS.total_seconds()) if secret else 0
        secure = "; Secure" if self.is_https else ""
        name = self._cookie_name(headers)
        return f"{name}={secret}; Path=/; Max-Age={last}; HttpOnly; SameSite=Strict{secure}"

    def _cookie_name(self, headers: Headers) -> str:
        """Cookies know no ports, so two deployments on one machine need names of their own."""
        if self.is_https:
            # Browsers take a name that begins so only from this host, and only by TLS.
            return "__Host-hotdesk"
        port = headers.get("host", "").rpartition(":")[2]
        return f"hotdesk-{port}" if port.isdigit() else "hotdesk"

    def _secret(self, headers: Headers) -> str:
        given = [cookie_parser(each) for each in headers.getlist("cookie")]
        name = self._cookie_name(headers)
        return next((each[name] for each in given if name in each), "")

    def _write(self, now: datetime) -> None:
        if self._file is None:
            return
        alive = [each for each in self._logins.values() if each.ends_at > now.timestamp()]
        self._logins = {each.digest: each for each in alive}
        try:
            write_private(self._file, json.dumps([asdict(each) for each in alive]))
        except OSError as error:
            self._tell(f"log-ins will not outlive a restart: {self._file}: {error.strerror}")


class Failures:
    """Failed log-ins of the last minute, by address."""

    def __init__(self, clock: Clock) -> None:
        """There were none."""
        self._clock = clock
        self._by_address: dict[str, deque[float]] = {}
        self._all: deque[float] = deque()

    def check(self, address: str) -> None:
        """See that one more may be tried.

        Raises:
            Refused: There were too many.
        """
        now = self._clock.monotonic()
        for failed, most in (
            (self._by_address.get(address, deque()), FAILED_MAX),
            (self._all, FAILED_IN_ALL_MAX),
        ):
            while failed and now - failed[0] >= MINUTE:
                failed.popleft()
            if len(failed) >= most:
                wait = str(int(failed[0] + MINUTE - now) + 1)
                headers = {"Retry-After": wait}
                raise Refused(429, f"{most} log-ins have failed within a minute", headers=headers)

    def add(self, address: str) -> None:
        """Count one; the address that failed first is forgotten where there are too many."""
        now = self._clock.monotonic()
        failed = self._by_address.pop(address, deque(maxlen=FAILED_MAX))
        while len(self._by_address) >= ADDRESSES_MAX:
            del self._by_address[next(iter(self._by_address))]
        self._by_address[address] = failed
        failed.append(now)
        self._all.append(now)


def _digest(secret: str) -> str:
    return digest_of(secret).hex()


def _read(file: Path | None) -> list[Login]:
    """What is kept in *file*; what is damaged is no log-in."""
    if file is None:
        return []
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return [
            Login(digest=str(each["digest"]), way=str(each["way"]), ends_at=float(each["ends_at"]))
            for each in found[:LOGINS_MAX]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
