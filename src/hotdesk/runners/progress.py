"""What the runner keeps with a job from one attempt to the next: its answer and its cost.

It is the job's partial work, as the store sees it. A worker that was lost between the push
and the settling has left the answer there; nobody else reads or writes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from hotdesk.desks import Job, Json, Result
from hotdesk.events import AgentEnded, StoredEvent

KEY = "hotdesk"
USD_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """``text``, ``changes`` and ``notes`` as in a ``Result``; empty before there is an answer.

    ``commit`` is the one that the answer stands for where the job has added none of its own:
    the work of interrupted jobs that it continues.
    """

    text: str = ""
    commit: str = ""
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cost_usd: float | None = None

    @classmethod
    def read(cls, partial: Json) -> Self:
        """Read it back; of what somebody else saved there is none."""
        found = partial.get(KEY) if isinstance(partial, dict) else None
        if not isinstance(found, dict):
            return cls()
        text, commit, cost = found.get("text"), found.get("commit"), found.get("cost_usd")
        return cls(
            text=text if isinstance(text, str) else "",
            commit=commit if isinstance(commit, str) else "",
            changes=_texts(found.get("changes")),
            notes=_texts(found.get("notes")),
            cost_usd=float(cost) if isinstance(cost, int | float) else None,
        )

    def json(self) -> Json:
        """As it is saved."""
        return {
            KEY: {
                "text": self.text,
                "commit": self.commit,
                "changes": list(self.changes),
                "notes": list(self.notes),
                "cost_usd": self.cost_usd,
            }
        }

    def with_cost(self, usd: float | None) -> Self:
        """After another run; one that does not say what it cost changes nothing."""
        return self if usd is None else replace(self, cost_usd=(self.cost_usd or 0.0) + usd)

    def with_result(self, result: Result) -> Self:
        """Once there is an answer."""
        return replace(
            self,
            text=result.text,
            commit=result.commit,
            changes=result.changes,
            notes=result.notes,
        )

    def result(self, *, commit: str = "") -> Result:
        """The result of a job that was published before."""
        return Result(
            text=self.text or "This was done before a worker was lost.",
            commit=commit,
            changes=self.changes,
            notes=self.notes,
            cost_usd=self.cost_usd,
        )


def spent(job: Job, history: Iterable[StoredEvent] = ()) -> float | None:
    """What *job* has cost, in dollars to the millionth; ``None`` where nobody has said it.

    Its result says it. Before there is one, its *history* does, also while it runs; or what is
    kept with it, which lacks attempts whose worker was lost.
    """
    usd = _spent(job, history)
    # A sum of floats has a tail that nobody has said.
    return None if usd is None else round(usd, USD_DIGITS)


def _spent(job: Job, history: Iterable[StoredEvent]) -> float | None:
    if job.result is not None:
        return job.result.cost_usd
    told = (each.details.get("cost_usd") for each in history if each.kind == AgentEnded.__name__)
    costs = [usd for usd in told if isinstance(usd, int | float)]
    return sum(costs) if costs else Progress.read(job.partial).cost_usd


def is_progress(partial: Json) -> bool:
    """Whether it is ours, so that no agent is shown it."""
    return isinstance(partial, dict) and set(partial) == {KEY}


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
