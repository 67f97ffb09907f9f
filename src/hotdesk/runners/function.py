"""Attempts carried out by a plain Python function, in the worker's own process."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hotdesk.desks import Claim, Delivery, Job, Result, storable
from hotdesk.errors import AttemptFailed, ClaimLost, Unavailable
from hotdesk.ports import Context

Handler = Callable[[Job, Context], Awaitable[Result | str | None]]


class FunctionRunner:
    """Calls *handler* for each job.

    It may run twice for one job, when a worker dies: what it changes outside must
    bear that. A ``Result`` or a text says that the work is finished; ``None``
    after an interrupt says that it stopped early.
    """

    publishes = False

    def __init__(self, handler: Handler) -> None:
        """Call *handler* as ``await handler(job, context)``."""
        self._handler = handler

    async def take_over(self, claim: Claim, thread: str) -> None:
        """Nothing to fence: what the handler changes outside is the handler's."""

    async def run(self, delivery: Delivery, context: Context) -> Result | None:
        """Await the handler.

        Raises:
            AttemptFailed: It raised; the message has the exception's type and text.
            Unavailable: It did not catch that the store was; that is not its failure.
        """
        try:
            return _checked(await self._handler(delivery.job, context))
        except (AttemptFailed, ClaimLost, Unavailable):
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled us: the handler awaited something else that was cancelled.
            raise AttemptFailed("CancelledError: what the handler waited for") from error
        except (Exception, SystemExit) as error:
            # The border to foreign code: whatever it raises is a failed attempt.
            raise AttemptFailed(f"{type(error).__name__}: {error}") from error

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Nothing: the handler saved what it wanted to keep."""

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Nothing beyond the result itself."""
        del delivery, context
        return result

    async def leave(self, claim: Claim) -> None:
        """Nothing is held."""


def _checked(value: Result | str | None) -> Result | None:
    """Return what a handler gave back as a result, if it is one that can be stored.

    Raises:
        AttemptFailed: It is something else; another attempt would give the same.
    """
    if value is None:
        return None
    result: object = Result(text=value) if isinstance(value, str) else value
    text: object = getattr(result, "text", None)
    if isinstance(result, Result) and isinstance(text, str):
        return replace(result, text=storable(text))
    raise AttemptFailed(
        f"the handler returned a {type(value).__name__}; return a Result, a text or None",
        is_retryable=False,
    )
