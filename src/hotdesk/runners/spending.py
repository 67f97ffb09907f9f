"""What agents cost, counted for the project and for who asked."""

import math

from hotdesk.desks import Job
from hotdesk.errors import Unavailable
from hotdesk.ports import Clock, Tallies
from hotdesk.ports.accounts import usd_account
from hotdesk.runners.progress import USD_DIGITS

MICRO = 10**USD_DIGITS
USD_MAX = 100_000.0
"""More than a run can cost: a program that says more is not believed."""


def believed(usd: float | None) -> float | None:
    """*usd* to the millionth, as it is counted, if a run can have cost that."""
    if usd is None or not math.isfinite(usd) or not 0 <= usd <= USD_MAX:
        return None
    return round(usd, USD_DIGITS)


class Spending:
    """Adds what runs cost to *tallies*, in millionths of a dollar."""

    def __init__(self, tallies: Tallies, clock: Clock) -> None:
        """*clock* says in which step of time."""
        self._tallies = tallies
        self._clock = clock

    async def count(self, job: Job, usd: float) -> str:
        """Add what a run for *job* cost; return what went wrong."""
        amount = round(usd * MICRO)
        if not amount:
            return ""
        senders = ("", job.origin.sender) if job.origin.sender else ("",)
        try:
            for sender in senders:
                name = usd_account(job.desk.project, sender)
                await self._tallies.count(name, amount, now=self._clock.now())
        except Unavailable as error:
            # It may have been counted: doing it again could shut out who has paid once.
            return f"what this run cost may not have been counted: {error}"
        return ""
