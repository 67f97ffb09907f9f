"""The way to its model for a program that has no network: through its worker, and nowhere else.

It takes HTTP/1.1 at a socket that lies in the program's own loopback and passes each request
on to one base address, as it is but for what says where it goes and who asks: the program is
given a stand-in for the key, and only here the real one takes its place. The program is
hostile: everything it sends is bounded, and nothing of it is kept or logged.
"""

import json
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote

import anyio
import h11
import httpx
from anyio import to_thread
from anyio.abc import SocketListener, SocketStream

from hotdesk.errors import Rejected

MODEL_PORT = 4774  # Below the ports that systems hand out, and nobody's by custom.
MODEL_URL = f"http://127.0.0.1:{MODEL_PORT}"
"""Where a program with the network ``model-only`` finds its model, in place of the base URL."""
MODEL_KEY = "hotdesk-puts-the-key-here"
"""What such a program is given in place of the key."""

CONNECTIONS_MAX = 32
HEAD_BYTES_MAX = 32_768
BODY_BYTES_MAX = 64 << 20  # The Messages API takes 32 MB.
CHUNK_BYTES = 65_536
CONNECT_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 120
"""How long the program may take for its next piece of a request, or to ask again."""
SILENCE_SECONDS_MAX = 660
"""How long the model may say nothing: more than the ten minutes that its clients wait."""
CLOSE_SECONDS_MAX = 1
TIMEOUT = {
    "connect": CONNECT_SECONDS_MAX,
    "read": SILENCE_SECONDS_MAX,
    "write": REQUEST_SECONDS_MAX,
    "pool": CONNECT_SECONDS_MAX,
}
REASON_LENGTH_MAX = 300
PORT_MAX = 65_535

TARGET = re.compile(rb"/[!-~]*")
# Of one connection only (RFC 9110, section 7.6.1), or made anew for the next one.
OF_THE_CONNECTION = frozenset(
    b"connection expect host keep-alive proxy-authenticate proxy-authorization proxy-connection "
    b"te trailer transfer-encoding upgrade".split()
)
# What would tell the model's side of other hosts and other people.
OF_OTHERS = frozenset(b"cookie forwarded set-cookie x-real-ip".split())
OF_OTHERS_PREFIX = b"x-forwarded-"
KEY_HEADERS = frozenset(b"api-key x-api-key x-goog-api-key".split())
BEARER = b"Bearer "
KEY = re.compile(r"[!-~]*")
# httpx passes on what TLS says of damage behind the handshake.
BROKEN_OFF = (httpx.TransportError, ssl.SSLError)

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAccess:
    """Where the model is, and the key for it. An empty key sends none.

    Raises:
        Rejected: *url* is not the address of a web server, or has a password or a query in it;
            or no header can carry *key*.
    """

    url: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise Rejected(f"the model's address cannot be read: {error}") from error
        is_plain = not (url.userinfo or url.query or url.fragment)
        is_web = url.scheme in ("http", "https") and bool(url.host)
        if not is_web or not is_plain or not 0 < (url.port or 443) <= PORT_MAX:
            raise Rejected("the model's address must be like https://api.example.org/path")
        # Found later, it would be shown to the program by the error that it leads to.
        if not KEY.fullmatch(self.key):
            raise Rejected("the model's key must be of visible ASCII characters, without a space")


async def serve_model(door: socket.socket, model: ModelAccess) -> None:
    """Pass on what comes in at *door*, which listens, until cancelled. Closes *door*."""
    # They would log where a request goes, and at their lowest level the key as well.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    base = httpx.URL(model.url)
    # The certificates of the system, and not those of a library, decide whom we trust.
    is_https = base.scheme == "https"
    verify = await to_thread.run_sync(ssl.create_default_context) if is_https else False
    # Nothing of the worker's own environment counts: no proxy, no file of passwords.
    client = httpx.AsyncClient(
        verify=verify, trust_env=False, limits=httpx.Limits(max_connections=CONNECTIONS_MAX)
    )
    slots = anyio.Semaphore(CONNECTIONS_MAX)

    async def serve(stream: SocketStream) -> None:
        try:
            async with stream:
                await _Connection(stream, client, base, model.key.encode()).serve()
        finally:
            slots.release()

    async with (
        client,
        await SocketListener.from_socket(door) as listener,
        anyio.create_task_group() as tasks,
    ):
        while True:
            # Without a free slot, the next ones wait where the kernel bounds them.
            await slots.acquire()
            tasks.start_soon(serve, await listener.accept())


