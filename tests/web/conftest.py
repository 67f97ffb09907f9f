"""A server on a free port, on a real store, and clients for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import anyio
import httpx
import pytest

from hotdesk.client import Client
from hotdesk.clock import SystemClock
from hotdesk.placement import PoolLimits
from hotdesk.ports import Backend, Clock
from hotdesk.web.access import Caller, Role, Token, Tokens, digest_of
from hotdesk.web.app import make_app
from hotdesk.web.comparing import Comparing
from hotdesk.web.entrance import LOCAL, Entrance, ways_of
from hotdesk.web.feed import Feed
from hotdesk.web.logins import Logins
from hotdesk.web.metrics import Metrics
from hotdesk.web.passwords import Password
from hotdesk.web.rates import Rates
from hotdesk.web.server import Server
from hotdesk.web.site import Site
from hotdesk.web.streams import encode_event
from hotdesk.web.upkeep import Upkeep
from hotdesk.wiring import client_of, open_backend

VIEWER = "viewer-0123456789abcdef"
OPERATOR = "operator-0123456789abcdef"
EXPIRED = "expired-0123456789abcdef"
OWN = "own-0123456789abcdef"
SECRETS = (VIEWER, OPERATOR, EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """A running server: ``viewer`` and ``operator`` ask with their tokens, ``stranger`` with none.

    ``told`` is what it said went wrong.
    """

    url: str
    backend: Backend
    client: Client
    feed: Feed
    viewer: httpx.AsyncClient
    operator: httpx.AsyncClient
    stranger: httpx.AsyncClient
    told: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0


def tokens() -> list[Token]:
    """One of each kind."""
    return [
        Token(caller=Caller(name="vera", role=Role.VIEWER), digest=digest_of(VIEWER)),
        Token(caller=Caller(name="otto", role=Role.OPERATOR), digest=digest_of(OPERATOR)),
        Token(caller=Caller(name=LOCAL, role=Role.OPERATOR), digest=digest_of(OWN)),
        Token(
            caller=Caller(name="old", role=Role.OPERATOR),
            digest=digest_of(EXPIRED),
            expires_on=date(2020, 1, 1),
        ),
    ]


def _entrance(clock: Clock, password: Password | None, logins: Path | None) -> Entrance:
    ways = Logins(ways_of(tokens(), password), clock, file=logins)
    return Entrance(Tokens(tokens(), clock), ways, clock, password=password)


@asynccontextmanager
async def served(
    backend: Backend,
    *,
    per_second: float = 10_000,
    at_once: float = 10_000,
    kept_max: int = 2000,
    streams_max: int = 1000,
    check_project: Callable[[str], None] = lambda _: None,
    upkeep: Upkeep | None = None,
    comparing: Comparing | None = None,
    password: Password | None = None,
    logins: Path | None = None,
) -> AsyncIterator[Web]:
    """Serve *backend* on a free port for as long as the block lasts."""
    clock = SystemClock()
    told: list[str] = []
    metrics = Metrics(backend, clock)
    feed = Feed(
        backend,
        clock,
        encode=encode_event,
        kept_max=kept_max,
        streams_max=streams_max,
        on_event=metrics.happened,
        on_error=told.append,
    )
    client = client_of(backend)
    comparing = comparing or Comparing(PoolLimits())
    site = Site(
        client=client,
        backend=backend,
        clock=clock,
        feed=feed,
        metrics=metrics,
        pool=PoolLimits(),
        check_project=check_project,
        upkeep=upkeep or Upkeep(),
        comparing=comparing,
    )
    app = make_app(
        site,
        _entrance(clock, password, logins),
        hosts=["desk.example.org"],
        rates=Rates(clock, per_second=per_second, at_once=at_once),
        tell=told.append,
    )
    server = Server(app, feed, host="127.0.0.1", port=0)
    async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        url = await tasks.start(server.run)
        tasks.start_soon(comparing.run, clock, feed.touch)

        async def asking(secret: str | None) -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            return await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False)
            )

        yield Web(
            url=url,
            backend=backend,
            client=client,
            feed=feed,
            viewer=await asking(VIEWER),
            operator=await asking(OPERATOR),
            stranger=await asking(None),
            told=told,
        )
        tasks.cancel_scope.cancel()


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """An empty store."""
    opened = open_backend(f"sqlite:///{tmp_path / 'hotdesk.db'}")
    yield opened
    await opened.close()


@pytest.fixture
async def web(backend: Backend) -> AsyncIterator[Web]:
    """A server on it."""
    async with served(backend) as running:
        yield running
