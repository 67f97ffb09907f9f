# ruff: noqa: ARG002 - a wrong step is wrong because it does not look at what it is given
"""Wrong ways to submit a job, and to ask for a worker."""

from hotdesk.model.protocol import Protocol
from hotdesk.model.rulings import Moves
from hotdesk.model.state import (
    At,
    Job,
    Result,
    Send,
    State,
)


class CheckThenSend(Protocol):
    """Read the owner without announcing; release when the queue looks empty."""

    def with_entry(self, state: State, send: Send) -> tuple[Send, ...]:
        """Nothing is announced."""
        return state.desk.pending

    def may_release(self, state: State) -> bool:
        """The message of a job that was routed here may still be on its way."""
        return not state.queue


class LookFirst(Protocol):
    """Read who owns the desk, and announce afterwards."""

    def announce(self, state: State, number: int, job: Job) -> Moves:
        """Only look, and ask."""
        yield from self.ask(state, number, job)

    def send(self, state: State, number: int, job: Job) -> Moves:
        """The owner that was seen may have left by now, with nothing pending."""
        pending = self.with_entry(state, Send(number, job.number))
        announced = state._replace(desk=state.desk._replace(pending=pending))
        yield from super().send(announced, number, job)


class PendingByJob(Protocol):
    """``pending`` holds jobs, not sends: settling the old send erases the new one."""

    def entry(self, send: Send) -> Send:
        """Every send of a job has the same entry."""
        return Send(send.job, 1)

    def is_over(self, state: State, entry: Send) -> bool:
        """An entry does not say which send it is for."""
        return state.jobs[entry.job].at is At.OVER


class NoSweep(Protocol):
    """Trust claim requests alone: a workflow may be stopped between the mark and the request."""

    def sweep_asks(self, state: State) -> Moves:
        """Nobody asks again."""
        return iter(())


class AskedKept(Protocol):
    """Keep the mark ``asked`` when the desk is claimed and when it is released."""

    def claimed(self, state: State) -> State:
        """Nobody asks for the next generation."""
        return state

    def released(self, state: State) -> State:
        """Nobody asks for the next job."""
        return state


class AskedLeft(Protocol):
    """Keep the mark ``asked`` when the desk is released."""

    def released(self, state: State) -> State:
        """It is of a request that was deleted, since the owner held another one."""
        return state


class FoldAtSubmit(Protocol):
    """Fold a queued job when its successor is submitted, and keep it with the successor."""

    def announce(self, state: State, number: int, job: Job) -> Moves:
        """The successor takes in what waits of its thread."""
        for words, after in super().announce(state, number, job):
            folded = after
            for older in range(number):
                is_waiting = after.jobs[older].at is At.WAIT
                send = Send(older, after.jobs[older].number)
                is_queued = is_waiting and after.desk.active.job != older
                if is_queued and self.preempts(after, Send(number, 1), send):
                    ended = self.end(folded, older, Result.PREEMPTED)
                    owed = ended.jobs[older]._replace(is_owed=True)
                    folded = self.job_is(ended, older, owed)
            yield words, folded

    def end(self, state: State, number: int, outcome: Result) -> State:
        """What is kept with a job ends with it."""
        state = super().end(state, number, outcome)
        if outcome is Result.SUCCEEDED:
            return state
        jobs = tuple(
            job._replace(is_owed=False) if older < number else job
            for older, job in enumerate(state.jobs)
        )
        return state._replace(jobs=jobs)
