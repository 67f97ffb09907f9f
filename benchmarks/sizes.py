"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The counts of one repeat.

    ``jobs`` go through ``desks`` of the ``known`` ones, for each number of those;
    ``batch`` jobs share a commit where they are submitted together. ``latencies``,
    ``takeovers`` and ``replacements`` are sample counts.
    """

    jobs: int = 20_000
    desks: int = 1_000
    known: tuple[int, ...] = (1_000, 1_000_000)
    batch: int = 100
    latencies: int = 500
    takeovers: int = 10
    replacements: int = 5


QUICK = Sizes(jobs=4_000, known=(1_000, 100_000), latencies=100, takeovers=3, replacements=2)
