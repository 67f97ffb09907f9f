"""``hotdesk plan``: which placement, from a traffic and prices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.output import Output, table
from hotdesk.desks import Json
from hotdesk.planner.answer import Row, best
from hotdesk.planner.bill import Where
from hotdesk.planner.described import Description
from hotdesk.planner.outcome import Timing
from hotdesk.planner.placements import Assumptions, Dedicated, Placement, WarmPool
from hotdesk.planner.prices import PRICES_OF, Prices
from hotdesk.planner.question import (
    Answered,
    Estimate,
    FromFile,
    Question,
    Source,
    answers_to,
    estimate,
)
from hotdesk.planner.turning import Turn, turn

DAY = 86_400.0
SIZE = "MIN:MAX"


class _Size(click.ParamType[WarmPool]):
    """``2:4``, the least and the most workers of a pool."""

    name = SIZE

    def convert(self, value: Any, param: Any, ctx: Any) -> WarmPool:  # noqa: ANN401 - click's
        least, _, most = str(value).partition(":")
        if not (least.isdecimal() and most.isdecimal()) or int(most) < 1 or len(value) > 13:  # noqa: PLR2004 - 6:6 digits
            self.fail(f"{value!r} is no size; write the least and the most, as 2:4", param, ctx)
        if int(least) > int(most):
            self.fail(f"{value!r} has more at least than at most", param, ctx)
        return WarmPool(workers_min=int(least), workers_max=int(most))


_seconds = click.FloatRange(0, 7 * DAY)
_some = click.FloatRange(0, 10_000, min_open=True)


@click.command(cls=Command)
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Play the jobs of this file: CSV or JSON Lines with at, desk and seconds.",
)
@click.option("--projects", type=click.IntRange(1, 100_000), default=10, show_default=True)
@click.option(
    "--users",
    type=click.IntRange(1, 100_000),
    default=10,
    show_default=True,
    help="Users of each project; every one has a desk there.",
)
@click.option("--jobs-per-user-day", type=_some, default=4.0, show_default=True)
@click.option(
    "--job-minutes",
    type=_some,
    default=6.0,
    show_default=True,
    help="The mean work of an agent; with --trace, of rows that do not say.",
)
@click.option(
    "--corrections",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="The share of jobs that a newer mail corrects while they run.",
)
@click.option("--days", type=click.IntRange(1, 366), default=28, show_default=True)
@click.option("--office-hours", is_flag=True, help="Work comes Monday to Friday from 8 to 18.")
@click.option("--bursts", is_flag=True, help="Three in ten arrivals come with some more.")
@click.option(
    "--pool",
    "pools",
    type=_Size(),
    multiple=True,
    metavar=SIZE,
    help="Compare pools of these sizes; may be given again.",
)
@click.option(
    "--promise",
    type=_seconds,
    default=60.0,
    show_default=True,
    help="Seconds in which a worker should take a job whose turn it is.",
)
@click.option(
    "--cold-start",
    type=_seconds,
    default=45.0,
    show_default=True,
    help="Seconds until a worker that is started can claim.",
)
@click.option(
    "--prepare",
    type=_seconds,
    default=5.0,
    show_default=True,
    help="Seconds that a claim takes until its first job runs.",
)
@click.option("--crashes-per-hour", type=click.FloatRange(0, 60), default=0.0, show_default=True)
@click.option("--linger", type=_seconds, help="Seconds; as configured if not given.")
@click.option("--idle", type=_seconds, help="Seconds; as configured if not given.")
@click.option(
    "--where",
    type=click.Choice([str(each) for each in Where]),
    default=Where.FARGATE,
    show_default=True,
)
@click.option(
    "--price",
    "overrides",
    type=(str, float),
    multiple=True,
    metavar="NAME DOLLARS",
    help="Another price, as --price fargate_hour 0.05; may be given again.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Play so many random traffics, and tell how sure the figures are.",
)
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True)
@pass_invocation
def plan(invocation: Invocation, **asked: Any) -> None:  # noqa: ANN401 - one for each option
    """Compare placements on a traffic, and say which to take.

    The traffic is described by --projects to --bursts, or played from a --trace.
    """
    output = invocation.output
    question = _question(invocation, **asked).with_placements()
    done = _progress(output)
    answers = answers_to(question, asked["seeds"], processes=asked["processes"], on_progress=done)
    first = answers[0]
    chosen = best(first.rows)
    change = turn(question)
    if output.is_json:
        for number, row in enumerate(first.rows):
            output.data(_record(row, [each.rows[number] for each in answers], row is chosen))
        output.data(_summary(first, chosen, change))
        return
    output.text(_about(first, question))
    output.console().print(table(*_table(answers, chosen)))
    output.text(_sentence(first, chosen, change, question.given.promise))
    output.text(_settings(chosen.placement, question.given))


def _question(invocation: Invocation, **asked: Any) -> Question:  # noqa: ANN401 - as they are
    config = invocation.load().config
    source: Source
    if asked["trace"] is not None:
        source = FromFile(path=asked["trace"], default_seconds=_given_minutes())
    else:
        source = Description(
            projects=asked["projects"],
            users=asked["users"],
            jobs_per_user_day=asked["jobs_per_user_day"],
            job_minutes=asked["job_minutes"],
            corrections=asked["corrections"],
            days=asked["days"],
            has_office_hours=asked["office_hours"],
            has_bursts=asked["bursts"],
        )
    timing = Timing(
        cold_start=asked["cold_start"],
        prepare=asked["prepare"],
        crashes_per_hour=asked["crashes_per_hour"],
    )
    limits = config.worker.limits
    given = Assumptions(
        timing=timing,
        linger=_or(asked["linger"], limits.linger.total_seconds()),
        idle=_or(asked["idle"], config.pool.limits.idle.total_seconds()),
        session_max=limits.session_max.total_seconds(),
        promise=asked["promise"],
    )
    pools: tuple[Placement, ...] = asked["pools"]
    if pools:
        own = (Dedicated(is_always_on=True), Dedicated(is_always_on=False))
        pools = (*own, *dict.fromkeys(pools))
    return Question(
        source=source,
        given=given,
        where=Where(asked["where"]),
        prices=Prices.of(dict(asked["overrides"])),
        placements=pools,
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _given_minutes() -> float | None:
    """What was said of jobs without a duration; nothing is assumed unasked."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    if context.get_parameter_source("job_minutes") is default:
        return None
    return float(context.params["job_minutes"]) * 60


