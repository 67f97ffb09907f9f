"""JSON as RFC 8259 means it: UTF-8, each name once, no NaN, and nested so deep only."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class StrictRequest(Request):
    """A request whose body must be strict JSON."""

    async def json(self) -> Any:  # noqa: ANN401 - starlette's
        """Return what the body says.

        Raises:
            JSONDecodeError: It is not strict JSON.
        """
        try:
            return json.loads(
                (await self.body()).decode(), object_pairs_hook=_once, parse_constant=_refuse
            )
        except RecursionError:
            raise json.JSONDecodeError("nested too deeply", "", 0) from None
        except json.JSONDecodeError:
            raise
        except ValueError:
            # No UTF-8, a name twice, or a number of 5,000 digits.
            raise json.JSONDecodeError("not strict JSON", "", 0) from None


class StrictRoute(APIRoute):
    """A route whose requests are strict."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap each request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)
