"""What a worker does with one message, from receiving it to settling."""

from hotdesk.desks import InterruptReason, JobState, Outcome
from hotdesk.lifecycle import Decision, Settlement, dropped
from hotdesk.model import promises
from hotdesk.model.claiming import Claiming
from hotdesk.model.rulings import Moves
from hotdesk.model.state import (
    At,
    Do,
    Generation,
    Head,
    Job,
    Mark,
    Result,
    Send,
    State,
    Worker,
)

CALLBACKS = {
    "succeeded": Result.SUCCEEDED,
    "failed": Result.FAILED,
    "preempted": Result.PREEMPTED,
    "cancelled": Result.CANCELLED,
    "dead": Result.DEAD,
}


class Running(Claiming):
    """The steps of the protocol's page under "Running one job"."""

    def serve(self, state: State, place: int, worker: Worker) -> Moves:
        """Receive the next message, or leave."""
        if state.queue and state.head is Head.VISIBLE:
            yield from self.receive(state, place, worker)
        if worker.generation is not Generation.MINE:
            yield from self.beat(state, place, worker)
        if worker.is_fenced:
            return
        yield from self.release(state, place, worker)
        if state.desk.is_paused and state.desk.pending:
            yield from self.give_way(state, place, worker)
        if not state.queue:
            yield from self.forget(state, place)

    def receive(self, state: State, place: int, worker: Worker) -> Moves:
        """The queue hands out its first message, to whoever asks: it knows no generations."""
        send = state.queue[0]
        busy = worker._replace(do=Do.REGISTER, send=send, has_receipt=True)
        yield (
            f"worker {place} receives {send}",
            self.worker_is(state, place, busy)._replace(head=Head.RECEIVED),
        )

    def register(self, state: State, place: int, worker: Worker) -> Moves:
        """Active, and its attempt counted, before it runs: what kills its worker ends as dead."""
        if worker.is_fenced:
            yield self.lost(state, place)
            return
        yield f"worker {place} registers {worker.send}", self.registered(state, place, worker)

    def registered(self, state: State, place: int, worker: Worker) -> State:
        """*state* with the send of *worker* active and its attempt counted."""
        send = worker.send
        after = self.worker_is(state, place, worker._replace(do=self.after_register))
        job = state.jobs[send.job]
        if job.at is not At.OVER and not self.is_registered(state, worker):
            after = self.job_is(after, send.job, job._replace(attempt=self.counted(job.attempt)))
        after = after._replace(desk=state.desk._replace(active=send, is_ending=False))
        if not worker.has_receipt:
            return after
        is_long = state.head in {Head.RAISED, Head.HIDDEN}
        return after._replace(head=Head.RAISED if is_long else Head.REGISTERED)

    after_register = Do.RAISE

    def is_registered(self, state: State, worker: Worker) -> bool:
        """Whether the record has this delivery already: it is counted once.

        Whoever serves with this generation has cleared what was active before: a send that is
        active is its own.
        """
        return state.desk.active == worker.send

    def counted(self, attempt: int) -> int:
        """The attempt that a hand-over begins."""
        return attempt + 1

    def raise_visibility(self, state: State, place: int, worker: Worker) -> Moves:
        """The queue knows no generations: it lets a worker do so that has lost its claim.

        Before this, a death would have brought the message back with the lease; from here
        on only the record does, which names its receipt.
        """
        send = worker.send
        if worker.has_receipt:
            raised = self.worker_is(state, place, worker._replace(do=self.after_raise))
            words = f"worker {place} makes {send} invisible for an hour"
            is_known = state.head in {Head.REGISTERED, Head.RAISED}
            yield words, raised._replace(head=Head.RAISED if is_known else Head.HIDDEN)
        else:
            # It came too late: the message is visible, and will be received again.
            back = self.given_back(state, worker)._replace(do=Do.WRITE_BACK, result=Result.KEPT)
            yield (
                f"worker {place} cannot keep {send} invisible any more",
                self.worker_is(state, place, back),
            )

    after_raise = Do.DECIDE

    def decide(self, state: State, place: int, worker: Worker) -> Moves:
        """Probe the token, then ask the rules about the record as it is."""
        send = worker.send
        if worker.is_fenced:
            yield self.lost(state, place)
            return
        if not self.probed(state, worker):
            # It never ran: the attempt is given back.
            gone = self.given_back(state, worker)._replace(do=self.after_report, result=Result.GONE)
            yield (
                f"worker {place} probes the token of {send}: dead",
                self.worker_is(state, place, gone),
            )
        else:
            decision = self.decision(state, send)
            if decision is Decision.RUN:
                yield f"worker {place} runs {send}", self.start(state, place, worker)
                return
            entry = self.as_entry(state, send, attempt=state.jobs[send.job].attempt - 1)
            words = f"worker {place} decides about {send}: {decision.value.replace('_', ' ')}"
            told = self.interrupt(state, send)
            if told is not None and told.reason is InterruptReason.PREEMPT:
                state = promises.at_record(state, send, int(told.by), self.setup)
            yield words, self.follow(state, place, dropped(entry, decision))

    def probed(self, state: State, worker: Worker) -> bool:
        """What the first heartbeat says about the token."""
        return self.is_open(state, worker.send)

    def start(self, state: State, place: int, worker: Worker) -> State:
        """*state* with the job running, and handed what its thread was interrupted in."""
        send = worker.send
        job = state.jobs[send.job]
        handed = self.folded(state, send.job)
        state = promises.at_start(state, send, handed, self.setup)
        after = self.job_is(state, send.job, job._replace(runs=job.runs + 1, has_run=True))
        return self.worker_is(after, place, worker._replace(do=Do.RUN, handed=handed))

    def run(self, state: State, place: int, worker: Worker) -> Moves:
        """The job finishes, or a heartbeat or an interrupt message stops it."""
        if worker.generation is not Generation.MINE:
            yield from self.beat(state, place, worker)
        if worker.is_fenced:
            return
        yield from self.end_run(state, place, worker)

    def end_run(self, state: State, place: int, worker: Worker) -> Moves:
        """Of itself, because the token has died, or because it is to stop."""
        send = worker.send
        yield (
            f"worker {place} has finished {send}",
            self.worker_is(state, place, worker._replace(do=Do.SEAL)),
        )
        if not self.is_open(state, send):
            over = worker._replace(do=self.after_report, result=Result.GONE, handed=())
            yield (
                f"worker {place} stops {send}, whose token has died",
                self.worker_is(state, place, over),
            )
        elif told := self.interrupt(state, send):
            if told.reason is InterruptReason.PREEMPT:
                state = promises.at_record(state, send, int(told.by), self.setup)
            words = f"worker {place} reads in the record that {send} is to stop"
            stopped = self.ended(state, place, Outcome.interrupted(told.reason))
            yield f"{words}: {told.reason.value}", stopped
        yield from self.hear(state, place, worker)

    def hear(self, state: State, place: int, worker: Worker) -> Moves:
        """An interrupt message arrives, in any order; the send that it is meant for heeds it."""
        for message in sorted(set(worker.interrupts)):
            later = list(worker.interrupts)
            later.remove(message)
            heard = self.worker_is(state, place, worker._replace(interrupts=tuple(later)))
            if self.is_meant(message.send, worker.send):
                reason = InterruptReason.CANCEL if message.by < 0 else InterruptReason.PREEMPT
                words = f"worker {place} hears the interrupt and stops {worker.send}"
                yield words, self.stop(heard, place, reason, message.by)
            else:
                yield f"worker {place} ignores an interrupt meant for {message.send}", heard

    def is_meant(self, named: Send, running: Send) -> bool:
        """Whether an interrupt concerns what runs."""
        return named == running

    def stop(self, state: State, place: int, reason: InterruptReason, by: int = -1) -> State:
        """*state* with the run stopped."""
        if reason is InterruptReason.PREEMPT:
            state = promises.at_preemption(state, state.workers[place].send, by, self.setup)
        return self.ended(state, place, Outcome.interrupted(reason))

    def ended(self, state: State, place: int, outcome: Outcome) -> State:
        """*state* with the attempt over; the rules say what becomes of the job."""
        send = state.workers[place].send
        job = state.jobs[send.job]
        after = self.follows(state, send, outcome)
        if promises.is_free(job, outcome, self.setup):
            state = self.job_is(state, send.job, job._replace(runs=max(job.runs - 1, 0)))
        return self.follow(state, place, after, is_drain=outcome.reason is InterruptReason.DRAIN)

    def follow(
        self, state: State, place: int, after: Settlement, *, is_drain: bool = False
    ) -> State:
        """Write down the interruption, then report, or return the job to its place.

        The interruption is written by the worker before the callback, so that whatever is
        handed over next is handed it. The counts wait for the write that clears ``active``.
        """
        worker = state.workers[place]
        number = worker.send.job
        job = state.jobs[number]
        if after.state is JobState.PREEMPTED:
            state = promises.at_fold(state, worker.send, self.setup)
        if job.at is not At.OVER:
            is_owed = job.is_owed or self.owes(job, after)
            job = job._replace(is_owed=is_owed, preemptions=after.preemptions)
        counts: tuple[int, ...] = (after.attempt, after.given_back)
        if after.is_put_back:
            do, result = Do.REPORT, Result.REQUEUED
        elif after.state.is_ended:
            do, result, counts = Do.REPORT, CALLBACKS[after.state.value], ()
        else:
            do, result = Do.RETURN, Result.DRAINED if is_drain else Result.KEPT
        worker = worker._replace(do=do, result=result, counts=counts, handed=())
        return self.worker_is(self.job_is(state, number, job), place, worker)

    def owes(self, job: Job, after: Settlement) -> bool:
        """Whether the next run of the thread is to be handed the instruction of *job*.

        Not once a newer job, which overtook the send that was put back, has carried it out.
        """
        return after.is_interrupted and not job.is_carried

    def seal(self, state: State, place: int, worker: Worker) -> Moves:
        """The lease is renewed and ``active`` marked as ending, if nobody cancelled the job."""
        send = worker.send
        if worker.is_fenced:
            yield self.lost(state, place)
        elif state.jobs[send.job].mark in {Mark.CANCELLED, Mark.ENDING}:
            yield (
                f"worker {place} cannot seal {send}, which was cancelled",
                self.stop(state, place, InterruptReason.CANCEL),
            )
        else:
            outcome = self.follows(state, send, Outcome.succeeded()).state
            sealed = worker._replace(do=Do.REPORT, result=CALLBACKS[outcome.value])
            after = self.worker_is(state, place, sealed)
            yield (
                f"worker {place} seals {send} and publishes",
                after._replace(desk=state.desk._replace(is_ending=True)),
            )

    def report(self, state: State, place: int, worker: Worker) -> Moves:
        """The callback; the first one for a token wins, whoever makes it."""
        send, result = worker.send, worker.result
        done = self.worker_is(state, place, worker._replace(do=self.after_report, handed=()))
        words = f"worker {place} calls back for {send}: {result.name.lower()}"
        if self.is_open(state, send):
            state = promises.at_callback(state, worker, self.setup)
            done = done._replace(broken=state.broken)
            yield words, self.called_back(done, send, result, worker.handed)
        else:
            yield f"{words}, refused", done

    after_report = Do.DELETE

    def called_back(
        self, state: State, send: Send, result: Result, handed: tuple[int, ...]
    ) -> State:
        """*state* with the outcome recorded, or the workflow on its way to a new send."""
        number = send.job
        job = state.jobs[number]
        if result is Result.REQUEUED:
            return self.job_is(state, number, job._replace(at=At.RETRACT))
        state = self.end(state, number, result)
        return self.succeeded(state, handed) if result is Result.SUCCEEDED else state

    def succeeded(self, state: State, handed: tuple[int, ...]) -> State:
        """What the run was handed is done: no later run of the thread is handed it again."""
        jobs = list(state.jobs)
        for number in handed:
            jobs[number] = jobs[number]._replace(is_owed=False, is_carried=True)
        return state._replace(jobs=tuple(jobs))

    def delete(self, state: State, place: int, worker: Worker) -> Moves:
        """The next message becomes visible with it.

        A message whose receipt has expired comes again; only then is its send settled. A
        message that is gone may be deleted again.
        """
        if worker.has_receipt or worker.send not in state.queue:
            after = self.worker_is(
                state, place, worker._replace(do=self.after_delete, has_receipt=False)
            )
            if worker.has_receipt:
                after = after._replace(queue=state.queue[1:], head=Head.VISIBLE)
            yield f"worker {place} deletes the message {worker.send}", after
        if not worker.has_receipt:
            yield (
                f"worker {place} is too late to delete the message {worker.send}",
                self.worker_is(state, place, worker._replace(do=Do.WRITE_BACK)),
            )

    after_delete = Do.SETTLE

    def settle(self, state: State, place: int, worker: Worker) -> Moves:
        """The entry goes last: until then the desk is not released."""
        if worker.is_fenced:
            yield self.lost(state, place)
            return
        pending = self.without_entry(state, worker.send)
        after = self.counted_back(state, place, worker)
        after = after._replace(desk=state.desk._replace(pending=pending))
        yield f"worker {place} settles {worker.send}", self.cleared(after)

    def return_message(self, state: State, place: int, worker: Worker) -> Moves:
        """Visible before ``active`` is cleared, so that recovery repairs a crash in between."""
        after = self.worker_is(state, place, worker._replace(do=Do.WRITE_BACK, has_receipt=False))
        if worker.has_receipt:
            after = after._replace(head=Head.VISIBLE)
        yield f"worker {place} makes the message {worker.send} visible", after

    def write_back(self, state: State, place: int, worker: Worker) -> Moves:
        """What the attempt did not use is given back in the write that clears ``active``."""
        if worker.is_fenced:
            yield self.lost(state, place)
            return
        after = self.cleared(self.counted_back(state, place, worker))
        words = f"worker {place} clears {worker.send}, which keeps its place"
        if worker.result is Result.DRAINED:
            left = after.workers[place]._replace(do=Do.SHOW_REQUEST)
            yield f"{words}, and gives way", self.left(after, place, left)
        else:
            yield words, after

    def given_back(self, state: State, worker: Worker) -> Worker:
        """*worker*, to give its attempt back in the write that clears ``active``."""
        job = state.jobs[worker.send.job]
        return worker._replace(counts=(max(job.attempt - 1, 0), job.given_back))

    def counted_back(self, state: State, place: int, worker: Worker) -> State:
        """*state* with the worker serving again, and the counts of its job written."""
        after = self.worker_is(state, place, serving(worker))
        number = worker.send.job
        job = state.jobs[number]
        if worker.counts and job.at is not At.OVER:
            attempt, given_back = worker.counts
            counted = job._replace(attempt=attempt, given_back=given_back)
            after = self.job_is(after, number, counted)
        return after


def serving(worker: Worker) -> Worker:
    """*worker* without a job."""
    return Worker(
        do=Do.SERVE,
        generation=worker.generation,
        request=worker.request,
        interrupts=worker.interrupts,
    )
