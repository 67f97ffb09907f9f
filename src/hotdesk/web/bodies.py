"""Bodies of requests: JSON, of bounded size, within bounded time, and read before they are used."""

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hotdesk.web.access import SAFE
from hotdesk.web.problems import Refused, problem
from hotdesk.web.strict import check_json

# An instruction may have 1,000,000 characters, which JSON may write with six bytes each.
BYTES_MAX = 8_000_000
SECONDS_MAX = 30.0
AT_ONCE = 8


class Bodies:
    """Reads the whole body before it passes a request on."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before *app*."""
        self._app = app
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
        if not length.isdigit() or int(length[:12]) > BYTES_MAX:
            raise Refused(413, f"the body has more than {BYTES_MAX} bytes")
        body = bytearray()
        # Only so many are in memory; who waits here waits within the same time.
        with anyio.move_on_after(SECONDS_MAX):
            async with self._slots:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > BYTES_MAX:
                        raise Refused(413, f"the body has more than {BYTES_MAX} bytes")
                    if not message.get("more_body", False):
                        if body:
                            _check_type(headers)
                            check_json(body)
                        return bytes(body)
        raise Refused(408, f"the body did not come within {SECONDS_MAX:.0f} s")


def _check_type(headers: Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
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
