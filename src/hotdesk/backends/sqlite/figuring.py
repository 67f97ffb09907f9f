"""Figures of what is and what happened; how much is read does not grow with the file.

Events are counted a bounded span of cursors at a time: read and counted without the lock
of the file, then added in a short transaction that holds only where nobody was faster.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from hotdesk.backends.sqlite.file import Transaction
from hotdesk.backends.sqlite.rows import event_of, instant
from hotdesk.ports import (
    COUNTED_MAX,
    FIGURES_KEPT,
    Counts,
    Trend,
    counts_of,
    figure_of,
    tally_step,
)

# Cursors that are looked at together: some milliseconds, if each event of them counts.
SPAN = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """What the events behind cursor *after* up to *until* add to each step."""

    after: int
    until: int
    steps: dict[int, Counter[str]]
    is_all: bool


def counts(tx: Transaction) -> Counts:
    """How much there is now."""
    running = int(tx.row("running_jobs")["running"])
    row = tx.row("counts", limit=COUNTED_MAX, running=running)
    first = tx.one("waiting_since")
    return Counts(
        desks_waiting=row["waiting"],
        waiting_since=instant(first["free_since"]) if first else None,
        queued=max(row["unended"] - running, 0),
        running=min(running, COUNTED_MAX),
        dead=row["dead"],
        held=row["held"],
    )


def trend(tx: Transaction, since: datetime) -> Trend:
    """What happened from the step of *since* on: what was counted, and the events behind it."""
    first = tally_step(since)
    rows = tx.all("figures_since", since=first)
    steps: dict[int, dict[str, int]] = {row["step"]: json.loads(row["counts"]) for row in rows}
    left = uncounted(tx)
    for step, more in left.steps.items():
        if step >= first:
            steps[step] = Counter(steps.get(step, {})) + more
    figures = [figure_of(step, found) for step, found in sorted(steps.items())]
    return Trend(steps=figures, is_complete=left.is_all)


def uncounted(tx: Transaction) -> Uncounted:
    """The next events that are not counted yet."""
    after = int(tx.row("counted_up_to")["cursor"])
    last = int(tx.row("last_cursor")["cursor"])
    # What retention has removed is passed at once.
    start = max(after, tx.row("first_cursor")["cursor"] - 1)
    until = min(last, start + SPAN)
    events = [event_of(row) for row in tx.all("events_to_count", after=start, until=until)]
    return Uncounted(after=after, until=until, steps=counts_of(events), is_all=until >= last)


def count(tx: Transaction, found: Uncounted) -> bool:
    """Add *found* to the steps that are kept; ``False`` if somebody else was faster."""
    if not tx.run("count_up_to", after=found.after, until=found.until):
        return False
    for step, more in found.steps.items():
        row = tx.one("figure", step=step)
        kept = Counter[str](json.loads(row["counts"]) if row else {})
        tx.run("set_figure", step=step, counts=json.dumps(kept + more))
    tx.run("delete_old_figures", before=tally_step(tx.now - FIGURES_KEPT))
    return True
