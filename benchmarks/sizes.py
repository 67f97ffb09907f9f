"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The counts of one repeat.

    ``jobs`` go through ``desks`` of the ``known`` ones, for each number of those;
    ``batch`` jobs share a commit where they are submitted together; ``at_once`` jobs are
    submitted by many tasks at the same time. ``latencies``, ``takeovers`` and
    ``replacements`` are sample counts.
    """

    jobs: int = 20_000
    desks: int = 1_000
    known: tuple[int, ...] = (1_000, 1_000_000)
    batch: int = 100
    at_once: int = 6_400
    latencies: int = 300
    takeovers: int = 10
    replacements: int = 3


QUICK = Sizes(
    jobs=4_000,
    known=(1_000, 100_000),
    at_once=3_200,
    latencies=100,
    takeovers=3,
    replacements=2,
)
