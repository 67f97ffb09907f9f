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


class _Call(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._token = anyio.lowlevel.current_token()
        self.is_over = anyio.Event()
        self.value: T | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Call, in the thread, and tell the event loop, if it still runs."""
        try:
            self.value = self._function()
        except Exception as error:  # noqa: BLE001 - raised again where the call is waited for
            self.error = error
        with suppress(anyio.RunFinishedError, RuntimeError):
            anyio.from_thread.run_sync(self.is_over.set, token=self._token)


async def call_abandoning(function: Callable[[], T]) -> T:
    """Call *function* in a thread; when cancelled leave it behind, also at the end of Python.

    Raises:
        Exception: Whatever *function* raises.
    """
    call = _Call(function)
    Thread(target=call.run, name="hotdesk long poll", daemon=True).start()
    await call.is_over.wait()
    if call.error is not None:
        raise call.error
    return call.value  # type: ignore[return-value] # it has returned
