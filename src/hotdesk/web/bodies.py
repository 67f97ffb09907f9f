"""Bodies of requests: JSON, of bounded size, within bounded time, and read before they are used."""

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hotdesk.web.access import SAFE
from hotdesk.web.problems import Refused, problem

# An instruction may have 1,000,000 characters, which JSON may write with six bytes each.
BYTES_MAX = 8_000_000
SECONDS_MAX = 30.0
AT_ONCE = 8


class Bodies:
    """Reads the whole body before it passes a request on."""

    def __init__(
        self, app: ASGIApp, *, bytes_max: int = BYTES_MAX, seconds_max: float = SECONDS_MAX
    ) -> None:
        """Refuse what is larger or slower."""
        self._app = app
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._slots = anyio.CapacityLimiter(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on with the body."""
        if scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
        except Refused as refused:
            # What is left of the body would be taken for the next request.
            answer = problem(refused.status, refused.detail, headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The body; ``None`` if the client has gone."""
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:12]) > self._bytes_max:
            raise Refused(413, f"the body has more than {self._bytes_max} bytes")
        body = bytearray()
        # Only so many are in memory; who waits here waits within the same time.
        with anyio.move_on_after(self._seconds_max):
            async with self._slots:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self._bytes_max:
                        raise Refused(413, f"the body has more than {self._bytes_max} bytes")
                    if not message.get("more_body", False):
                        _check_type(headers, body)
                        return bytes(body)
        raise Refused(408, f"the body did not come within {self._seconds_max:.0f} s")


def _check_type(headers: Headers, body: bytes | bytearray) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise Refused(415, "the body is not JSON, or does not say so")


def _replay(body: bytes, receive: Receive) -> Receive:
    is_told = False

    async def tell() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return tell
