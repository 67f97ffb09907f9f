"""The claim protocol: every step that may be next, for one desk with queues."""

from hotdesk.model.passing import Passing
from hotdesk.model.rulings import Moves
from hotdesk.model.setup import Setup
from hotdesk.model.state import IDLE, At, Desk, Do, Head, Job, State
from hotdesk.model.trouble import Trouble


class Protocol(Passing, Trouble):
    """The protocol as it should be; ``mutants.py`` has the ways in which it should not."""

    def __init__(self, setup: Setup) -> None:
        """Explore *setup*."""
        super().__init__(setup)
        self.workflow = {
            At.ANNOUNCE: self.announce,
            At.ASK: self.ask,
            At.REQUEST: self.request,
            At.SEND: self.send,
            At.RETRACT: self.retract,
        }
        self.work = {
            Do.IDLE: self.receive_request,
            Do.CLAIM: self.claim,
            Do.RECOVER: self.recover,
            Do.CLEAR: self.clear,
            Do.SERVE: self.serve,
            Do.REGISTER: self.register,
            Do.RAISE: self.raise_visibility,
            Do.DECIDE: self.decide,
            Do.RUN: self.run,
            Do.RECEIVE_AGAIN: self.receive_again,
            Do.REGISTER_AGAIN: self.register_again,
            Do.SEAL: self.seal,
            Do.REPORT: self.report,
            Do.DELETE: self.delete,
            Do.SETTLE: self.settle,
            Do.RETURN: self.return_message,
            Do.WRITE_BACK: self.write_back,
            Do.DELETE_REQUEST: self.delete_request,
            Do.SHOW_REQUEST: self.show_request,
        }

    def start_state(self) -> State:
        """No job announced yet, every worker idle."""
        return State(
            desk=Desk(),
            queue=(),
            head=Head.VISIBLE,
            requests=0,
            is_held_visible=False,
            jobs=(Job(),) * len(self.setup.jobs),
            workers=(IDLE,) * self.setup.workers,
            faults=self.setup.faults,
        )

    def steps(self, state: State) -> Moves:
        """What may happen next without anything going wrong."""
        yield from self.router_steps(state)
        for place, worker in enumerate(state.workers):
            if worker.do is not Do.NOTHING and worker not in state.workers[:place]:
                yield from self.work[worker.do](state, place, worker)
        yield from self.passing_steps(state)
