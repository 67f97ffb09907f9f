"""``hotdesk simulate``: the whole system in virtual time, with faults from a seed."""

import secrets
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import click

from hotdesk import simulation
from hotdesk.cli.invocation import Invocation
from hotdesk.cli.options import Command, pass_invocation
from hotdesk.desks import Json
from hotdesk.simulation import Report
from hotdesk.simulation.referee import Violation

VIOLATED = 1
SEEDS = 2**32
# A run is nearly all writing; where there is a file system in memory, it takes half the time.
MEMORY = Path("/dev/shm")  # noqa: S108 - only as the parent of a folder of our own
HOUR = timedelta(hours=1)


@click.command(cls=Command)
@click.option("--seed", type=click.IntRange(0), help="Run this seed only.")
@click.option("--seeds", type=click.IntRange(1), help="Run so many seeds, from 0 on.")
@pass_invocation
def simulate(invocation: Invocation, *, seed: int | None, seeds: int | None) -> int:
    """Run the whole system in virtual time, with faults from a seed.

    Without --seed and --seeds, random seeds run until Ctrl-C. An invariant that does not
    hold ends it with exit code 1, and the seed repeats it to the last event.
    """
    output, clock = invocation.output, invocation.clock
    total = _Total()
    began = clock.monotonic()
    try:
        for each in _seeds(seed, seeds):
            report = _run(each)
            total.add(report)
            if output.is_json:
                output.data(_record(report))
            else:
                output.note(_line(report))
    except KeyboardInterrupt:
        output.note("stopped")
    except (Violation, ExceptionGroup) as error:
        for note in getattr(error, "__notes__", ()):
            output.note(note)
        output.note(f"violated: {_first(error)}")
        return VIOLATED
    seconds = max(clock.monotonic() - began, 1e-9)
    output.result(total.as_json(seconds), total.as_text(seconds))
    return 0


def _seeds(seed: int | None, seeds: int | None) -> Iterator[int]:
    if seed is not None:
        yield seed
    elif seeds is not None:
        yield from range(seeds)
    else:
        for _ in count():
            yield secrets.randbelow(SEEDS)


def _run(seed: int) -> Report:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return simulation.simulate(seed, Path(folder))


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
    events, faults = sum(report.events.values()), sum(report.faults.values())
    return (
        f"seed {report.seed}: {hours:.0f} h, {report.jobs} jobs, {events} events, {faults} faults"
    )


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Total:
    """What all runs were like together."""

    def __init__(self) -> None:
        self.seeds = 0
        self.hours = 0.0
        self.faults: dict[str, int] = {}

    def add(self, report: Report) -> None:
        """Count one run."""
        self.seeds += 1
        self.hours += report.lasted / HOUR
        for fault, number in report.faults.items():
            self.faults[fault] = self.faults.get(fault, 0) + number

    def as_json(self, seconds: float) -> dict[str, Json]:
        """The counts, for a program."""
        return {
            "seeds": self.seeds,
            "violations": 0,
            "simulated_hours": round(self.hours, 1),
            "seconds": round(seconds, 1),
            "faults": dict(sorted(self.faults.items())),
        }

    def as_text(self, seconds: float) -> str:
        """The counts, for a person."""
        kinds = ", ".join(f"{number} {fault}" for fault, number in sorted(self.faults.items()))
        pace = self.hours / seconds
        return (
            f"{self.seeds} seeds, 0 violations: {self.hours:.0f} simulated hours in "
            f"{seconds:.1f} s ({pace:.0f} h/s)\n"
            f"{sum(self.faults.values())} faults: {kinds or 'none'}"
        )