class _Refused(Exception):
    """The request is answered by us."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Connection:
    """One connection of the program, with one request after the other."""

    def __init__(
        self, stream: SocketStream, client: httpx.AsyncClient, base: httpx.URL, key: bytes
    ) -> None:
        self._stream = stream
        self._client = client
        self._base = base
        self._key = key
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._is_read = anyio.Event()

    async def serve(self) -> None:
        """Answer until the program leaves, breaks the rules or stays silent for too long."""
        while self._http.our_state is h11.IDLE:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, tasks.cancel_scope)
                await self._exchange()
                tasks.cancel_scope.cancel()
            if set(self._http.states.values()) == {h11.DONE}:
                self._http.start_next_cycle()
                self._is_read = anyio.Event()

    async def _watch(self, exchange: anyio.CancelScope) -> None:
        """Give up the exchange when the program does: an answer costs money."""
        await self._is_read.wait()
        # A program that sends ahead is not watched: what it sends would only pile up here.
        if self._http.trailing_data[0]:
            return
        try:
            self._http.receive_data(await self._stream.receive(CHUNK_BYTES))
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            exchange.cancel()

    async def _exchange(self) -> None:
        """Take one request and answer it; the connection cannot go on if that fails."""
        with suppress(anyio.BrokenResourceError, TimeoutError, h11.LocalProtocolError):
            try:
                if isinstance(request := await self._next(), h11.Request):
                    await self._pass_on(request)
                else:
                    self._http.send_failed()
            except h11.RemoteProtocolError as error:
                await self._refuse(HTTPStatus(error.error_status_hint), str(error))
            except _Refused as refused:
                await self._refuse(refused.status, refused.reason)
            else:
                return
        if self._http.our_state is not h11.ERROR:
            self._http.send_failed()

    async def _pass_on(self, request: h11.Request) -> None:
        answer = await self._ask(request)
        try:
            await self._send(
                h11.Response(
                    status_code=answer.status_code, headers=list(_end_to_end(answer.headers.raw))
                )
            )
            async for chunk in answer.aiter_raw():
                await self._send(h11.Data(data=chunk))
            await self._send(h11.EndOfMessage())
        except BROKEN_OFF:
            # The program sees an answer without its end, as it would without us.
            self._http.send_failed()
        finally:
            with anyio.move_on_after(CLOSE_SECONDS_MAX, shield=True):
                await answer.aclose()

    async def _ask(self, request: h11.Request) -> httpx.Response:
        """Send *request* to the model, and return its answer as far as the headers."""
        if not _has_body(request):
            await self._next()
            self._is_read.set()
        asked = httpx.Request(
            request.method.decode(),
            self._base.copy_with(raw_path=self._path(request.target)),
            headers=list(self._headers(list(request.headers))),
            # A request that announces no body must not be sent on with an empty one.
            content=self._body() if _has_body(request) else None,
            extensions={"timeout": TIMEOUT},
        )
        try:
            return await self._client.send(asked, stream=True)
        except (*BROKEN_OFF, httpx.InvalidURL) as error:
            is_late = isinstance(error, httpx.TimeoutException)
            raise _Refused(
                HTTPStatus.GATEWAY_TIMEOUT if is_late else HTTPStatus.BAD_GATEWAY,
                f"the model's API at {self._base.host} did not answer: "
                f"{type(error).__name__} {error}".rstrip(),
            ) from error

    def _path(self, target: bytes) -> bytes:
        """Return where a request goes; only below the base address."""
        path = unquote(target.partition(b"?")[0]).replace("\\", "/")
        if not TARGET.fullmatch(target) or not {".", ".."}.isdisjoint(path.split("/")):
            raise _Refused(HTTPStatus.BAD_REQUEST, "only the paths of the model's API are served")
        return self._base.raw_path.rstrip(b"/") + target

    def _headers(self, headers: Sequence[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
        """Yield what goes on, with the key in the place of its stand-in, and no other key."""
        is_chunked = any(name == b"transfer-encoding" for name, _ in headers)
        for name, value in _end_to_end(headers):
            if is_chunked and name == b"content-length":
                continue  # Of two lengths only one can be true, and it is not this one.
            if name == b"authorization":
                if self._key and value == BEARER + MODEL_KEY.encode():
                    yield name, BEARER + self._key
            elif name in KEY_HEADERS:
                if self._key and value == MODEL_KEY.encode():
                    yield name, self._key
            else:
                yield name, value

    async def _body(self) -> AsyncIterator[bytes]:
        left = BODY_BYTES_MAX
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        while isinstance(data := await self._next(), h11.Data):
            left -= len(data.data)
            if left < 0:
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too large")
            yield bytes(data.data)
        self._is_read.set()

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            try:
                with anyio.fail_after(REQUEST_SECONDS_MAX):
                    data = await self._stream.receive(CHUNK_BYTES)
            except anyio.EndOfStream:
                data = b""
            self._http.receive_data(data)
        assert not isinstance(event, type) or event is h11.PAUSED, "the other case went on above"
        return event

    async def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Say why in the form in which models say it; the connection ends with it."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        message = f"hotdesk: {reason[:REASON_LENGTH_MAX]}"
        body = json.dumps({"type": "error", "error": {"type": "api_error", "message": message}})
        await self._send(
            h11.Response(
                status_code=status,
                headers=[
                    ("content-type", "application/json"),
                    ("content-length", str(len(body))),
                    ("connection", "close"),
                ],
            )
        )
        await self._send(h11.Data(data=body.encode()))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            with anyio.fail_after(REQUEST_SECONDS_MAX):
                await self._stream.send(data)


def _has_body(request: h11.Request) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in request.headers)


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """Yield the headers, with small names, that are not only for one connection or for others."""
    small = [(name.lower(), value) for name, value in headers]
    named = {
        name.strip().lower()
        for header, value in small
        if header == b"connection"
        for name in value.split(b",")
    }
    for name, value in small:
        if name not in OF_THE_CONNECTION | OF_OTHERS | named and not name.startswith(
            OF_OTHERS_PREFIX
        ):
            yield name, value
