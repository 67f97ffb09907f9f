# ruff: noqa: ARG002 - a wrong step is wrong because it does not look at what it is given
"""The protocol, each time with one step done in a way that is tempting and wrong.

A model that finds nothing may be one that cannot see. Each mutant here changes one step
and names the smallest world in which the change can be seen; the search has to find it.
"""

from hotdesk.desks import Entry
from hotdesk.lifecycle import Limits, Settlement
from hotdesk.model.protocol import Protocol
from hotdesk.model.rulings import Moves
from hotdesk.model.setup import Setup
from hotdesk.model.state import (
    At,
    Do,
    Generation,
    Head,
    Job,
    Mark,
    Owner,
    Request,
    Result,
    Send,
    State,
    Worker,
)

# ------------------------------------------------------------------ submitting


class CheckThenSend(Protocol):
    """Read the owner without announcing; release when the queue looks empty."""

    def with_entry(self, state: State, send: Send) -> tuple[Send, ...]:
        """Nothing is announced."""
        return state.desk.pending

    def may_release(self, state: State) -> bool:
        """The message of a job that was routed here may still be on its way."""
        return not state.queue


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


# -------------------------------------------------------- claiming and leaving


class OwnerTrusted(Protocol):
    """Take the record of a lease for the lease: who is named as owner is believed to live."""

    def is_served(self, state: State) -> bool:
        """The end of the lease is not looked at."""
        return state.desk.owner is not Owner.NOBODY


class LeaseIgnored(Protocol):
    """Claim whenever a claim request arrives."""

    def is_claimed(self, state: State) -> bool:
        """Whoever asks gets the desk."""
        return False


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


class ResumeUnasked(Protocol):
    """Resume a desk without clearing ``asked``: the request was deleted during the pause."""

    def resumed(self, state: State) -> State:
        """It looks as if somebody had been asked."""
        if not state.desk.is_asked:
            return super().resumed(state)
        return state._replace(desk=state.desk._replace(is_paused=False))


# ------------------------------------------------------------- running one job


class OldestJobFirst(Protocol):
    """Hand over by the age of the job, not by its send."""

    def receive(self, state: State, place: int, worker: Worker) -> Moves:
        """The oldest job comes first, even behind another send."""
        send = min(state.queue)
        busy = worker._replace(do=Do.REGISTER, send=send, has_receipt=True)
        yield (
            f"worker {place} receives {send}",
            self.worker_is(state, place, busy)._replace(head=Head.RECEIVED),
        )

    def delete(self, state: State, place: int, worker: Worker) -> Moves:
        """Delete the message that was received, which is not always the first."""
        others = list(state.queue)
        if worker.send in others:
            others.remove(worker.send)
        for words, after in super().delete(state, place, worker):
            yield words, after._replace(queue=tuple(others))


class ProbeFirst(Protocol):
    """Probe the token before the send is registered."""

    def receive(self, state: State, place: int, worker: Worker) -> Moves:
        """What the probe says is remembered."""
        for words, after in super().receive(state, place, worker):
            busy = after.workers[place]
            if not self.is_open(state, busy.send):
                busy = busy._replace(result=Result.GONE)
            yield f"{words}, and probes its token", self.worker_is(after, place, busy)

    def probed(self, state: State, worker: Worker) -> bool:
        """It may have died since."""
        return worker.result is not Result.GONE


class Unprobed(Protocol):
    """Run whatever message comes."""

    def probed(self, state: State, worker: Worker) -> bool:
        """The token is not looked at."""
        return True


class RegisterUnfenced(Protocol):
    """Register without comparing the generation."""

    def register(self, state: State, place: int, worker: Worker) -> Moves:
        """A frozen worker wakes up and overwrites what the new owner has active."""
        yield f"worker {place} registers {worker.send}", self.registered(state, place, worker)


class CountedLate(Protocol):
    """Count an attempt when it is over."""

    def counted(self, attempt: int) -> int:
        """Not at the hand-over."""
        return attempt

    def report(self, state: State, place: int, worker: Worker) -> Moves:
        """A job that kills its worker never comes here."""
        number = worker.send.job
        job = state.jobs[number]
        yield from super().report(
            self.job_is(state, number, job._replace(attempt=job.attempt + 1)), place, worker
        )


