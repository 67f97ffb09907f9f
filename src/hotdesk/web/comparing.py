"""What other placements would have made of the jobs of the last day, played while somebody looks.

``hotdesk plan`` plays them in a process of its own, bounded in time and in what it reads,
and at most once in ten minutes, however many look.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import anyio

from hotdesk.backends.address import is_stack
from hotdesk.config import Config
from hotdesk.placement import PoolLimits
from hotdesk.planner.bill import Where
from hotdesk.planner.outcome import Timing
from hotdesk.planner.prices import PRICES_OF, Prices
from hotdesk.ports import Clock
from hotdesk.web import charts
from hotdesk.web.program import HOTDESK, output_of
from hotdesk.web.wording import counted

EVERY = timedelta(minutes=10)
SECONDS_MAX = 120.0
JOBS_MAX = 20_000
JOBS_MIN = 20
NEAR = 0.01
DESK_ALWAYS, DESK_ON_DEMAND = "dedicated, always on", "dedicated, 0 to 1"
# A worker on a machine that runs is a process; one on Fargate is a container.
LOCAL = Timing()
CONTAINER = Timing(cold_start=45.0, prepare=5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One placement. ``cost`` is in dollars a month, ``delay`` that of 95 %, in seconds."""

    name: str
    about: str
    hours: float
    cost: float
    delay: float
    is_ours: bool = False

    @property
    def delay_told(self) -> str:
        """The delay as the page writes it."""
        return charts.seconds(self.delay) if self.delay else "0s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came out, when it was looked at; this deployment's own placement is the last one."""

    at: datetime
    jobs: int
    hours: float
    is_cut: bool
    placed: Sequence[Placed]

    @property
    def of(self) -> str:
        """What was played, in some words."""
        some = f"the first {self.hours:.1f} of the " if self.is_cut else "the "
        return f"{counted(self.jobs, 'job')} of {some}last 24 hours"

    @property
    def most(self) -> float:
        """The most worker hours, for the length of bars."""
        return max(each.hours for each in self.placed)

    @property
    def verdict(self) -> str:
        """This deployment against the others, in a sentence of real figures."""
        always, other, ours = self.placed
        if not always.cost or abs(ours.cost / always.cost - 1) <= NEAR:
            costs = "as much as"
        elif ours.cost < always.cost:
            costs = f"{100 * ours.cost / always.cost:.0f} % of"
        else:
            costs = f"{ours.cost / always.cost:.1f} times as much as"
        return (
            f"This pool costs {costs} one worker per desk, and gives 95 % of jobs a worker within "
            f"{ours.delay_told}; {other.name.lower()}, it would be {other.delay_told}."
        )


class Comparing:
    """Compares once it is looked for. ``latest`` is what came out last; ``problem``, why not."""

    def __init__(
        self,
        pool: PoolLimits,
        options: Sequence[str] = (),
        more: Mapping[str, str] | None = None,
        *,
        where: Where = Where.SERVER,
        prices: Prices | None = None,
    ) -> None:
        """Give the program *options*, and *more* variables than this process has."""
        self._pool = pool
        self._more = more or {}
        self._where = where
        self._prices = prices or Prices()
        self._command = [*HOTDESK, *self._arguments(), *options]
        self._wanted: anyio.Event | None = None
        self._began_at: datetime | None = None
        self.latest: Comparison | None = None
        self.problem = ""

    @classmethod
    def of(cls, config: Config, options: Sequence[str], more: Mapping[str, str]) -> Self:
        """Compare for the deployment of *config*."""
        return cls(
            config.pool.limits,
            options,
            more,
            where=Where.FARGATE if is_stack(config.backend) else Where.SERVER,
            prices=config.prices.prices,
        )

    @property
    def has_pool(self) -> bool:
        """Whether there is anything to compare."""
        return self._pool.workers_max > 0

    @property
    def timing(self) -> Timing:
        """How long a worker takes to come."""
        return LOCAL if self._where is Where.SERVER else CONTAINER

    @property
    def priced(self) -> str:
        """What the costs are made of."""
        prices = self._prices
        if self._where is Where.SERVER:
            each = counted(round(prices.workers_per_server), "worker")
            return f"a server of ${prices.server_month:,.2f} a month for {each}"
        return f"${prices.fargate_hour:.3f} an hour of a worker on Fargate, {PRICES_OF}"

    def look(self, now: datetime) -> None:
        """Have it compared, unless that was done a short while ago."""
        is_due = self._began_at is None or now - self._began_at >= EVERY
        if is_due and self.has_pool and self._wanted is not None:
            self._began_at = now
            self._wanted.set()

    async def run(self, clock: Clock, on_done: Callable[[], None]) -> None:
        """Compare whenever it is wanted, until cancelled."""
        while True:
            self._wanted = anyio.Event()
            await self._wanted.wait()
            try:
                said = await output_of(
                    self._command, self._more, seconds=SECONDS_MAX, is_patient=True
                )
                self.latest, self.problem = self._read(said, clock.now()), ""
            except TimeoutError:
                self.problem = f"it took longer than {SECONDS_MAX:.0f} seconds"
            except (OSError, ValueError, KeyError, TypeError):
                self.problem = "it did not work"
            on_done()

    def _arguments(self) -> list[str]:
        pool, timing = self._pool, self.timing
        sizes = dict.fromkeys([f"{pool.workers_min}:{pool.workers_max}", f"0:{pool.workers_max}"])
        return [
            *("plan", "--json", "--recorded", "1", "--jobs-max", str(JOBS_MAX)),
            *("--where", str(self._where), "--cold-start", str(timing.cold_start)),
            *("--prepare", str(timing.prepare)),
            *(part for size in sizes for part in ("--pool", size)),
        ]

    def _read(self, output: bytes, now: datetime) -> Comparison:
        """What the program says.

        Raises:
            ValueError: It said something else; so do KeyError and TypeError.
        """
        lines = [line for line in output.splitlines() if line.startswith(b"{")]
        records = [json.loads(line) for line in lines]
        found = {each["placement"]: each for each in records[:-1]}
        if not found:
            raise ValueError("it compared nothing")
        least, most = self._pool.workers_min, self._pool.workers_max
        summary, pooled = records[-1], [name for name in found if name not in _OWN]
        sized = f"{least} to {most} workers" if least < most else counted(most, "worker")
        always = (DESK_ALWAYS, "One worker per desk", f"always on, {summary['desks']:,} desks")
        if least:
            other = (pooled[1], "On demand", f"started by its work, up to {most}")
        else:
            other = (DESK_ON_DEMAND, "One per desk on demand", "started by the work of its desk")
        rows = [always, other, (pooled[0], "This pool", sized)]
        return Comparison(
            at=now,
            jobs=int(summary["jobs"]),
            hours=float(summary["days"]) * 24,
            is_cut=bool(summary["is_cut"]),
            placed=[
                Placed(
                    name=name,
                    about=about,
                    hours=float(found[key]["worker_hours"]),
                    cost=float(found[key]["cost_month_usd"]),
                    delay=float(found[key]["delay_seconds"]["p95"]),
                    is_ours=key == pooled[0],
                )
                for key, name, about in rows
            ],
        )


_OWN = frozenset({DESK_ALWAYS, DESK_ON_DEMAND})
