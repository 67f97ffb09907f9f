"""Where in a history an instant is: cursors grow with time, as far as clocks agree."""

from collections.abc import Awaitable, Callable
from datetime import datetime


async def last_before(
    at: datetime, last: int, newest: Callable[[int], Awaitable[tuple[int, datetime] | None]]
) -> int:
    """The number of the last event before *at*; 0 where there is none.

    *last* is at least the number of the newest one, and ``newest(number)`` gives the number
    and the instant of the newest event up to that number, if there is one.
    """
    found, low, high = 0, 0, last
    while low < high:
        middle = (low + high + 1) // 2
        event = await newest(middle)
        if event is None or event[1] < at:
            # What is above may be before it as well.
            found, low = event[0] if event else found, middle
        else:
            high = min(event[0], middle) - 1
    return found
