"""What a placement costs in a month, out of its worker hours, its jobs and the prices."""

import math
from dataclasses import dataclass
from enum import StrEnum

from hotdesk.planner.outcome import Outcome
from hotdesk.planner.placements import Dedicated, Placement
from hotdesk.planner.prices import HOURS_A_MONTH, OWN, POOLED, PerJob, Prices

MONTH = HOURS_A_MONTH * 3600


class Where(StrEnum):
    """On what the workers run."""

    FARGATE = "fargate"
    FARGATE_SPOT = "fargate-spot"
    EC2 = "ec2"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Dollars of a month: for workers, and for what carries jobs to them."""

    workers: float
    jobs: float
    requests: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.workers + self.jobs


def bill(placement: Placement, outcome: Outcome, jobs: int, where: Where, prices: Prices) -> Bill:
    """What a month like the one that was played costs. ``requests`` are API calls, not dollars."""
    months = max(outcome.span, 1.0) / MONTH
    if where is Where.SERVER:
        # A server is rented by the month, however many of its hours are used.
        servers = math.ceil(outcome.workers_most / prices.workers_per_server)
        return Bill(workers=servers * prices.server_month, jobs=0.0, requests=0.0)
    hour = {
        Where.FARGATE: prices.fargate_hour,
        Where.FARGATE_SPOT: prices.fargate_spot_hour,
        Where.EC2: prices.ec2_hour,
    }[where]
    each: PerJob = OWN if isinstance(placement, Dedicated) else POOLED
    return Bill(
        workers=outcome.worker_seconds / 3600 / months * hour,
        jobs=jobs / months * each.cost(prices),
        requests=jobs / months * each.requests,
    )
