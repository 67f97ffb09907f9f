"""Shortens a failing run: leaves out what went wrong, piece by piece, while it still fails.

Delta debugging: halves are left out first, then quarters, down to single happenings.
What is left at the end is needed, each by itself.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from hotdesk.simulation.world import Failed, simulate_in_memory

# A run takes some tenths of a second, so this some minutes at worst.
RUNS_MAX = 400
# So much of a message says what is broken; behind it are the names.
KIND_LENGTH = 40


def shorten(
    failed: Failed,
    *,
    run: Callable[..., object] = simulate_in_memory,
    on_progress: Callable[[int, Failed], None] = lambda _runs, _best: None,
) -> Failed:
    """The shortest run that was found to fail as *failed* does, itself at worst.

    ``on_progress`` is told, after each run, how many there were and the best so far. At
    most ``RUNS_MAX`` runs are tried.
    """
    runs = 0

    def again(names: Sequence[str]) -> Failed | None:
        nonlocal runs
        runs += 1
        try:
            run(failed.seed, focus=failed.focus, only=frozenset(names))
        except Failed as error:
            return error if _kind(error) == kind else None
        return None

    kind = _kind(failed)
    best, kept = failed, [each.name for each in failed.trace]
    pieces = 2
    while len(kept) > 1 and runs < RUNS_MAX:
        for rest in _without_one_piece(kept, pieces):
            found = again(rest)
            if found is not None:
                # What the shorter run did not come to is not needed either.
                best, kept = found, [each.name for each in found.trace]
                pieces = max(pieces - 1, 2)
            on_progress(runs, best)
            if found is not None:
                break
            if runs >= RUNS_MAX:
                break
        else:
            if pieces >= len(kept):
                break
            pieces = min(2 * pieces, len(kept))
    return best


def _kind(failed: Failed) -> tuple[type[BaseException], str]:
    """What failed, whoever was concerned: another failure is another story."""
    words = re.sub(r"\d+", "#", str(failed.reason))
    return type(failed.reason), words[:KIND_LENGTH]


def _without_one_piece(names: Sequence[str], pieces: int) -> Iterator[list[str]]:
    size = -(-len(names) // pieces)
    # The late ones first: what came after the failure's cause goes at once.
    for first in reversed(range(0, len(names), size)):
        yield [*names[:first], *names[first + size :]]