class DeadSendCounted(Protocol):
    """Keep the attempt of a send whose token was dead at the probe."""

    def given_back(self, state: State, worker: Worker) -> Worker:
        """Nothing is given back."""
        return worker


class PreemptionCounted(Protocol):
    """Keep the attempt that a preemption cut short."""

    def counted_back(self, state: State, place: int, worker: Worker) -> State:
        """Nothing is written with the clearing of ``active``."""
        return super().counted_back(state, place, worker._replace(counts=()))


class SealUnchecked(Protocol):
    """Seal without asking whether the job was cancelled."""

    def seal(self, state: State, place: int, worker: Worker) -> Moves:
        """The cancel was accepted, and is forgotten."""
        job = state.jobs[worker.send.job]
        unmarked = self.job_is(state, worker.send.job, job._replace(mark=Mark.NONE))
        for words, after in super().seal(unmarked, place, worker):
            marked = after.jobs[worker.send.job]._replace(mark=job.mark)
            yield words, self.job_is(after, worker.send.job, marked)


class CancelAfterSeal(Protocol):
    """Accept a cancel while the job is being published."""

    def accepts_cancel(self, state: State) -> bool:
        """Nobody stops the job any more."""
        return True


class RefusedCallbackRecorded(Protocol):
    """Record the outcome of a run although its callback was refused."""

    def report(self, state: State, place: int, worker: Worker) -> Moves:
        """The job may have its outcome, or be on its way to another run."""
        for words, after in super().report(state, place, worker):
            if self.is_open(state, worker.send) or worker.result is Result.REQUEUED:
                yield words, after
            else:
                yield words, self.end(after, worker.send.job, worker.result)


class DeleteFirst(Protocol):
    """Delete the message before the callback."""

    def report(self, state: State, place: int, worker: Worker) -> Moves:
        """A crash in between leaves a job that nobody will ever be handed."""
        if worker.has_receipt:
            deleted = worker._replace(has_receipt=False)
            after = self.worker_is(state, place, deleted)
            yield (
                f"worker {place} deletes the message {worker.send}",
                after._replace(queue=state.queue[1:], head=Head.VISIBLE),
            )
        else:
            yield from super().report(state, place, worker)

    after_report = Do.SETTLE


class SettleFirst(Protocol):
    """Settle before deleting the message."""

    after_report = Do.SETTLE
    after_delete = Do.SERVE

    def settle(self, state: State, place: int, worker: Worker) -> Moves:
        """A crash in between leaves a message that belongs to nothing."""
        for words, after in super().settle(state, place, worker):
            if worker.is_fenced:
                yield words, after
            else:
                deleting = worker._replace(do=Do.DELETE)
                yield words, self.worker_is(after, place, deleting)

    def delete(self, state: State, place: int, worker: Worker) -> Moves:
        """The last step."""
        for words, after in super().delete(state, place, worker):
            serving = self.counted_back(after, place, worker)
            yield words, serving


class SettleUndeleted(Protocol):
    """Settle although the message could not be deleted any more."""

    def delete(self, state: State, place: int, worker: Worker) -> Moves:
        """The receipt has expired; nobody looks."""
        for words, after in super().delete(state, place, worker):
            settling = after.workers[place]._replace(do=Do.SETTLE)
            yield words, self.worker_is(after, place, settling)


class SettleUnfenced(Protocol):
    """Settle without comparing the generation."""

    def settle(self, state: State, place: int, worker: Worker) -> Moves:
        """A frozen worker wakes up and clears what the new owner has active."""
        claim = worker._replace(generation=Generation.MINE)
        for words, after in super().settle(state, place, claim):
            settled = after.workers[place]._replace(generation=worker.generation)
            yield words, self.worker_is(after, place, settled)


# --------------------------------------------------------------- interrupting


class StaleInterruptObeyed(Protocol):
    """Stop for any interrupt that arrives, whatever send it names."""

    def is_meant(self, named: Send, running: Send) -> bool:
        """It may have been meant for an earlier run."""
        return True


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
