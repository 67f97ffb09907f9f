"""A call in a thread that nobody has to wait for: not the one who cancels, nor the process.

The threads of anyio are waited for when Python ends, which a long poll would hold up for as
long as it lasts.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Generic, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel

T = TypeVar("T")


class Call(Generic[T]):
    """A call under way; whoever waits for it may leave, and come again."""

    def __init__(self, function: Callable[[], T]) -> None:
        """Call *function* in a thread, from now on."""
        self._function = function
        self._token = anyio.lowlevel.current_token()
        self._is_over = anyio.Event()
        self._value: T | None = None
        self._error: Exception | None = None
        Thread(target=self._run, name="hotdesk long poll", daemon=True).start()

    async def result(self) -> T:
        """Wait for what it returns. When cancelled leave it behind, also at the end of Python.

        Raises:
            Exception: Whatever the function raises.
        """
        await self._is_over.wait()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value] # it has returned

    def _run(self) -> None:
        """Call, in the thread, and tell the event loop, if it still runs."""
        try:
            self._value = self._function()
        except Exception as error:  # noqa: BLE001 - raised again where the call is waited for
            self._error = error
        with suppress(anyio.RunFinishedError, RuntimeError):
            anyio.from_thread.run_sync(self._is_over.set, token=self._token)
