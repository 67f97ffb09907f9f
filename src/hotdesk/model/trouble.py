"""Faults, and what people do: each as often as the setup says, at any moment."""

from collections.abc import Callable, Iterator

from hotdesk.desks import InterruptReason, Outcome
from hotdesk.model.lasting import Lasting
from hotdesk.model.router import Router
from hotdesk.model.rulings import WITHIN_MARGIN, Moves
from hotdesk.model.setup import Fault
from hotdesk.model.state import (
    At,
    Do,
    Generation,
    Head,
    Interrupt,
    Mark,
    Owner,
    Request,
    Send,
    State,
    Worker,
    put,
)

# Asking again makes no difference there: it only waits, or looks.
RETRIED = (
    Do.CLAIM,
    Do.RECOVER,
    Do.CLEAR,
    Do.SERVE,
    Do.REGISTER,
    Do.SEAL,
    Do.REPORT,
    Do.DELETE,
    Do.SETTLE,
    Do.RETURN,
    Do.WRITE_BACK,
    Do.DELETE_REQUEST,
    Do.SHOW_REQUEST,
)
LEAVING = {Do.DELETE_REQUEST, Do.SHOW_REQUEST}


class Trouble(Router, Lasting):
    """Nothing here is bound to happen: a desk must finish without any of it."""

    work: dict[Do, Callable[[State, int, Worker], Moves]]

    def trouble(self, state: State) -> Moves:
        """What may go wrong next; each move costs one fault of its kind."""
        kinds = (
            (Fault.CRASHES, self.crashes),
            (Fault.FREEZES, self.freezes),
            (Fault.DUPLICATES, self.duplicates),
            (Fault.COPIES, self.copies),
            (Fault.STALLS, self.stalls),
            (Fault.STOPS, self.stops),
            (Fault.GIVE_WAYS, self.give_ways),
            (Fault.CANCELS, self.cancels),
            (Fault.INTERRUPTS, self.repeats),
            (Fault.FAILURES, self.failures),
            (Fault.PAUSES, self.pauses),
            (Fault.REPLIES, self.replies),
            (Fault.CLOCKS, self.clocks),
            (Fault.LONG_RUNS, self.long_runs),
        )
        for fault, moves in kinds:
            left = state.faults[fault]
            if left:
                spent = state._replace(faults=put(state.faults, fault, left - 1))
                yield from moves(spent)

    def crashes(self, state: State) -> Moves:
        """Any worker, but not the last one: a pool starts others, and one is enough here."""
        alive = [place for place, worker in enumerate(state.workers) if worker.do < Do.NOTHING]
        if len(alive) > 1:
            for place in alive:
                yield self.crash(state, place)

    def freezes(self, state: State) -> Moves:
        """The owner past its lease; a leaving worker past the receipt of its claim request.

        The claim request and the message are hidden a little longer than the lease runs:
        they have reappeared when it wakes up, or not yet.
        """
        for place, worker in enumerate(state.workers):
            if worker.generation is Generation.MINE and state.desk.owner is Owner.LIVE:
                words = f"worker {place} FREEZES past its lease"
                for frozen in self.frozen(state, place, worker):
                    yield words, frozen
                    if worker.has_receipt:
                        visible = frozen.workers[place]._replace(has_receipt=False)
                        late = self.worker_is(frozen, place, visible)._replace(head=Head.VISIBLE)
                        yield f"{words}, and its message reappears", late
            elif worker.do in {Do.DELETE_REQUEST, Do.SHOW_REQUEST} and worker.request:
                without = worker._replace(request=Request.NONE)
                after = self.worker_is(self.without_request(state, worker), place, without)
                yield f"worker {place} FREEZES, and its claim request reappears", after

    def frozen(self, state: State, place: int, worker: Worker) -> Iterator[State]:
        """*state* with the lease of *worker* over, which does not know it."""
        after = state._replace(desk=state.desk._replace(owner=Owner.LAPSED))
        lapsed = worker._replace(generation=Generation.LAPSED)
        yield self.worker_is(after, place, lapsed)
        if worker.request:
            without = lapsed._replace(request=Request.NONE)
            yield self.worker_is(self.without_request(after, worker), place, without)

    def duplicates(self, state: State) -> Moves:
        """A standard queue may hold a claim request twice."""
        if state.requests or state.is_held_visible or any(w.request for w in state.workers):
            after = state._replace(requests=state.requests + 1)
            yield "a claim request is there TWICE", after

    def copies(self, state: State) -> Moves:
        """A queue forgets after five minutes what it has seen: a late repetition is taken."""
        for number, job in enumerate(state.jobs):
            if job.at is At.WAIT:
                send = Send(number, job.number)
                yield (
                    f"the message {send} is sent TWICE",
                    state._replace(queue=(*state.queue, send)),
                )

    def stalls(self, state: State) -> Moves:
        """The heartbeat time-out: the workflow gives the send up and makes another one."""
        for number, job in enumerate(state.jobs):
            if job.at is At.WAIT:
                yield (
                    f"the WATCHDOG of job {number} fires: the token of {number}.{job.number} dies",
                    self.job_is(state, number, job._replace(at=At.RETRACT)),
                )

    def stops(self, state: State) -> Moves:
        """A workflow that is stopped by hand withdraws nothing and records nothing."""
        for number, job in enumerate(state.jobs):
            if job.at is not At.OVER:
                over = job._replace(at=At.OVER, mark=Mark.STOPPED)
                yield f"the workflow of job {number} is STOPPED", self.job_is(state, number, over)

    def give_ways(self, state: State) -> Moves:
        """Between two jobs, or in the middle of one, which is then returned to its place."""
        for place, worker in enumerate(state.workers):
            if worker.is_fenced:
                continue
            if worker.do is Do.SERVE and state.desk.pending:
                yield from self.give_way(state, place, worker)
            elif worker.do is Do.RUN:
                yield (
                    f"worker {place} is DRAINED while it runs {worker.send}",
                    self.stop(state, place, InterruptReason.DRAIN),
                )

    def cancels(self, state: State) -> Moves:
        """One write decides: its owner ends what is active, the person what is queued."""
        for number, job in enumerate(state.jobs):
            if job.at is At.OVER or job.mark:
                continue
            if state.desk.active.job != number:
                marked = job._replace(mark=Mark.ENDING)
                yield f"a person CANCELS job {number}, queued", self.job_is(state, number, marked)
            elif self.accepts_cancel(state):
                words = f"a person CANCELS job {number}, active"
                marked = job._replace(mark=Mark.CANCELLED)
                after = self.job_is(state, number, marked)
                yield words, after
                message = Interrupt(state.desk.active, -1)
                yield from self.interrupted(after, message, f"{words}: an interrupt is sent")

    def accepts_cancel(self, state: State) -> bool:
        """A job that is being published is not cancelled any more."""
        return not state.desk.is_ending

    def repeats(self, state: State) -> Moves:
        """An interrupt is delivered at least once."""
        for place, worker in enumerate(state.workers):
            for message in sorted(set(worker.interrupts)):
                twice = worker._replace(interrupts=tuple(sorted((message, *worker.interrupts))))
                yield (
                    f"the interrupt meant for {message.send} is sent TWICE",
                    self.worker_is(state, place, twice),
                )

    def failures(self, state: State) -> Moves:
        """An attempt comes to nothing; the rules say whether there is another one."""
        outcomes = (
            ("FAILS for good", Outcome.failed("")),
            ("FAILS, worth another attempt", Outcome.attempt_failed("")),
            ("is to be GIVEN BACK", Outcome.given_back("")),
        )
        for place, worker in enumerate(state.workers):
            if worker.do is Do.RUN and not worker.is_fenced:
                for words, outcome in outcomes:
                    yield f"{worker.send} {words}", self.ended(state, place, outcome)

    def pauses(self, state: State) -> Moves:
        """A paused desk keeps its entries; nobody asks for it."""
        if not state.desk.is_paused:
            yield (
                "a person PAUSES the desk",
                state._replace(desk=state.desk._replace(is_paused=True)),
            )

    def replies(self, state: State) -> Moves:
        """What was done is done again, because nobody was told; the second time must not count.

        A lost answer to a claim, or to a receipt, leaves what it took without anybody who
        knows. A workflow finds its own mark, and believes that somebody else has asked.
        """
        for place, worker in enumerate(state.workers):
            if worker.do in RETRIED:
                for words, after in self.work[worker.do](state, place, worker):
                    done = after.workers[place]
                    is_call = done.do not in {worker.do, Do.IDLE} or worker.do in LEAVING
                    if is_call:
                        again = self.worker_is(after, place, untold(worker, done))
                        yield f"{words}; the ANSWER IS LOST", again
        if state.desk.is_paused:
            desk = state.desk._replace(is_paused=False, is_asked=False)
            words = "a person resumes the desk; the ANSWER IS LOST, and nobody is asked"
            yield words, state._replace(desk=desk)
        for number, job in enumerate(state.jobs):
            if job.at in {At.ANNOUNCE, At.ASK, At.RETRACT}:
                for words, after in self.workflow[job.at](state, number, job):
                    told = after.jobs[number]
                    if told.at is not At.SEND:
                        told = told._replace(at=job.at, number=job.number)
                        yield f"{words}; the ANSWER IS LOST", self.job_is(after, number, told)

    def clocks(self, state: State) -> Moves:
        """Ahead within the margin, a clock changes nothing; ahead by minutes, the fence holds."""
        if state.desk.owner is not Owner.LIVE or state.desk.is_paused:
            return
        for place, worker in enumerate(state.workers):
            if worker.do is Do.CLAIM:
                if not self.is_claimed(state, WITHIN_MARGIN):
                    for words, after in self.take(state, place):
                        yield f"{words}, by a CLOCK that is ahead within the margin", after
                for words, after in self.take(state, place, is_early=True):
                    yield f"{words}, by a CLOCK that is ahead by minutes", after
        for number, job in enumerate(state.jobs):
            if job.at is At.ASK and not state.desk.is_asked:
                asked = self.job_is(state, number, job._replace(at=At.REQUEST))
                words = "sees a lapsed owner, by a CLOCK that is ahead, and marks the desk as asked"
                yield (
                    f"the workflow of job {number} {words}",
                    asked._replace(desk=state.desk._replace(is_asked=True)),
                )

    def long_runs(self, state: State) -> Moves:
        """A queue hides a message for twelve hours in all."""
        for place, worker in enumerate(state.workers):
            if worker.do is Do.RUN and worker.has_receipt:
                yield from self.show_again(state, place, worker)


def untold(worker: Worker, done: Worker) -> Worker:
    """*worker* as it was before a call that was *done*, holding what is left after it."""
    generation = done.generation
    if worker.generation is Generation.NONE:
        generation = Generation.NONE
    elif generation is Generation.NONE:
        generation = Generation.STALE
    return worker._replace(
        generation=generation,
        request=done.request,
        has_receipt=worker.has_receipt and done.has_receipt,
    )
