"""A URL becomes a backend, and a backend a client."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from anyio.from_thread import start_blocking_portal

from hotdesk.backends.address import checked_url, database_path, is_stack
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.backends.sqlite.file import DatabaseFile
from hotdesk.blocking import BlockingClient
from hotdesk.client import Client
from hotdesk.clock import SystemClock
from hotdesk.desks import InterruptPolicy
from hotdesk.errors import Rejected
from hotdesk.lifecycle import Limits
from hotdesk.ports import Backend
from hotdesk.wiring.extras import import_aws

DEFAULT_POLICY = InterruptPolicy.DESK


def open_backend(url: str, *, limits: Limits | None = None) -> Backend:
    """Open the backend that *url* names; call it on the event loop that will use it.

    Raises:
        ConfigError: The URL is not understood, or what it needs is not installed.
        StoreError: The file cannot be used, or what was set up for AWS.
        Unavailable: The file is locked, or the disk is full.
    """
    if is_stack(url):
        opened: Backend = import_aws("backend").AwsBackend.open(url, SystemClock(), limits=limits)
        return opened
    return SqliteBackend(database_path(url), SystemClock(), limits=limits)


@contextmanager
def open_database(url: str) -> Iterator[DatabaseFile]:
    """Open the file itself, to look after it; nobody is woken and nothing is claimed.

    Raises:
        Rejected: It is no file: the URL names a stack.
        StoreError: The file cannot be used.
        Unavailable: It is locked, or the disk is full.
    """
    if is_stack(url):
        raise Rejected(
            f"{url} is no file: AWS keeps copies of its table by itself (point-in-time recovery)"
        )
    database = DatabaseFile(database_path(url), SystemClock())
    try:
        yield database
    finally:
        database.close()


def client_of(
    backend: Backend, *, policy_of: Callable[[str], InterruptPolicy] = lambda _: DEFAULT_POLICY
) -> Client:
    """Make a client of *backend*; closing either closes both."""
    return Client(backend, SystemClock(), policy_of=policy_of, random_bytes=os.urandom)


class Connection:
    """A connection that is not open yet; ``async with`` or ``with`` opens and closes it."""

    def __init__(self, url: str) -> None:
        """Nothing is opened before the ``with``."""
        self._url = url
        self._client: Client | None = None
        self._stack = ExitStack()

    async def __aenter__(self) -> Client:
        """Open the connection on the running event loop."""
        self._client = client_of(open_backend(self._url))
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        if self._client is not None:
            await self._client.close()

    def __enter__(self) -> BlockingClient:
        """Open the connection on an event loop of its own, in a thread."""
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())

            async def enter() -> Client:
                return await self.__aenter__()

            client = portal.call(enter)
            stack.callback(portal.call, client.close)
            self._stack = stack.pop_all()
        return BlockingClient(client, portal)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it and end the thread."""
        self._stack.close()


def connect(url: str = "sqlite:///hotdesk.db") -> Connection:
    """Connect to the backend behind *url*.

    ``async with hotdesk.connect(url) as client`` gives a ``Client``; a plain
    ``with`` gives a ``BlockingClient`` for scripts.

    Raises:
        ConfigError: The URL is not understood.
    """
    return Connection(checked_url(url))
