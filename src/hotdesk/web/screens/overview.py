"""``/``: everything at a glance, with the figures of the last hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup

from hotdesk.desks import DeskStatus, Job, JobState, WorkerStatus
from hotdesk.lifecycle import LEASE
from hotdesk.overview import FAILURES, HOUR, Overview, Waiting, Why, bounded, look
from hotdesk.ports import COUNTED_MAX, TALLY_STEP, Figure, tally_begin, together
from hotdesk.web import charts
from hotdesk.web.charts import Plot, Series
from hotdesk.web.comparing import JOBS_MIN, Comparison
from hotdesk.web.news import News, news_of
from hotdesk.web.screens.screen import Ask, Screen
from hotdesk.web.site import Site
from hotdesk.web.wording import counted

PATH = "/"
CARDS_MAX = 24
WAITING_MAX = 10
NEWS_MAX = 10
EVENTS_READ = 100
# Desks with an owner come first; behind them are enough of those that wait.
DESKS_MAX = 200
COLUMNS = 48
DAY = timedelta(days=1)
MEDIAN, MOST = 0.5, 0.95
# A bar that is drawn anew for each second would be sent anew for each.
BAR_STEP = timedelta(seconds=15)

Span = Literal["4h", "24h"]
STEPS: Mapping[Span, timedelta] = {"4h": TALLY_STEP, "24h": 6 * TALLY_STEP}


class WhichSpan(Ask):
    """How far back the charts go."""

    span: Span = "4h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A worker with what it does. ``lease_seconds`` are left, about."""

    worker: WorkerStatus
    desk: DeskStatus | None
    job: Job | None
    lease_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A desk that waits, since when, and the job that is next there."""

    waiting: Waiting
    since: datetime | None
    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A step of the charts as numbers."""

    at: datetime
    done: int
    interrupted: int
    cancelled: int
    failed: int
    started: int
    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, figure: Figure) -> "Column":
        """The numbers of *figure*."""
        p50, p95 = figure.wait(MEDIAN), figure.wait(MOST)
        return cls(
            at=figure.at,
            done=figure.outcomes(JobState.SUCCEEDED),
            interrupted=figure.outcomes(JobState.PREEMPTED),
            cancelled=figure.outcomes(JobState.CANCELLED),
            failed=figure.outcomes(*FAILURES),
            started=figure.started,
            p50=None if p50 is None else p50.total_seconds(),
            p95=None if p95 is None else p95.total_seconds(),
        )

    @staticmethod
    def told(wait: float | None) -> str:
        """A wait in a table."""
        return "\N{EN DASH}" if wait is None else charts.seconds(wait)

    @property
    def ended(self) -> int:
        """Outcomes of any kind."""
        return self.done + self.interrupted + self.cancelled + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """The six numbers; each as it is written, with a line or a chart below."""

    workers: str
    workers_by_state: str
    desks_waiting: str
    without_worker: str
    queued: str
    per_hour: str
    per_hour_chart: Markup
    wait: tuple[str, str]
    wait_chart: Markup
    failed: str
    dead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewView:
    """All of it. ``is_new`` while no job was ever submitted."""

    title: str
    ask: WhichSpan
    overview: Overview
    tiles: Tiles
    cards: Sequence[Card]
    more_workers: int
    rows: Sequence[Row]
    more_rows: str
    throughput: Markup
    waits: Markup
    columns: Sequence[Column]
    news: Sequence[News]
    pool: str
    comparison: Comparison | None
    no_comparison: str
    priced: str
    is_new: bool


async def see(here: Site, ask: WhichSpan) -> OverviewView:
    """Look at everything."""
    backend, now = here.backend, here.clock.now()
    overview = await look(backend, now, desks_max=DESKS_MAX)
    running = {job.id: job for job in await backend.jobs(state=JobState.RUNNING, limit=DESKS_MAX)}
    columns = columns_of(overview, COLUMNS, STEPS[ask.span])
    waiting = overview.waiting[:WAITING_MAX]
    no_comparison = _no_comparison(here, overview)
    least, most = here.pool.workers_min, here.pool.workers_max
    return OverviewView(
        title="Overview",
        ask=ask,
        overview=overview,
        tiles=_tiles(overview),
        cards=_cards(overview, running),
        more_workers=max(len(overview.workers) - CARDS_MAX, 0),
        rows=[await _row(here, each) for each in waiting],
        more_rows=_more(overview, len(waiting)),
        throughput=throughput(columns, ask.span),
        waits=waits(columns, ask.span),
        columns=[each for each in columns if each.ended or each.started],
        news=news_of(await backend.latest_events(limit=EVENTS_READ), most=NEWS_MAX),
        pool=f"{least} to {most} workers" if least < most else counted(most, "worker"),
        comparison=None if no_comparison else here.comparing.latest,
        no_comparison=no_comparison,
        priced=here.comparing.priced,
        is_new=not overview.pending and not await backend.jobs(limit=1),
    )


def columns_of(overview: Overview, number: int, step: timedelta) -> list[Column]:
    """The last *number* steps of that length, those without anything too."""
    last = tally_begin(overview.at)
    # On the grid of the longer step, so that a column stays what it is while it fills.
    last -= (last - datetime.min.replace(tzinfo=last.tzinfo)) % step
    begins = [last - step * back for back in reversed(range(number))]
    steps: dict[datetime, list[Figure]] = {begin: [] for begin in begins}
    for each in overview.trend.steps:
        begin = begins[0] + (each.at - begins[0]) // step * step
        if begin in steps:
            steps[begin].append(each)
    return [Column.of(together(found, at=begin)) for begin, found in steps.items()]


