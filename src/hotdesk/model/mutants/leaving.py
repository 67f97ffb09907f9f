# ruff: noqa: ARG002 - a wrong step is wrong because it does not look at what it is given
"""Wrong ways to claim a desk, to recover what was left there, and to leave it."""

from dataclasses import replace
from datetime import timedelta

from hotdesk.model.protocol import Protocol
from hotdesk.model.rulings import PUNCTUAL, Moves
from hotdesk.model.setup import Setup
from hotdesk.model.state import (
    At,
    Do,
    Generation,
    Head,
    Owner,
    Request,
    Result,
    State,
    Worker,
)


class TtlTrusted(Protocol):
    """Take a record for the lease, since the store would have expired it: hours late."""

    def is_served(self, state: State, ahead: timedelta = PUNCTUAL) -> bool:
        """The end of the lease is not looked at."""
        return state.desk.owner is not Owner.NOBODY


class LeaseIgnored(Protocol):
    """Claim whenever a claim request arrives."""

    def is_claimed(self, state: State, ahead: timedelta = PUNCTUAL) -> bool:
        """Whoever asks gets the desk."""
        return False


class NoMargin(Protocol):
    """Claim as soon as a lease is over on the claimer's own clock."""

    def __init__(self, setup: Setup) -> None:
        """The rules are told of no margin for clock skew."""
        super().__init__(setup)
        self.limits = replace(setup.limits, clock_skew=timedelta(0))


class GenerationKept(Protocol):
    """A claim changes the owner, but not the generation."""

    def outdated(self, other: Worker) -> Worker:
        """A worker that slept past its lease is as good as the new owner."""
        return other


class RequestDeletedEarly(Protocol):
    """Delete the claim request when it is received, and not when the work is done."""

    def receive_request(self, state: State, place: int, worker: Worker) -> Moves:
        """Nothing brings the desk back if this worker dies."""
        for words, after in super().receive_request(state, place, worker):
            claiming = after.workers[place]._replace(request=Request.NONE)
            yield words, self.worker_is(after, place, claiming)


class ReleaseUncompared(Protocol):
    """See that nothing is pending, then release without comparing again."""

    def serve(self, state: State, place: int, worker: Worker) -> Moves:
        """The desk was empty a moment ago."""
        if worker.result and not worker.is_fenced:
            after = self.left(state, place, worker._replace(do=Do.DELETE_REQUEST))
            yield f"worker {place} releases the desk", after
        else:
            yield from super().serve(state, place, worker)

    def release(self, state: State, place: int, worker: Worker) -> Moves:
        """Only look."""
        if self.may_release(state):
            seen = worker._replace(result=Result.GONE)
            yield f"worker {place} sees an empty desk", self.worker_is(state, place, seen)


class ReleaseByQueue(Protocol):
    """Release when the queue looks empty, though the job was announced."""

    def may_release(self, state: State) -> bool:
        """The announcement is ahead of its message."""
        return not state.queue


class LeaveUnfenced(Protocol):
    """Clear the owner without comparing the generation."""

    def serve(self, state: State, place: int, worker: Worker) -> Moves:
        """A frozen worker wakes up and clears the new owner."""
        yield from super().serve(state, place, worker)
        if worker.generation is Generation.STALE:
            yield from self.release(state, place, worker)


class FreshRequest(Protocol):
    """Give way with a new claim request, before the owner is cleared."""

    def give_way(self, state: State, place: int, worker: Worker) -> Moves:
        """The new request may be deleted as a duplicate while the owner still stands."""
        leaving = worker._replace(do=Do.SHOW_REQUEST)
        after = self.worker_is(state, place, leaving)
        yield (
            f"worker {place} sends a new claim request to give way",
            after._replace(requests=state.requests + 1),
        )

    def show_request(self, state: State, place: int, worker: Worker) -> Moves:
        """Clear the owner; the held request is deleted afterwards."""
        if worker.generation is Generation.NONE:
            yield from super().show_request(state, place, worker)
        elif worker.is_fenced:
            yield self.lost(state, place)
        else:
            after = self.left(state, place, worker._replace(do=Do.DELETE_REQUEST))
            yield f"worker {place} clears the owner", after


class RecoveryUnprobed(Protocol):
    """Take what a former owner left active for finished, without probing its token."""

    def recover(self, state: State, place: int, worker: Worker) -> Moves:
        """Its message is deleted, whatever became of it."""
        left = state.desk.active.job
        over = self.job_is(state, left, state.jobs[left]._replace(at=At.OVER))
        for words, after in super().recover(over, place, worker):
            yield words, self.job_is(after, left, state.jobs[left])


class ClearUnfenced(Protocol):
    """Clear what was left active without comparing the generation."""

    def clear(self, state: State, place: int, worker: Worker) -> Moves:
        """A worker that froze while it recovered clears what the next owner runs."""
        claim = worker._replace(generation=Generation.MINE)
        for words, after in super().clear(state, place, claim):
            cleared = after.workers[place]._replace(generation=worker.generation)
            yield words, self.worker_is(after, place, cleared)


class ClearedFirst(Protocol):
    """Clear what was left active before its message is made visible."""

    def recover(self, state: State, place: int, worker: Worker) -> Moves:
        """A crash right after this leaves a hidden message that nobody looks for."""
        if worker.is_fenced:
            yield self.lost(state, place)
        else:
            after = self.worker_is(state, place, worker._replace(do=Do.CLEAR))
            yield f"worker {place} clears what was left active", self.cleared(after)

    def clear(self, state: State, place: int, worker: Worker) -> Moves:
        """The receipt is still known to the worker that read it."""
        after = self.worker_is(state, place, worker._replace(do=Do.SERVE))
        yield f"worker {place} makes the message visible", after._replace(head=Head.VISIBLE)


class ResumeUnasked(Protocol):
    """Resume a desk without clearing ``asked``: the request was deleted during the pause."""

    def resumed(self, state: State) -> State:
        """It looks as if somebody had been asked."""
        if not state.desk.is_asked:
            return super().resumed(state)
        return state._replace(desk=state.desk._replace(is_paused=False))
