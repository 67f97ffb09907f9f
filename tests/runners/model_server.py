"""A model's API for tests of the way to it: it notes what comes in, and answers as it is told."""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import h11
from anyio.abc import Listener, SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener

from hotdesk.runners.model_proxy import ModelAccess, serve_model

KEY = "made-up-key-4711"
SOON = 10
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it reached the model."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[SocketStream], Awaitable[None]]


async def say_ok(stream: SocketStream) -> None:
    await stream.send(OK)


@dataclass(slots=True, kw_only=True)
class ModelServer:
    """Where it listens, what it was asked, and the answer to everything."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    answer: Answer = say_ok

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            while True:
                connection = h11.Connection(h11.SERVER)
                request, body = None, b""
                while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                    if event is h11.NEED_DATA:
                        try:
                            connection.receive_data(await stream.receive())
                        except (
                            anyio.EndOfStream,
                            anyio.BrokenResourceError,
                            anyio.ClosedResourceError,
                        ):
                            return
                    elif isinstance(event, h11.Request):
                        request = event
                    elif isinstance(event, h11.Data):
                        body += event.data
                assert request is not None
                self.asked.append(
                    Asked(
                        method=request.method.decode(),
                        target=request.target.decode(),
                        headers={name.decode(): value.decode() for name, value in request.headers},
                        body=body,
                    )
                )
                await self.answer(stream)


@asynccontextmanager
async def model_server(context: ssl.SSLContext | None = None) -> AsyncIterator[ModelServer]:
    """Serve on the loopback, with TLS if there is a *context* for it."""
    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
    server = ModelServer(port=tcp.extra(SocketAttribute.local_port))
    where: Listener[Any] = tcp
    if context is not None:
        where = TLSListener(tcp, context, standard_compatible=False)
    async with tcp, anyio.create_task_group() as tasks:
        tasks.start_soon(where.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def way_to(url: str, key: str = KEY) -> AsyncIterator[int]:
    """Serve the way to the model at *url*, and yield the port of its door."""
    door = socket.create_server(("127.0.0.1", 0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_model, door, ModelAccess(url=url, key=key))
        yield door.getsockname()[1]
        tasks.cancel_scope.cancel()


async def said(port: int, request: bytes) -> bytes:
    """Say *request*, which need not be one, and return all that comes back."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        answer = b""
        with anyio.fail_after(SOON):
            try:
                async for chunk in stream:
                    answer += chunk
            except anyio.BrokenResourceError:
                pass
        return answer