def throughput(columns: Sequence[Column], span: Span) -> Markup:
    """The chart of how jobs ended."""
    ended, most = sum(each.ended for each in columns), max(each.ended for each in columns)
    failed = sum(each.failed for each in columns)
    return charts.bars(
        Plot(
            id="throughput-chart",
            title="Throughput",
            about=f"{counted(ended, 'job')} ended in the last {_hours(span)}, {failed:,} of them "
            f"failed; at most {most:,} in one of {len(columns)} steps.",
            marks=_marks(span),
        ),
        [
            Series(kind="done", values=[each.done for each in columns]),
            Series(
                kind="interrupted",
                values=[each.interrupted for each in columns],
            ),
            Series(kind="cancelled", values=[each.cancelled for each in columns]),
            Series(kind="failed", values=[each.failed for each in columns]),
        ],
    )


def waits(columns: Sequence[Column], span: Span) -> Markup:
    """The chart of how long jobs waited."""
    most = [each.p95 for each in columns if each.p95 is not None]
    told = f"at most {charts.seconds(max(most))} for 95 % of a step" if most else "no job started"
    return charts.lines(
        Plot(
            id="waits-chart",
            title="Wait before a worker starts",
            about=f"In the last {_hours(span)}: {told}.",
            marks=_marks(span),
        ),
        [
            Series(kind="p95", values=[each.p95 for each in columns]),
            Series(kind="p50", values=[each.p50 for each in columns]),
        ],
    )


def _tiles(overview: Overview) -> Tiles:
    counts, hour = overview.counts, overview.last(HOUR)
    states = sorted({each.state for each in overview.workers})
    recent = columns_of(overview, COLUMNS, TALLY_STEP)
    wait = hour.wait(MOST)
    told = charts.seconds(wait.total_seconds()) if wait is not None else ""
    number = told.rstrip("smhd")
    return Tiles(
        workers=f"{len(overview.workers):,}",
        workers_by_state=", ".join(f"{overview.workers_in(each)} {each}" for each in states),
        desks_waiting=bounded(overview.desks_waiting),
        without_worker=bounded(counts.desks_waiting) if counts.desks_waiting else "",
        queued=bounded(counts.queued),
        per_hour=f"{hour.outcomes():,}",
        per_hour_chart=charts.sparkline([each.ended for each in recent], "done"),
        wait=(number, told[len(number) :]),
        wait_chart=charts.sparkline([each.p95 for each in recent], "p95"),
        failed=f"{overview.failed:,}",
        dead=bounded(counts.dead) if counts.dead else "",
    )


def _cards(overview: Overview, running: Mapping[str, Job]) -> list[Card]:
    desks = {each.desk: each for each in overview.desks}
    found = []
    for worker in overview.workers[:CARDS_MAX]:
        desk = desks.get(worker.desk) if worker.desk else None
        left = desk.lease_until - overview.at if desk and desk.lease_until else timedelta(0)
        bar = min(max(-(-left // BAR_STEP) * BAR_STEP, timedelta(0)), LEASE)
        found.append(
            Card(
                worker=worker,
                desk=desk,
                job=running.get(worker.job_id),
                lease_seconds=int(bar.total_seconds()),
            )
        )
    return found


async def _row(here: Site, waiting: Waiting) -> Row:
    desk = waiting.desk
    queue = await here.backend.queue(desk.desk, limit=2)
    following = next((job for job in queue if job.id != desk.active_job), None)
    since = desk.free_since
    if waiting.why in (Why.BEHIND, Why.OWNED) or since is None:
        since = following.submitted_at if following else None
    return Row(waiting=waiting, since=since, job=following)


def _no_comparison(here: Site, overview: Overview) -> str:
    """Why there is nothing to compare, in a sentence; empty where there is a comparison.

    Looking has it made, in the background.
    """
    comparing, started = here.comparing, overview.last(DAY).started
    if not comparing.has_pool:
        return "Every worker here is of one desk. hotdesk plan --recorded 1 compares placements."
    if started < JOBS_MIN:
        return (
            f"{counted(started, 'job')} started in the last 24 hours: from {JOBS_MIN} on, they are"
            " played through other placements here."
        )
    comparing.look(overview.at)
    if comparing.problem:
        return f"Placements were not compared: {comparing.problem}. Try hotdesk plan --recorded 1."
    if comparing.latest is None:
        return "The jobs of the last 24 hours are being played through other placements."
    return ""


def _more(overview: Overview, shown: int) -> str:
    """How many desks wait beside those that are *shown*; nothing for none."""
    if overview.desks_waiting >= COUNTED_MAX:
        return bounded(COUNTED_MAX)
    more = overview.desks_waiting - shown
    return f"{more:,}" if more > 0 else ""


def _hours(span: Span) -> str:
    return f"{span.removesuffix('h')} hours"


def _marks(span: Span) -> tuple[str, str, str]:
    hours = int(span.removesuffix("h"))
    return f"{hours} h ago", f"{hours // 2} h ago", "now"


SCREENS = (Screen(path=PATH, template="overview.html", nav="overview", ask=WhichSpan, see=see),)
