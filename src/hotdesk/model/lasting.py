"""What a run of many hours does: a queue hides a message for twelve hours in all, no longer."""

from hotdesk.model.rulings import Moves
from hotdesk.model.running import Running
from hotdesk.model.state import Do, Generation, Head, State, Worker


class Lasting(Running):
    """The steps of a running job that is received anew; the job goes on meanwhile."""

    def show_again(self, state: State, place: int, worker: Worker) -> Moves:
        """Before the twelve hours are over the message is made visible."""
        again = worker._replace(do=Do.RECEIVE_AGAIN, has_receipt=False)
        yield (
            f"worker {place} makes {worker.send} visible, to receive it anew while it runs",
            self.worker_is(state, place, again)._replace(head=Head.VISIBLE),
        )

    def receive_again(self, state: State, place: int, worker: Worker) -> Moves:
        """Somebody else may have been faster; the job then ends without its message."""
        if worker.generation is not Generation.MINE:
            yield from self.beat(state, place, worker)
        if worker.is_fenced:
            return
        if state.head is Head.VISIBLE and state.queue[:1] == (worker.send,):
            again = worker._replace(do=Do.REGISTER_AGAIN, has_receipt=True)
            yield (
                f"worker {place} receives {worker.send} anew",
                self.worker_is(state, place, again)._replace(head=Head.RECEIVED),
            )
        else:
            yield (
                f"worker {place} goes on without the message {worker.send}",
                self.worker_is(state, place, worker._replace(do=Do.RUN)),
            )

    def register_again(self, state: State, place: int, worker: Worker) -> Moves:
        """The record gets the new receipt; the attempt is the same. Then it is hidden for long."""
        if worker.is_fenced:
            yield self.lost(state, place)
            return
        after = self.worker_is(state, place, worker._replace(do=Do.RUN))
        yield (
            f"worker {place} registers the new receipt of {worker.send}",
            after._replace(head=self.hidden_again) if worker.has_receipt else after,
        )

    hidden_again = Head.RAISED
