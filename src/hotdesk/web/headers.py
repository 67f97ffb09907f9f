"""The headers that every answer has, and the answer to what nobody expected."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hotdesk.web.problems import problem

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Envelope:
    """Outermost: adds the headers, and answers 500 where the rest raised."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        tell: Callable[[str], None],
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        """``tell`` is told of bugs, in a sentence; ``count`` of the status of each answer."""
        self._app = app
        self._tell = tell
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            return
        is_begun = False

        async def dress(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                self._count(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, dress)
        except Exception as error:
            # Its message may hold anything, so it is not told.
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = "" if trace is None else f", {trace.tb_frame.f_code.co_filename}"
            line = "" if trace is None else f":{trace.tb_lineno}"
            self._tell(f"a request failed: {type(error).__name__}{place}{line}")
            if is_begun:
                raise
            await problem(500, "something went wrong here")(scope, receive, dress)
