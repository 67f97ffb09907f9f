"""uvicorn in the event loop of its caller, which decides when it ends."""

import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from anyio.abc import TaskStatus
from starlette.types import ASGIApp

from hotdesk.web.connections import Connection
from hotdesk.web.feed import STREAMS_MAX, Feed

# Beside the streams, so that they leave room for those who only ask.
CONNECTIONS_MAX = STREAMS_MAX + 200
FILES_MIN = 4096
HEAD_BYTES_MAX = 16_384
KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 1
STOP_SECONDS = 2.5


class Server:
    """Serves one application on one address."""

    def __init__(self, app: ASGIApp, feed: Feed, *, host: str, port: int) -> None:
        """Nothing is bound before ``run``. *feed* runs and ends with the server."""
        self._feed = feed
        self._address = (host, port)
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            )
        )

    async def run(self, *, task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; started with the URL. Streams are ended, answers finished.

        Raises:
            OSError: The address cannot be used.
        """
        # What strangers send makes it warn; what is worth knowing is told elsewhere.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
        with socket.create_server(self._address, family=_family(self._address[0])) as bound:
            _allow_files()
            stopped = anyio.Event()
            shield = anyio.CancelScope(shield=True)

            async def serve() -> None:
                try:
                    with shield:
                        await self._server.serve([bound])
                finally:
                    stopped.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._feed.run)
                tasks.start_soon(serve)
                try:
                    task_status.started(_url(bound))
                    await stopped.wait()
                finally:
                    self._feed.close()
                    self._server.should_exit = True
                    with anyio.move_on_after(STOP_SECONDS, shield=True):
                        await stopped.wait()
                    shield.cancel()
                    tasks.cancel_scope.cancel()


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals of this process to those who heed them."""
        yield


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _allow_files() -> None:
    """Let this process have as many files open as it may have connections, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_MIN:
        most = FILES_MIN if hard == resource.RLIM_INFINITY else min(FILES_MIN, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
