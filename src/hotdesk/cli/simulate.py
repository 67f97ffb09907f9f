"""``hotdesk simulate``: the whole system in virtual time, with faults from a seed."""

import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import click

from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.cli.output import Output
from hotdesk.desks import Json
from hotdesk.simulation import Failed, Report, simulate_in_memory
from hotdesk.simulation.plan import OTHERS_STEPS, WORKERS_STEPS
from hotdesk.simulation.shorten import shorten

VIOLATED = 1
SEEDS = 2**32
HOUR = timedelta(hours=1)
# A line for each seed is read; one for each of thousands is not.
LINES_MAX = 100


@click.command(cls=Command)
@click.option("--seed", type=click.IntRange(0), help="Run this seed only.")
@click.option("--seeds", type=click.IntRange(1), help="Run so many seeds, from --first on.")
@click.option("--first", type=click.IntRange(0), default=0, help="The first of --seeds.")
@click.option(
    "--focus",
    type=click.Choice([*WORKERS_STEPS, *OTHERS_STEPS]),
    help="Let much go wrong at this step of the protocol; the seed picks one otherwise.",
)
@pass_invocation
def simulate(
    invocation: Invocation, *, seed: int | None, seeds: int | None, first: int, focus: str | None
) -> int:
    """Run the whole system in virtual time, with faults from a seed.

    Without --seed and --seeds, random seeds run until Ctrl-C. An invariant that does not
    hold ends it with exit code 1: what is needed for it is printed, shortened fault by
    fault, and the seed repeats it to the last event.
    """
    output, clock = invocation.output, invocation.clock
    total = Total()
    began = clock.monotonic()
    every = max(1, (seeds or 0) // LINES_MAX)
    try:
        for each in _seeds(seed, seeds, first):
            report = simulate_in_memory(each, focus=focus or "")
            total.add(report)
            if output.is_json:
                output.data(_record(report))
            elif total.seeds % every == 0:
                output.note(_line(report))
    except KeyboardInterrupt:
        output.note("stopped")
    except Failed as failed:
        _tell(failed, output)
        return VIOLATED
    seconds = max(clock.monotonic() - began, 1e-9)
    output.result(total.as_json(seconds), total.as_text(seconds))
    return 0


def _seeds(seed: int | None, seeds: int | None, first: int) -> Iterator[int]:
    if seed is not None:
        yield seed
    elif seeds is not None:
        yield from range(first, first + seeds)
    else:
        for _ in count():
            yield secrets.randbelow(SEEDS)


def _tell(failed: Failed, output: Output) -> None:
    output.note(f"violated: {failed}")
    output.note(f"{len(failed.trace)} things happened; looking for those that it takes …")
    short = failed

    def note(runs: int, best: Failed) -> None:
        nonlocal short
        short = best
        if runs % 20 == 0:
            output.note(f"  {runs} runs, {len(best.trace)} left")

    try:
        short = shorten(failed, on_progress=note)
    except KeyboardInterrupt:
        output.note("stopped; this is the shortest so far")
    for each in short.trace:
        output.note(f"{timedelta(seconds=round(each.at))!s:>9}  {each.name}")
    output.note(f"violated: {short}")
    output.note(f"to repeat it: {failed.repeat}")
    if output.is_json:
        trace: list[Json] = [{"at": each.at, "name": each.name} for each in short.trace]
        output.data(
            {
                "seed": failed.seed,
                "violations": 1,
                "reason": str(short.reason),
                "trace": trace,
                "repeat": failed.repeat,
            }
        )


def _record(report: Report) -> dict[str, Json]:
    return {
        "seed": report.seed,
        "jobs": report.jobs,
        "workers": report.workers,
        "simulated_seconds": report.lasted.total_seconds(),
        "events": dict(report.events),
        "faults": dict(report.faults),
        "digest": report.digest,
    }


def _line(report: Report) -> str:
    hours = report.lasted / HOUR
    events, faults = sum(report.events.values()), report.faults.total()
    return (
        f"seed {report.seed}: {hours:.1f} h, {report.jobs} jobs, {events} events, {faults} faults"
    )


class Total:
    """What all runs were like together."""

    def __init__(self) -> None:
        """Nothing has run."""
        self.seeds = 0
        self.hours = 0.0
        self.faults: Counter[str] = Counter()
        self.hits: Counter[tuple[str, str]] = Counter()

    def add(self, report: Report) -> None:
        """Count one run."""
        self.seeds += 1
        self.hours += report.lasted / HOUR
        self.faults.update(report.faults)
        self.hits.update(report.hits)

    def as_json(self, seconds: float) -> dict[str, Json]:
        """The counts, for a program."""
        return {
            "seeds": self.seeds,
            "violations": 0,
            "simulated_hours": round(self.hours, 1),
            "seconds": round(seconds, 1),
            "simulated_hours_per_second": round(self.hours / seconds, 2),
            "faults": dict(sorted(self.faults.items())),
            "hits": {step: dict(sorted(hits.items())) for step, hits in self._by_step()},
        }

    def as_text(self, seconds: float) -> str:
        """The counts, for a person."""
        kinds = ", ".join(f"{number} {fault}" for fault, number in sorted(self.faults.items()))
        pace = self.hours / seconds
        span = f"{self.hours:.0f} simulated hours in {seconds:.1f} s ({pace:.1f} h/s)"
        lines = [
            f"{self.seeds} seeds, 0 violations: {span}",
            f"{self.faults.total()} faults: {kinds or 'none'}",
        ]
        if self.seeds > 1:
            lines.append("by step of the protocol:")
            for step, hits in self._by_step():
                each = ", ".join(f"{number} {kind}" for kind, number in sorted(hits.items()))
                lines.append(f"  {step:<13} {each}")
        return "\n".join(lines)

    def _by_step(self) -> list[tuple[str, dict[str, int]]]:
        found: dict[str, dict[str, int]] = {}
        for (step, kind), number in sorted(self.hits.items()):
            found.setdefault(step, {})[kind] = number
        return sorted(found.items())
