"""Print the cost tables of docs/aws.md: counted calls times public prices.

Transitions and calls come out of the page's own table, which a test counts. What DynamoDB
charges for was counted once in such runs, on 2026-11-22, and no test repeats it: items
written in transactions count twice, an index whose key changes twice more. Prices are
dollars in us-east-1, from memory of the pages named; nothing fetches them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hotdesk.planner.prices import OWN, POOLED, Prices

PAGE = Path(__file__).parents[1] / "docs" / "aws.md"
HOURS = 730  # A month, as AWS's calculator has it.

# What the planner knows as well stands there, with its pages.
LISTED = Prices()
TRANSITION, SQS_REQUEST = LISTED.transition, LISTED.queue_request
WRITE, READ, WORKER_HOUR = LISTED.table_write, LISTED.table_read, LISTED.fargate_hour
STORED_GB = 0.25 + 0.20  # With point-in-time recovery.
INVOCATION = 0.20 / 1_000_000  # https://aws.amazon.com/lambda/pricing/
GB_SECOND = 0.0000166667
S3_PUT, S3_GET = 0.005 / 1_000, 0.0004 / 1_000  # https://aws.amazon.com/s3/pricing/
MAIL = 0.10 / 1_000  # In or out, https://aws.amazon.com/ses/pricing/
ALARM = 0.10  # A month, https://aws.amazon.com/cloudwatch/pricing/

RUN_MINUTES = 5
BEATS = RUN_MINUTES * 2
DESKS = (10, 1_000, 100_000)
DESK_BYTES = 1_500
ALARMS = 11
SWEEPS = HOURS * 60
LOOKS = HOURS * 3600 / 20  # Of a worker that waits: one for every long poll.


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What one job takes, beside its transitions."""

    writes: int
    reads: int
    messages: int


COUNTS: Mapping[str, Count] = {
    "to a known desk that nobody serves": Count(
        writes=POOLED.writes, reads=POOLED.reads, messages=POOLED.messages
    ),
    "behind another one, to a desk that is served": Count(writes=78, reads=12, messages=5),
    "as a correction that interrupts": Count(writes=99, reads=17, messages=7),
    "*container per project and user*": Count(
        writes=OWN.writes, reads=OWN.reads, messages=OWN.messages
    ),
    "*ownership checked, then sent*": Count(writes=4, reads=1, messages=6),
}


def transitions() -> dict[str, int]:
    """The state transitions of a job, from the page."""
    row = re.compile(r"\| (.+?) \| \d+ \| \d+ \| (\d+) \|")
    found = map(row.fullmatch, PAGE.read_text("utf-8").splitlines())
    return {match[1]: int(match[2]) for match in found if match}


def jobs() -> Iterator[str]:
    """What 1,000 jobs cost, without the worker's time."""
    yield "| 1,000 jobs | Step Functions | DynamoDB | SQS | together |"
    yield "| --- | --- | --- | --- | --- |"
    steps = transitions()
    for name, count in COUNTS.items():
        workflow = steps[name] * TRANSITION
        table = count.writes * WRITE + count.reads * READ
        queues = count.messages * SQS_REQUEST
        parts = (workflow, table, queues, workflow + table + queues)
        yield f"| {name} | {' | '.join(f'${1_000 * part:.3f}' for part in parts)} |"


def extras() -> Iterator[str]:
    """What else 1,000 jobs may cost."""
    mail = MAIL + S3_PUT + 2 * S3_GET + INVOCATION + 1.0 * GB_SECOND
    answer = MAIL + S3_GET + INVOCATION + 0.5 * GB_SECOND
    # A beat writes the desk, of two units, and the worker; it looks at the desks that wait.
    beats = BEATS * (3 * WRITE + 1 * READ)
    run = RUN_MINUTES / 60 * WORKER_HOUR
    yield "| 1,000 times | costs |"
    yield "| --- | --- |"
    yield f"| a mail that becomes a job (a second of Lambda) | ${1_000 * mail:.2f} |"
    yield f"| an answer by mail | ${1_000 * answer:.2f} |"
    yield f"| {RUN_MINUTES} minutes of heartbeats | ${1_000 * beats:.2f} |"
    yield f"| {RUN_MINUTES} minutes of a worker on Fargate | ${1_000 * run:.2f} |"


def idle_months() -> Iterator[str]:
    """What a month costs in which nobody writes."""
    sweep = SWEEPS * (INVOCATION + 0.5 * 0.5 * GB_SECOND + 10 * READ + S3_GET)
    waiting = LOOKS * (2 * SQS_REQUEST + 2 * READ + 1 * WRITE)
    worker = HOURS * WORKER_HOUR
    yield "| an idle month | " + " | ".join(f"{desks:,} desks" for desks in DESKS) + " |"
    yield "| --- " * (len(DESKS) + 1) + "|"
    stored = [desks * DESK_BYTES / 1e9 * STORED_GB for desks in DESKS]
    rows = {
        "records of desks": stored,
        f"sweep every minute, {ALARMS} alarms": [sweep + ALARMS * ALARM] * len(DESKS),
        "**together, pool from zero**": [each + sweep + ALARMS * ALARM for each in stored],
        "two warm workers": [2 * (worker + waiting)] * len(DESKS),
        "**together, two warm**": [
            each + sweep + ALARMS * ALARM + 2 * (worker + waiting) for each in stored
        ],
        "*container per project and user*": [desks * worker for desks in DESKS],
    }
    for name, values in rows.items():
        yield f"| {name} | {' | '.join(f'${value:,.2f}' for value in values)} |"


def tables() -> str:
    """All of it, as it stands in the page."""
    return "\n\n".join("\n".join(part()) for part in (jobs, extras, idle_months))


if __name__ == "__main__":
    print(tables())
