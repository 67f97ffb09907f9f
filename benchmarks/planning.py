"""``python -m benchmarks.planning``: what time and memory the planner takes for a month of jobs.

Each line is a process of its own. Processor time, because other programs share the machine;
the bare reference is making the traffic and reading it, which every answer has to.
"""

import argparse
import multiprocessing
import resource
import time
from collections import deque

from benchmarks.machine import Machine
from hotdesk.planner.described import Description, described
from hotdesk.planner.outcome import Timing
from hotdesk.planner.placements import Assumptions, busy_most, play, standard

DESKS_A_PROJECT = 100
WORKDAYS = 20
KIB_A_MIB = 1024


def description(jobs: int, desks: int) -> Description:
    """A month in which about so many jobs come to so many desks."""
    return Description(
        projects=desks // DESKS_A_PROJECT,
        users=DESKS_A_PROJECT,
        jobs_per_user_day=jobs / desks / WORKDAYS,
        job_minutes=6,
        has_office_hours=True,
        has_bursts=True,
    )


def measure(what: str, jobs: int, desks: int) -> tuple[str, int, float, float]:
    """Do one of it; returns what was done, to how many jobs, in what time and memory."""
    traffic = described(description(jobs, desks), 1)
    began, count = time.process_time(), jobs
    if what == "the traffic alone":
        deque(traffic, maxlen=0)
    elif what == "its peak":
        busy_most(traffic)
    else:
        given = Assumptions(timing=Timing(cold_start=45, prepare=5), promise=60)
        # Room for the peak of a million jobs at any size, so that all compare.
        played = play(traffic, standard(500 * jobs // 1_000_000), given)
        count = played.jobs
    took = time.process_time() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_A_MIB
    return what, count, took, most


def main() -> None:
    """Print a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--desks", type=int, default=10_000)
    asked = parser.parse_args()
    machine = Machine.this()
    print(f"{machine.processor}, Python {machine.python}, at {machine.commit}")
    print(f"{'what':<20} {'jobs':>10} {'processor':>11} {'memory':>9}")
    context = multiprocessing.get_context("spawn")
    for what, jobs in (
        ("the traffic alone", asked.jobs),
        ("its peak", asked.jobs),
        ("six placements", asked.jobs // 4),
        ("six placements", asked.jobs),
    ):
        with context.Pool(1) as pool:
            done, count, took, most = pool.apply(measure, (what, jobs, asked.desks))
        print(f"{done:<20} {count:>10,} {took:>9.1f} s {most:>5.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
