"""What goes wrong and when: each fate is drawn by itself, from the seed and the name of its moment.

So no fate depends on what was drawn before it. A run may leave some faults out and keep
the others, which is how a failing run is shortened.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import TypeVar

K = TypeVar("K", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that a run may leave out; ``at`` is in virtual seconds, *name* is its only one."""

    at: float
    name: str


class Fates:
    """Draws what happens, and keeps account of it."""

    def __init__(
        self, seed: int, clock: Callable[[], float], *, only: frozenset[str] | None = None
    ) -> None:
        """Draw from *seed*; of all happenings, leave out those that are not in *only*."""
        self._seed = seed
        self._clock = clock
        self._only = only
        self._turns: Counter[str] = Counter()
        self.trace: list[Happening] = []
        self.counts: Counter[tuple[str, str]] = Counter()

    def turn(self, name: str) -> tuple[int, str]:
        """The number of the next moment of this kind, from 1, and its name."""
        self._turns[name] += 1
        return self._turns[name], f"{name} {self._turns[name]}"

    def lot(self, name: str) -> float:
        """A number from 0 to 1, always the same for a name."""
        digest = blake2b(f"{self._seed} {name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def draw(self, name: str, chances: Mapping[K, float], *, step: str = "") -> K | None:
        """Which of *chances* happens at this moment, if any; counted under *step*."""
        lot = self.lot(name)
        for each, chance in chances.items():
            if lot < chance:
                return each if self.happens(f"{name}: {each}", step=step, kind=each) else None
            lot -= chance
        return None

    def happens(self, name: str, *, step: str, kind: str) -> bool:
        """Take note of a happening; ``False`` when this run leaves it out."""
        if self._only is not None and name not in self._only:
            return False
        self.trace.append(Happening(at=self._clock(), name=name))
        self.counts[step, kind] += 1
        return True
