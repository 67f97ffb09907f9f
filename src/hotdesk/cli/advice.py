"""An answer of the planner in words for a person, and as records for a program."""

from hotdesk.desks import Json
from hotdesk.planner.answer import Row
from hotdesk.planner.described import DAY
from hotdesk.planner.placements import Assumptions, Dedicated, Placement
from hotdesk.planner.prices import PRICES_OF
from hotdesk.planner.question import Answered, Estimate, Question, estimate
from hotdesk.planner.turning import Turn

HEADS = [
    *("PLACEMENT", "COST A MONTH", "DELAY p50", "p95", "p99", "LATE", "WAIT p95"),
    *("WORKER HOURS", "IDLE", "COLD STARTS", "API CALLS"),
]


def about(first: Answered, question: Question) -> str:
    """What was played, and what was assumed."""
    played = first.played
    days = max(played.span / DAY, 1 / 24)
    timing = question.given.timing
    return (
        f"{played.jobs:,} jobs at {played.desks:,} desks in {days:.1f} days, "
        f"{played.work / 60 / played.jobs:.1f} min of work each; a cold start takes "
        f"{timing.cold_start:g} s, a claim {timing.prepare:g} s; prices of {PRICES_OF}"
    )


def lines(answers: list[Answered], chosen: Row) -> tuple[list[str], list[list[str]]]:
    """The heads and lines of the table: costs over all seeds, the rest of the first."""
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
                f"{row.bill.requests:,.0f}",
            ]
        )
    return HEADS, lines


def _sure(found: Estimate, form: str) -> str:
    told = form.format(found.value)
    return f"{told} ± {form.format(found.half)}" if found.half else told


def _span(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - an hour


def sentence(first: Answered, chosen: Row, change: Turn, promise: float) -> str:
    """The recommendation, why, and when it would be another one."""
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
    if change.to is not None:
        jobs_a_day = _jobs_a_day(first) * change.factor
        return (
            f"{told}. Above about {jobs_a_day:,.0f} jobs a day ({change.factor:.1f} times "
            f"this traffic) it would be {change.to.name}."
        )
    if change.factor > 1:
        return f"{told}. That holds up to {change.factor:.0f} times this traffic."
    return f"{told}. Where that changes cannot be told: this traffic begins unlike it goes on."


def _jobs_a_day(first: Answered) -> float:
    return first.played.jobs / max(first.played.span, 1.0) * DAY


def settings(placement: Placement, given: Assumptions) -> str:
    """The settings that make it so, to paste into ``hotdesk.toml``."""
    lines = ["[pool]", *(f"{name} = {value}" for name, value in placement.settings.items())]
    lines += [f"idle_seconds = {given.idle:.0f}"]
    if isinstance(placement, Dedicated):
        on = "true" if placement.is_always_on else "false"
        lines += [f'pinned = [{{ desk = "PROJECT/USER", always_on = {on} }}]  # one for each desk']
    lines += ["", "[worker]", f"linger_seconds = {given.linger:.0f}"]
    return "\n".join(lines)


def record(row: Row, every: list[Row], *, is_chosen: bool) -> dict[str, Json]:
    """One placement for a program; *every* are its rows with each seed."""
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


def summary(first: Answered, chosen: Row, change: Turn) -> dict[str, Json]:
    """The recommendation for a program."""
    played, to = first.played, change.to
    return {
        "jobs": played.jobs,
        "desks": played.desks,
        "days": round(played.span / DAY, 3),
        "recommended": chosen.placement.name,
        "keeps_promise": chosen.is_kept,
        "changes_above_jobs_a_day": None
        if to is None
        else round(_jobs_a_day(first) * change.factor),
        "changes_to": None if to is None else to.name,
        "prices_of": PRICES_OF,
    }
