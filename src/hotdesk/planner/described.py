"""Traffic that was described, not measured: so many people, with so many jobs of such a length.

Arrivals are a Poisson process, all together, at random desks. It assumes that the work
of agents is log-normal with a mean twice its median, as times of human tasks are: most
jobs are short, and a few are very long.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from hotdesk.planner.traffic import Arrival

DAY = 86_400.0
WORKDAYS = 5
OPENS, CLOSES = 8, 18
SIGMA = math.sqrt(2 * math.log(2))
"""Of the logarithm of work, for a mean that is twice the median."""
BURST_SHARE = 0.3
BURST_MOST = 5
BURST_GAP = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a deployment is used for.

    ``jobs_per_user_day`` counts every day that is worked on: with ``has_office_hours``
    these are Monday to Friday, 8 to 18 o'clock. ``corrections`` is the share of jobs that
    are followed by one, while they run. With ``has_bursts``, three in ten arrivals
    come with one to four more of the same user, some minutes apart.
    """

    projects: int
    users: int
    jobs_per_user_day: float
    job_minutes: float
    corrections: float = 0.1
    days: int = 28
    has_office_hours: bool = False
    has_bursts: bool = False

    @property
    def desks(self) -> int:
        """How many desks there are: every user of every project has one."""
        return self.projects * self.users

    @property
    def jobs(self) -> float:
        """How many jobs there are at most, about."""
        return self.desks * self.jobs_per_user_day * self.days


def described(description: Description, seed: int) -> Iterator[Arrival]:
    """The arrivals in their order; the first day is a Monday. The same for the same *seed*."""
    lots = random.Random(seed)  # noqa: S311 - a simulation repeats its numbers
    followers = 1 + (BURST_SHARE * (BURST_MOST - 1) / 2 if description.has_bursts else 0)
    rate = description.desks * description.jobs_per_user_day / DAY
    rate /= followers * (1 + description.corrections)
    if description.has_office_hours:
        rate *= 24 / (CLOSES - OPENS)
    work = math.log(description.job_minutes * 60 / 2)
    ends = description.days * DAY
    later: list[Arrival] = []
    at = 0.0
    while (at := at + lots.expovariate(rate)) < ends:
        while later and later[0].at <= at:
            yield heappop(later)
        if description.has_office_hours and not is_office_hour(at):
            continue
        desk = _desk(lots.randrange(description.desks), description.users)
        moment = at
        for number in range(_burst(lots) if description.has_bursts else 1):
            if number:
                moment += lots.expovariate(1 / BURST_GAP)
            job = Arrival(moment, desk, lots.lognormvariate(work, SIGMA))
            if number:
                heappush(later, job)
            else:
                yield job
            if lots.random() < description.corrections:
                # It comes while the job would run if it had begun at once.
                comes = moment + lots.random() * job.seconds
                seconds = lots.lognormvariate(work, SIGMA)
                heappush(later, Arrival(comes, desk, seconds, is_correction=True))
    while later:
        yield heappop(later)


def is_office_hour(at: float) -> bool:
    """Whether *at*, in seconds since a Monday's midnight, is one that people work in."""
    day, second = divmod(at, DAY)
    return day % 7 < WORKDAYS and OPENS * 3600 <= second < CLOSES * 3600


def _burst(lots: random.Random) -> int:
    return lots.randrange(1, BURST_MOST + 1) if lots.random() < BURST_SHARE else 1


def _desk(number: int, users: int) -> str:
    project, user = divmod(number, users)
    return f"p{project}/u{user}"
