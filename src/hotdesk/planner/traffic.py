"""Traffic: who asks for how much work, and when. A trace is a stream in the order of arrival."""

from typing import NamedTuple


class Arrival(NamedTuple):
    """One job.

    ``at`` is in seconds since midnight of the first day, ``desk`` its desk, ``seconds``
    how long its agent works if nobody stops it. A correction is of the thread of the job
    before it at its desk: it stops that one, or takes its place if it has not begun.
    """

    at: float
    desk: str
    seconds: float
    is_correction: bool = False
