"""``[web]`` becomes the server of one deployment."""

import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
import httpx
from starlette.types import ASGIApp

from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.errors import ConfigError
from hotdesk.ports import Backend, Clock
from hotdesk.web.access import Caller, Role, Token, Tokens, digest_of
from hotdesk.web.app import make_app
from hotdesk.web.comparing import Comparing
from hotdesk.web.door import Door, new_token, open_door
from hotdesk.web.entrance import LOCAL, Entrance, ways_of
from hotdesk.web.feed import Feed
from hotdesk.web.logins import FILE, Logins
from hotdesk.web.metrics import Metrics
from hotdesk.web.passwords import Password
from hotdesk.web.patches import Patches
from hotdesk.web.rates import Rates
from hotdesk.web.server import Server
from hotdesk.web.site import Site
from hotdesk.web.streams import encode_event
from hotdesk.web.upkeep import Upkeep
from hotdesk.wiring.agents import workspaces_of
from hotdesk.wiring.connection import client_of

SECRET_BYTES_MIN = 16
WARM_SECONDS_MAX = 10


def tokens_of(config: Config) -> list[Token]:
    """The tokens that are configured.

    Raises:
        ConfigError: A secret is not there, is too short, or stands twice.
    """
    tokens: dict[bytes, Token] = {}
    for name, each in config.web.tokens.items():
        secret = each.secret.read()
        if len(secret.encode()) < SECRET_BYTES_MIN:
            raise ConfigError(
                f"web.tokens.{name}.secret",
                f"has fewer than {SECRET_BYTES_MIN} bytes",
                "make one: openssl rand -base64 32",
            )
        if name == LOCAL:
            raise ConfigError("web.tokens.local", "is what hotdesk up calls its own", "rename it")
        digest = digest_of(secret)
        if digest in tokens:
            raise ConfigError(
                f"web.tokens.{name}.secret",
                f"is that of {tokens[digest].caller.name} too",
                "give each a secret of its own, or events cannot say who it was",
            )
        caller = Caller(name=name, role=Role(each.role))
        tokens[digest] = Token(caller=caller, digest=digest, expires_on=each.expires_on)
    return [*tokens.values()]


def password_of(config: Config) -> Password | None:
    """The password that is configured, if one is.

    Raises:
        ConfigError: The secret is not there, or is not what scrypt makes of a password.
    """
    if config.web.password is None:
        return None
    try:
        return Password.parse(config.web.password.read())
    except ValueError:
        raise ConfigError(
            "web.password",
            "does not hold what scrypt makes of a password",
            "make it with: hotdesk dashboard --hash-password",
        ) from None


def entrance_of(
    config: Config, tokens: Sequence[Token], clock: Clock, tell: Callable[[str], None]
) -> Entrance:
    """How people come in.

    Raises:
        ConfigError: The password is not usable.
    """
    password = password_of(config)
    logins = Logins(
        ways_of(tokens, password),
        clock,
        file=config.data_dir / FILE,
        is_https=config.web.https,
        tell=tell,
    )
    return Entrance(Tokens(tokens, clock), logins, clock, password=password)


@asynccontextmanager
async def open_web(
    config: Config,
    backend: Backend,
    *,
    upkeep: Upkeep,
    comparing: Comparing,
    tell: Callable[[str], None],
) -> AsyncIterator[str | None]:
    """Serve *backend* for as long as the block lasts; gives the URL, if it is enabled.

    ``tell`` is told, in a sentence, of what went wrong but ends nothing.

    Raises:
        ConfigError: The address is taken, or a token is not usable.
    """
    if not config.web.enabled:
        yield None
        return
    clock = SystemClock()
    secret = new_token()
    local = Token(caller=Caller(name=LOCAL, role=Role.OPERATOR), digest=digest_of(secret))
    entrance = entrance_of(config, [*tokens_of(config), local], clock, tell)
    metrics = Metrics(backend, clock)
    feed = Feed(backend, clock, encode=encode_event, on_event=metrics.happened, on_error=tell)
    site = Site(
        client=client_of(backend, policy_of=config.policy_of),
        backend=backend,
        clock=clock,
        feed=feed,
        metrics=metrics,
        pool=config.pool.limits,
        check_project=config.check_project,
        patches=Patches(workspaces_of(config)),
        upkeep=upkeep,
        comparing=comparing,
    )
    app = make_app(
        site,
        entrance,
        hosts=[config.web.host, *config.web.hosts],
        rates=Rates(clock),
        tell=tell,
    )
    server = Server(app, feed, host=config.web.host, port=config.web.port)
    async with anyio.create_task_group() as tasks:
        try:
            url = await tasks.start(server.run)
        except OSError as error:
            raise ConfigError(
                "web.listen",
                f"{config.web.listen} cannot be used: {error.strerror}",
                "name another port, 0 for a free one, or set web.enabled = false",
            ) from error
        with open_door(config.data_dir, Door(url=url, token=secret)):
            tasks.start_soon(comparing.run, clock, feed.touch)
            tasks.start_soon(warm, app, url, secret)
            yield url
        tasks.cancel_scope.cancel()


async def warm(app: ASGIApp, url: str, token: str) -> None:
    """Ask for a page before anybody does: the first one makes every model and template."""
    # Nobody looks at this answer, so whatever is wrong is met again by who does.
    inside = httpx.ASGITransport(app, raise_app_exceptions=False)
    with anyio.move_on_after(WARM_SECONDS_MAX):
        async with httpx.AsyncClient(transport=inside, base_url=url) as client:
            await client.get("/", headers={"Authorization": f"Bearer {token}"})
    # What is there now stays: a full collection need not look through it, which takes 65 ms.
    gc.freeze()