def _progress(output: Output) -> Callable[[int], None]:
    def tell(jobs: int) -> None:
        if jobs % 100_000 == 0:
            output.note(f"{jobs:,} jobs played")

    return tell


# ---------------------------------------------------------------- what is printed


def _about(first: Answered, question: Question) -> str:
    played = first.played
    days = max(played.span / DAY, 1 / 24)
    timing = question.given.timing
    return (
        f"{played.jobs:,} jobs at {played.desks:,} desks in {days:.1f} days, "
        f"{played.work / 60 / played.jobs:.1f} min of work each; a cold start takes "
        f"{timing.cold_start:g} s, a claim {timing.prepare:g} s; prices of {PRICES_OF}"
    )


def _table(answers: list[Answered], chosen: Row) -> tuple[list[str], list[list[str]]]:
    heads = ["PLACEMENT", "COST A MONTH", "DELAY p50", "p95", "p99", "LATE", "WAIT p95"]
    heads += ["WORKER HOURS", "IDLE", "COLD STARTS"]
    lines = []
    for number, row in enumerate(answers[0].rows):
        every = [each.rows[number] for each in answers]
        delays, out = row.outcome.delays.all, row.outcome
        lines.append(
            [
                f"{row.placement.name}{' *' * (row is chosen)}",
                _sure(estimate(each.bill.total for each in every), "${:,.2f}"),
                _span(delays.quantile(0.5)),
                _span(delays.quantile(0.95)),
                _span(delays.quantile(0.99)),
                f"{delays.late / delays.count:.1%}",
                _span(out.waits.quantile(0.95)),
                f"{out.worker_seconds / 3600:,.0f}",
                f"{out.idle_share:.0%}",
                f"{out.cold_starts:,}",
            ]
        )
    return heads, lines


