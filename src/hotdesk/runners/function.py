"""Attempts carried out by a plain Python function, in the worker's own process."""

from collections.abc import Awaitable, Callable

from hotdesk.desks import Claim, Delivery, Job, Result
from hotdesk.errors import AttemptFailed, ClaimLost
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
        """
        try:
            value = await self._handler(delivery.job, context)
        except (AttemptFailed, ClaimLost):
            raise
        except Exception as error:
            # The border to foreign code: whatever it raises is a failed attempt.
            raise AttemptFailed(f"{type(error).__name__}: {error}") from error
        return Result(text=value) if isinstance(value, str) else value

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Nothing: the handler saved what it wanted to keep."""

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Nothing beyond the result itself."""
        del delivery, context
        return result

    async def leave(self, claim: Claim) -> None:
        """Nothing is held."""
