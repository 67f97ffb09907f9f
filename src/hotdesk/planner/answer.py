"""Which placement to take: the cheapest one that keeps the promise."""

from collections.abc import Sequence
from dataclasses import dataclass

from hotdesk.planner.bill import Bill, Where, bill
from hotdesk.planner.outcome import Outcome
from hotdesk.planner.placements import Placement, Played
from hotdesk.planner.prices import Prices

KEPT = 0.95
"""The share of jobs whose worker comes as soon as promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One placement with what came out of it."""

    placement: Placement
    outcome: Outcome
    bill: Bill

    @property
    def is_kept(self) -> bool:
        """Whether the promise is kept for enough jobs."""
        delays = self.outcome.delays.all
        return delays.late <= (1 - KEPT) * delays.count


def rows(
    played: Played, placements: Sequence[Placement], where: Where, prices: Prices
) -> list[Row]:
    """The table, in the order of *placements*."""
    return [
        Row(placement=each, outcome=out, bill=bill(each, out, played.jobs, where, prices))
        for each, out in zip(placements, played.outcomes, strict=True)
    ]


def best(found: Sequence[Row]) -> Row:
    """The cheapest that keeps the promise; if none does, the one that breaks it least."""
    kept = [row for row in found if row.is_kept]
    if kept:
        return min(kept, key=lambda row: row.bill.total)
    return min(found, key=lambda row: (row.outcome.delays.all.late, row.bill.total))


def frontier(found: Sequence[Row]) -> list[Row]:
    """Those that no other one beats in cost and in delay, the cheapest first."""
    kept: list[Row] = []
    for row in sorted(found, key=lambda row: (row.bill.total, _delay(row))):
        if not kept or _delay(row) < _delay(kept[-1]):
            kept.append(row)
    return kept


def _delay(row: Row) -> float:
    return row.outcome.delays.all.quantile(KEPT)