def _sure(found: Estimate, form: str) -> str:
    told = form.format(found.value)
    return f"{told} ± {form.format(found.half)}" if found.half else told


def _span(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - an hour


def _sentence(first: Answered, chosen: Row, change: Turn | None, promise: float) -> str:
    delays = chosen.outcome.delays.all
    if not chosen.is_kept:
        return (
            f"None gives 95 % of jobs a worker within {promise:g} s; {chosen.placement.name} "
            f"comes nearest, with {delays.late / delays.count:.1%} late. Allow more workers "
            "with --pool, or promise less."
        )
    dearest = max(first.rows, key=lambda row: row.bill.total)
    share = chosen.bill.total / dearest.bill.total if dearest.bill.total else 1.0
    told = (
        f"Take {chosen.placement.name}: the cheapest that gives 95 % of jobs a worker within "
        f"{promise:g} s"
    )
    if dearest is not chosen:
        told += f", for {share:.0%} of what {dearest.placement.name} costs"
    if change is None:
        return f"{told}. That holds up to 64 times this traffic."
    return (
        f"{told}. Above about {change.jobs_a_day:,.0f} jobs a day ({change.factor:.1f} times "
        f"this traffic) it would be {change.to.name}."
    )


def _settings(placement: Placement, given: Assumptions) -> str:
    lines = ["[pool]", *(f"{name} = {value}" for name, value in placement.settings.items())]
    lines += [f"idle_seconds = {given.idle:.0f}"]
    if isinstance(placement, Dedicated):
        on = "true" if placement.is_always_on else "false"
        lines += [f'pinned = [{{ desk = "PROJECT/USER", always_on = {on} }}]  # one for each desk']
    lines += ["", "[worker]", f"linger_seconds = {given.linger:.0f}"]
    return "\n".join(lines)


def _record(row: Row, every: list[Row], is_chosen: bool) -> dict[str, Json]:  # noqa: FBT001 - private
    delays, out = row.outcome.delays.all, row.outcome
    cost = estimate(each.bill.total for each in every)
    return {
        "placement": row.placement.name,
        "is_recommended": is_chosen,
        "keeps_promise": row.is_kept,
        "cost_month_usd": round(cost.value, 2),
        "cost_month_half_interval_usd": round(cost.half, 2),
        "workers_usd": round(row.bill.workers, 2),
        "jobs_usd": round(row.bill.jobs, 2),
        "requests_month": round(row.bill.requests),
        "delay_seconds": {
            "p50": round(delays.quantile(0.5), 3),
            "p95": round(delays.quantile(0.95), 3),
            "p99": round(delays.quantile(0.99), 3),
        },
        "delay_p95_by_hour": [round(h.quantile(0.95), 3) for h in out.delays.hours],
        "wait_p95_seconds": round(out.waits.quantile(0.95), 3),
        "late_share": round(delays.late / delays.count, 6) if delays.count else 0.0,
        "worker_hours": round(out.worker_seconds / 3600, 3),
        "idle_share": round(out.idle_share, 4),
        "cold_starts": out.cold_starts,
        "workers_most": out.workers_most,
        "settings": dict(row.placement.settings),
    }


def _summary(first: Answered, chosen: Row, change: Turn | None) -> dict[str, Json]:
    played = first.played
    return {
        "jobs": played.jobs,
        "desks": played.desks,
        "days": round(played.span / DAY, 3),
        "recommended": chosen.placement.name,
        "keeps_promise": chosen.is_kept,
        "changes_above_jobs_a_day": None if change is None else round(change.jobs_a_day),
        "changes_to": None if change is None else change.to.name,
        "prices_of": PRICES_OF,
    }
