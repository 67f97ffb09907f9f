"""What a run has found, for people and for programs."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from chaos.check import Kind, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The numbers of one run, what was broken, and how to see it again.

    ``takeovers`` are claims after an owner that did not leave, ``stale_overlaps`` agents of a
    former generation that were still there, ``repeated_answers`` answers that came again as
    the same mail; all of them are allowed. ``fell_over`` counts by exit status the processes
    that ended although nobody had asked them to.
    """

    seed: int
    seconds: float
    jobs: int
    mails: int
    duplicate_deliveries: int
    retries: int
    cancels: int
    outcomes: Mapping[str, int]
    faults: Mapping[str, int]
    agents: int
    takeovers: int
    stale_overlaps: int
    answers: int
    repeated_answers: int
    fell_over: Mapping[str, int]
    notes: Sequence[str]
    violations: Sequence[Violation]
    command: str
    folder: str

    @property
    def is_good(self) -> bool:
        """Whether everything was as promised."""
        return not self.violations

    @property
    def broken(self) -> Mapping[str, int]:
        """How often each promise was broken."""
        counts = Counter(violation.kind for violation in self.violations)
        return {str(kind): counts[kind] for kind in Kind}

    def as_json(self) -> str:
        """One object in one line."""
        return json.dumps({**asdict(self), **self.broken})

    def lines(self) -> list[str]:
        """A table for people."""
        rows: dict[str, object] = {
            "seed": self.seed,
            "seconds": f"{self.seconds:.0f}",
            "jobs": f"{self.jobs}, {self.mails} of them by mail",
            "outcomes": _counts(self.outcomes),
            "retries, cancels": f"{self.retries}, {self.cancels}",
            "agents started": self.agents,
            "takeovers": self.takeovers,
            "answers": f"{self.answers}, and {self.repeated_answers} repeated as the same mail",
            "mails delivered again": self.duplicate_deliveries,
            "stale agents beside new ones": self.stale_overlaps,
            "ended by themselves": _counts(self.fell_over) or "none",
            **{f"fault: {name}": count for name, count in self.faults.items()},
            **{f"broken: {name}": count for name, count in self.broken.items()},
        }
        width = max(map(len, rows))
        table = [f"{name:<{width}}  {value}" for name, value in rows.items()]
        notes = [f"note: {note}" for note in self.notes]
        return ["", *table, *notes, *map(_sentence, self.violations), "", self._end()]

    def _end(self) -> str:
        if self.is_good:
            return "Everything was as promised."
        return f"BROKEN. Repeat it with: {self.command}\nLogs: {self.folder}"


def _sentence(violation: Violation) -> str:
    return f"VIOLATION ({violation.kind}): {violation.text}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
