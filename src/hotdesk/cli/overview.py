"""Everything at a glance, in words for a terminal: who works, who waits, what needs a person."""

from collections.abc import Mapping
from datetime import timedelta

from hotdesk.cli.records import desk_json, span, worker_json
from hotdesk.desks import Json
from hotdesk.overview import DAY, HOUR, Overview, Waiting, Why, bounded

MEDIAN, MOST = 0.5, 0.95


def overview_json(overview: Overview, backend: str) -> dict[str, Json]:
    """All of it for a program."""
    hour, day = overview.last(HOUR), overview.last(DAY)
    return {
        "backend": backend,
        "at": overview.at.isoformat(),
        "pending": overview.pending,
        "queued": overview.counts.queued,
        "running": overview.counts.running,
        "desks_waiting": overview.desks_waiting,
        "dead": overview.counts.dead,
        "held": overview.counts.held,
        "ended_in_hour": hour.outcomes(),
        "wait_p50_seconds": _seconds(hour.wait(MEDIAN)),
        "wait_p95_seconds": _seconds(hour.wait(MOST)),
        "ended_in_day": {state.value: number for state, number in day.ended.items()},
        "failed_in_day": overview.failed,
        "is_counted": overview.trend.is_complete,
        "workers": [worker_json(worker) for worker in overview.workers],
        "desks": [desk_json(desk) for desk in overview.desks],
        "waiting": [
            {"desk": str(each.desk.desk), "pending": each.desk.pending, "why": why(each, overview)}
            for each in overview.waiting
        ],
    }


def facts(overview: Overview, backend: str) -> Mapping[str, str]:
    """The numbers in a word or two each."""
    counts, hour = overview.counts, overview.last(HOUR)
    states = [worker.state for worker in overview.workers]
    by_state = ", ".join(f"{states.count(each)} {each}" for each in sorted(set(states)))
    median, most = hour.wait(MEDIAN), hour.wait(MOST)
    longest = f", longest {span(overview.at - since)}" if (since := counts.waiting_since) else ""
    behind = "" if overview.trend.is_complete else "; still counting"
    return {
        "backend": backend,
        "workers": f"{len(states)} ({by_state})" if states else "none; start: hotdesk up",
        "jobs": f"{bounded(counts.queued)} queued, {counts.running} running",
        "desks": f"{bounded(overview.desks_waiting)} waiting{longest}",
        "last hour": f"{hour.outcomes():,} jobs ended{behind}",
        "wait": f"half within {_wait(median)}, 95 % within {_wait(most)}"
        if median is not None and most is not None
        else "no job started in the last hour",
        "failed": f"{overview.failed:,} in 24 hours",
        "dead letters": bounded(counts.dead) + ("; see: hotdesk dead list" if counts.dead else ""),
        "for approval": bounded(counts.held)
        + ("; see: hotdesk thread held" if counts.held else ""),
    }


def why(waiting: Waiting, overview: Overview) -> str:
    """Why a desk waits, and what to do about it."""
    desk = waiting.desk
    if waiting.why is Why.PAUSED:
        return f"paused; hotdesk desk resume {desk.desk}"
    if waiting.why is Why.BACKOFF and desk.due_at is not None:
        return f"tries again in {span(desk.due_at - overview.at)}"
    if waiting.why is Why.BEHIND:
        return f"behind job {desk.active_job}"
    return waiting.why.value


def _wait(value: timedelta) -> str:
    return span(value) if value >= timedelta(seconds=1) else "a second"


def _seconds(value: timedelta | None) -> float | None:
    return None if value is None else round(value.total_seconds(), 3)
