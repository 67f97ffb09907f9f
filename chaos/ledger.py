"""The ledger: what Hotdesk has accepted, as those know who asked for it.

Written before anything is judged and apart from everything that Hotdesk stores. What
nobody answered is noted as such: it may have happened or not.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One instruction that was accepted.

    ``key`` is the Message-ID of a mail, or the id that a program chose. Jobs of a
    ``chain`` interrupt nothing and come one after the other, in the order of the ledger.
    """

    key: str
    desk: str
    is_mail: bool
    chain: str = ""


@dataclass(slots=True)
class Ledger:
    """What was accepted so far; ``file`` keeps it for people to read."""

    file: Path | None = None
    submissions: list[Submission] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    deliveries: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    unanswered_retries: Counter[str] = field(default_factory=Counter)
    cancels: Counter[str] = field(default_factory=Counter)

    def accept(self, submission: Submission) -> None:
        """Note an acceptance; the same one again is a further delivery."""
        self.deliveries[submission.key] += 1
        if self.deliveries[submission.key] == 1:
            self.submissions.append(submission)
        self._write("accepted", asdict(submission))

    def refuse(self, key: str, reason: str) -> None:
        """Note that something was refused for good, which nothing here should be."""
        self.refusals.append(f"{key} was refused: {reason}")
        self._write("refused", {"key": key, "reason": reason})

    def retry(self, job_id: str, *, is_answered: bool) -> None:
        """Note that a job was sent again."""
        (self.retries if is_answered else self.unanswered_retries)[job_id] += 1
        self._write("retried", {"job": job_id, "is_answered": is_answered})

    def cancel(self, job_id: str) -> None:
        """Note that a cancel was accepted."""
        self.cancels[job_id] += 1
        self._write("cancelled", {"job": job_id})

    def _write(self, what: str, details: dict[str, object]) -> None:
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"what": what, **details}) + "\n")
