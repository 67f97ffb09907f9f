# ruff: noqa: ARG002 - a wrong step is wrong because it does not look at what it is given
"""Wrong ways to interrupt a job, and to hand on what was interrupted."""

from hotdesk.desks import Entry
from hotdesk.lifecycle import Limits, Settlement
from hotdesk.model.protocol import Protocol
from hotdesk.model.setup import Setup
from hotdesk.model.state import (
    Job,
    Send,
    State,
    Worker,
)


class StaleInterruptObeyed(Protocol):
    """Stop for any interrupt that arrives, whatever send it names."""

    def is_meant(self, named: Send, running: Send) -> bool:
        """It may have been meant for an earlier run."""
        return True


class OverStillPreempts(Protocol):
    """Stop for whatever stands in ``pending``, without a look at its job."""

    def is_to_come(self, state: State, entry: Send, send: Send) -> bool:
        """The entry of a job that is over has not been removed yet."""
        return True


class OverStillFolds(OverStillPreempts):
    """Fold a job into whatever stands in ``pending``, without a look at it."""


class EverySendPreempts(Protocol):
    """Let a job preempt another thread with each of its sends, not only with the first."""

    def as_entry(self, state: State, send: Send, *, attempt: int | None = None) -> Entry:
        """The rules are told that it is the first."""
        return super().as_entry(state, send._replace(number=1), attempt=attempt)


class PreemptionsUnbounded(Protocol):
    """Let a job be preempted as often as anybody likes."""

    def __init__(self, setup: Setup) -> None:
        """The rules are told of another bound."""
        super().__init__(setup)
        self.limits = Limits(
            attempts_max=setup.limits.attempts_max,
            preemptions_max=setup.limits.preemptions_max + 5,
            given_back_max=setup.limits.given_back_max,
        )


class HandedOnce(Protocol):
    """Hand an interrupted instruction to the next run only, whatever comes of that."""

    def start(self, state: State, place: int, worker: Worker) -> State:
        """What was handed over is owed no more; but the run may come to nothing."""
        after = super().start(state, place, worker)
        jobs = list(after.jobs)
        for number in after.workers[place].handed:
            jobs[number] = jobs[number]._replace(is_owed=False)
        return after._replace(jobs=tuple(jobs))


class CarriedOutOwedAgain(Protocol):
    """Owe what is folded at its turn, even if a newer job has carried it out meanwhile."""

    def owes(self, job: Job, after: Settlement) -> bool:
        """It overtook the send that was put back, was handed it, and succeeded."""
        return after.is_interrupted
