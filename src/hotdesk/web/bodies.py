"""Bodies of requests: JSON or a form, of bounded size, read within bounded time before use."""

from collections.abc import Collection
from dataclasses import dataclass

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hotdesk.web.access import SAFE
from hotdesk.web.problems import Refused, problem
from hotdesk.web.strict import check_json

# An instruction may have 1,000,000 characters, which JSON may write with six bytes each.
BYTES_MAX = 8_000_000
SECONDS_MAX = 30.0
STRANGERS_BYTES_MAX = 8192
STRANGERS_SECONDS_MAX = 5.0
AT_ONCE = 8
FORM = "application/x-www-form-urlencoded"
FIELDS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Most:
    """What is read at most, in bytes and seconds, and how many at once."""

    bytes: int
    seconds: float
    slots: anyio.CapacityLimiter


class Bodies:
    """Reads the whole body before it passes a request on."""

    def __init__(self, app: ASGIApp, *, json_under: str, strangers: Collection[str] = ()) -> None:
        """Stand before *app*, which takes JSON below the path *json_under*, and forms elsewhere.

        The paths *strangers* may be asked by everybody, for so little and so short that they
        do not keep the others waiting.
        """
        self._app = app
        self._json_under = json_under
        self._strangers = strangers
        self._slots = anyio.CapacityLimiter(AT_ONCE)
        self._slots_of_strangers = anyio.CapacityLimiter(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on with the body."""
        if scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        try:
            path = scope["path"]
            is_form = not path.startswith(f"{self._json_under}/")
            body = await _read(Headers(scope=scope), receive, self._most(path), is_form=is_form)
        except Refused as refused:
            # What is left of the body would be taken for the next request.
            answer = problem(refused.status, refused.detail, headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    def _most(self, path: str) -> Most:
        if path in self._strangers:
            return Most(STRANGERS_BYTES_MAX, STRANGERS_SECONDS_MAX, self._slots_of_strangers)
        return Most(BYTES_MAX, SECONDS_MAX, self._slots)


async def _read(headers: Headers, receive: Receive, most: Most, *, is_form: bool) -> bytes | None:
    """The body; ``None`` if the client has gone."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length[:12]) > most.bytes:
        raise Refused(413, f"the body has more than {most.bytes} bytes")
    body = bytearray()
    # Only so many are in memory; who waits here waits within the same time.
    with anyio.move_on_after(most.seconds):
        async with most.slots:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > most.bytes:
                    raise Refused(413, f"the body has more than {most.bytes} bytes")
                if not message.get("more_body", False):
                    if body:
                        _check(headers, body, is_form=is_form)
                    return bytes(body)
    raise Refused(408, f"the body did not come within {most.seconds:.0f} s")


def _check(headers: Headers, body: bytearray, *, is_form: bool) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_form:
        if kind != FORM:
            raise Refused(415, "the body is no form, or does not say so")
        if body.count(b"&") >= FIELDS_MAX:
            raise Refused(413, f"the form has more than {FIELDS_MAX} fields")
        return
    if kind != "application/json":
        raise Refused(415, "the body is not JSON, or does not say so")
    check_json(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_told = False

    async def tell() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return tell
