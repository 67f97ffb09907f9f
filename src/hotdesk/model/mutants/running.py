# ruff: noqa: ARG002 - a wrong step is wrong because it does not look at what it is given
"""Wrong ways to hand over a job, to run it, and to settle it."""

from hotdesk.model.protocol import Protocol
from hotdesk.model.rulings import Moves
from hotdesk.model.state import (
    Do,
    Generation,
    Head,
    Mark,
    Result,
    State,
    Worker,
)


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


class RaiseFirst(Protocol):
    """Raise the visibility before the send is registered."""

    after_raise = Do.REGISTER
    after_register = Do.DECIDE

    def receive(self, state: State, place: int, worker: Worker) -> Moves:
        """A crash before the registration blocks the desk for an hour."""
        for words, after in super().receive(state, place, worker):
            busy = after.workers[place]._replace(do=Do.RAISE)
            yield words, self.worker_is(after, place, busy)


class ReceiptKept(Protocol):
    """Receive a message anew while its job runs, and keep the old receipt in the record."""

    hidden_again = Head.HIDDEN


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


class CountedTwice(Protocol):
    """Count an attempt with every registration, not once for each delivery."""

    def is_registered(self, state: State, worker: Worker) -> bool:
        """The answer to the first one may have been lost."""
        return False


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


class GivenBackFirst(Protocol):
    """Clear ``active`` before the message of a job that keeps its place is made visible."""

    def return_message(self, state: State, place: int, worker: Worker) -> Moves:
        """A crash right after this leaves a hidden message that nobody looks for."""
        if worker.is_fenced:
            yield self.lost(state, place)
        else:
            after = self.counted_back(state, place, worker)
            back = self.worker_is(after, place, worker._replace(do=Do.WRITE_BACK, counts=()))
            yield f"worker {place} clears {worker.send}, which keeps its place", self.cleared(back)

    def write_back(self, state: State, place: int, worker: Worker) -> Moves:
        """Too late for a recovery."""
        visible = state._replace(head=Head.VISIBLE) if worker.has_receipt else state
        yield from super().write_back(visible, place, worker)


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
