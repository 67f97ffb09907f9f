"""What happens without a worker or a workflow: time passes, the sweep comes by, people act."""

from hotdesk.model.rulings import Moves, Rulings
from hotdesk.model.setup import Fault
from hotdesk.model.state import (
    NO_SEND,
    At,
    Do,
    Generation,
    Head,
    Mark,
    Owner,
    Result,
    Send,
    State,
)


class Passing(Rulings):
    """Leases and visibility timeouts end; the sweep is the guarantee behind the fast path."""

    def passing_steps(self, state: State) -> Moves:
        """Everything that is bound to happen if nothing else does."""
        yield from self.lease_ends(state)
        yield from self.message_reappears(state)
        yield from self.person_goes_on(state)
        if self.setup.has_sweep:
            yield from self.sweep_asks(state)
            yield from self.sweep_tidies(state)

    def lease_ends(self, state: State) -> Moves:
        """The owner is dead, or serves the desk no more."""
        if state.desk.owner is Owner.LIVE and not any(
            worker.generation is Generation.MINE for worker in state.workers
        ):
            yield "the lease ends", state._replace(desk=state.desk._replace(owner=Owner.LAPSED))

    def message_reappears(self, state: State) -> Moves:
        """Nobody holds the receipt of an invisible message any more: its visibility ends."""
        if state.head is not Head.VISIBLE and not any(w.has_receipt for w in state.workers):
            yield "the message reappears", state._replace(head=Head.VISIBLE)

    def person_goes_on(self, state: State) -> Moves:
        """A cancel has a second half where the job was queued; a pause ends."""
        for number, job in enumerate(state.jobs):
            if job.mark is Mark.ENDING and job.at is not At.OVER:
                after = self.end(state, number, Result.CANCELLED)
                pending = self.without_entry(state, Send(number, job.number))
                yield (
                    f"whoever cancelled job {number} ends its workflow and withdraws its entry",
                    after._replace(desk=state.desk._replace(pending=pending)),
                )
        if state.desk.is_paused:
            yield "a person resumes the desk", self.resumed(state)

    def resumed(self, state: State) -> State:
        """*state* without the pause and without ``asked``: who asked then was not answered."""
        desk = state.desk._replace(is_paused=False, is_asked=False)
        if desk.pending and not self.is_served(state):
            desk = desk._replace(is_asked=True)
            state = state._replace(requests=state.requests + 1)
        return state._replace(desk=desk)

    def sweep_asks(self, state: State) -> Moves:
        """The guarantee behind the fast path: a desk that waits is asked for again.

        That a claim request has been unanswered for five minutes means here that there is
        none any more.
        """
        desk = state.desk
        has_request = (
            state.requests
            or state.is_held_visible
            or any(worker.request for worker in state.workers)
        )
        if desk.pending and not self.is_served(state) and not desk.is_paused and not has_request:
            after = state._replace(requests=1, desk=desk._replace(is_asked=True))
            yield "the sweep sends a claim request for the desk", after

    def sweep_tidies(self, state: State) -> Moves:
        """End what nobody else will end.

        Only what people ended is withdrawn: the entry of a job that came to its own end goes
        with its message.
        """
        desk = state.desk
        if not desk.pending and desk.owner is Owner.LAPSED:
            cleared = self.unnamed_request(state)._replace(desk=desk._replace(owner=Owner.NOBODY))
            yield "the sweep clears a lapsed owner", cleared
        for entry in desk.pending:
            job = state.jobs[entry.job]
            if job.at is At.OVER and job.mark and entry != desk.active:
                pending = tuple(each for each in desk.pending if each != entry)
                yield (
                    f"the sweep withdraws {entry}, whose workflow people ended",
                    state._replace(desk=desk._replace(pending=pending)),
                )
        for number, job in enumerate(state.jobs):
            if job.at is At.OVER and not job.outcome:
                ended = self.end(state, number, Result.FAILED)
                yield f"the sweep gives job {number} its outcome", ended

    def is_done(self, state: State) -> bool:
        """Whether all work is over and nothing is left behind.

        The message of a job that people ended, and the copy of a message, may wait in the
        queue of an idle desk: the next owner drops them, and the sweep removes the queue.
        """
        desk = state.desk
        return (
            all(job.at is At.OVER and job.outcome for job in state.jobs)
            and not desk.pending
            and desk.owner is Owner.NOBODY
            and desk.active == NO_SEND
            and not desk.is_paused
            and not state.requests
            and not state.is_held_visible
            and state.head is Head.VISIBLE
            and (
                bool(self.setup.faults[Fault.COPIES])
                or all(state.jobs[send.job].mark for send in state.queue)
            )
            and all(worker.do in {Do.IDLE, Do.NOTHING} for worker in state.workers)
            and not any(worker.interrupts for worker in state.workers)
        )
