"""What the workflow of a job does: announce, ask, send, and wait for the callback.

A workflow is durable: it does not crash, but it may be stopped by hand, and between any
two of its steps anything may happen.
"""

from collections.abc import Callable

from hotdesk.model.rulings import Moves, Rulings
from hotdesk.model.setup import Fault
from hotdesk.model.state import At, Do, Interrupt, Job, Send, State, put


class Router(Rulings):
    """The steps of the protocol's page under "Submitting"."""

    workflow: dict[At, Callable[[State, int, Job], Moves]]

    def router_steps(self, state: State) -> Moves:
        """What the workflows may do next."""
        for number, job in enumerate(state.jobs):
            if job.at in self.workflow:
                yield from self.workflow[job.at](state, number, job)

    def announce(self, state: State, number: int, job: Job) -> Moves:
        """Announced first, the job keeps every owner from leaving: nobody has to look twice."""
        pending = self.with_entry(state, Send(number, job.number))
        after = self.job_is(state, number, job._replace(at=At.ASK))
        yield (
            f"the workflow of job {number} announces {number}.{job.number}",
            after._replace(desk=state.desk._replace(pending=pending)),
        )

    def ask(self, state: State, number: int, job: Job) -> Moves:
        """One conditional write: at most one unanswered claim request for each generation."""
        desk = state.desk
        if not self.is_served(state) and not desk.is_asked and not desk.is_paused:
            after = self.job_is(state, number, job._replace(at=At.REQUEST))
            yield (
                f"the workflow of job {number} sees no live owner and marks the desk as asked",
                after._replace(desk=desk._replace(is_asked=True)),
            )
            return
        after = self.job_is(state, number, job._replace(at=At.SEND))
        yield f"the workflow of job {number} need not ask", after
        mine = Send(number, job.number)
        if (
            self.is_served(state)
            and desk.active.job not in {-1, number}
            and not desk.is_ending
            and self.preempts(state, mine, desk.active)
        ):
            yield from self.interrupted(
                after,
                Interrupt(desk.active, number),
                f"the workflow of job {number} sends an interrupt meant for {desk.active}",
            )

    def interrupted(self, state: State, interrupt: Interrupt, words: str) -> Moves:
        """An interrupt is under way to the owner, if the setup has one that is not lost."""
        left = state.faults[Fault.INTERRUPTS]
        if not left:
            return
        for place, worker in enumerate(state.workers):
            if not worker.is_fenced and worker.do is not Do.NOTHING:
                told = worker._replace(interrupts=tuple(sorted((*worker.interrupts, interrupt))))
                faults = put(state.faults, Fault.INTERRUPTS, left - 1)
                yield words, self.worker_is(state, place, told)._replace(faults=faults)

    def request(self, state: State, number: int, job: Job) -> Moves:
        """The claim request is for any worker; it names the desk, not a job."""
        after = self.job_is(state, number, job._replace(at=At.SEND))
        yield (
            f"the workflow of job {number} sends a claim request",
            after._replace(requests=state.requests + 1),
        )

    def send(self, state: State, number: int, job: Job) -> Moves:
        """The message carries the task token; from here a callback is awaited."""
        after = self.job_is(state, number, job._replace(at=At.WAIT))
        send = Send(number, job.number)
        yield (
            f"the workflow of job {number} sends {send} to the desk's queue",
            after._replace(queue=(*state.queue, send)),
        )

    def retract(self, state: State, number: int, job: Job) -> Moves:
        """A send that is over takes its entry along; the job is announced as a new send."""
        pending = self.without_entry(state, Send(number, job.number))
        again = job._replace(at=At.ANNOUNCE, number=job.number + 1)
        yield (
            f"the workflow of job {number} withdraws the entry of {number}.{job.number}",
            self.job_is(state, number, again)._replace(desk=state.desk._replace(pending=pending)),
        )
