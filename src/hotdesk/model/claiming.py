"""What a worker does between claiming a desk and leaving it."""

from datetime import timedelta

from hotdesk.model.rulings import PUNCTUAL, Moves, Rulings
from hotdesk.model.state import (
    DEAD,
    IDLE,
    NO_SEND,
    Do,
    Generation,
    Head,
    Owner,
    Request,
    Result,
    State,
    Worker,
)


class Claiming(Rulings):
    """The steps of the protocol's page under "Claiming, releasing, giving way"."""

    def receive_request(self, state: State, place: int, worker: Worker) -> Moves:
        """The request is not deleted: it brings the desk back if this worker dies."""
        if worker.interrupts:
            yield (
                f"worker {place} ignores an interrupt, for it runs nothing",
                self.worker_is(state, place, worker._replace(interrupts=())),
            )
        if state.requests:
            asked = worker._replace(do=Do.CLAIM, request=Request.OTHER)
            after = self.worker_is(state, place, asked)
            yield (
                f"worker {place} receives a claim request",
                after._replace(requests=state.requests - 1),
            )
        if state.is_held_visible:
            asked = worker._replace(do=Do.CLAIM, request=Request.HELD)
            after = self.worker_is(state, place, asked)
            yield (
                f"worker {place} receives the claim request that the desk names",
                after._replace(is_held_visible=False),
            )

    def claim(self, state: State, place: int, worker: Worker) -> Moves:
        """One conditional write takes the desk from nobody or from a lapsed owner."""
        idle = self.worker_is(state, place, worker._replace(do=Do.IDLE, request=Request.NONE))
        if state.desk.is_paused:
            yield f"worker {place} deletes the claim request of a paused desk", idle
        elif not self.is_claimed(state):
            yield from self.take(state, place)
        elif worker.request is Request.HELD:
            yield (
                f"worker {place} puts back the claim request that the live owner holds",
                idle._replace(is_held_visible=True),
            )
        else:
            yield f"worker {place} deletes a claim request, for the owner holds another", idle

    def is_claimed(self, state: State, ahead: timedelta = PUNCTUAL) -> bool:
        """Whether the desk cannot be taken: its owner is live, not only named."""
        return self.is_served(state, ahead)

    def take(self, state: State, place: int, *, is_early: bool = False) -> Moves:
        """Owner, lease and generation in one write, which makes the mark ``asked`` void.

        Only a clock that is minutes ahead may take a desk early.
        """
        broken = "one holder: nobody takes a desk from an owner that keeps its lease"
        is_robbed = not is_early and any(
            other.generation is Generation.MINE for other in state.workers
        )
        state = self.unnamed_request(state)
        workers = tuple(self.outdated(other) for other in state.workers)
        worker = workers[place]
        worker = worker._replace(
            do=Do.SERVE if state.desk.active == NO_SEND else Do.RECOVER,
            generation=Generation.MINE,
            request=Request.HELD if worker.request else Request.NONE,
        )
        state = self.claimed(state)
        desk = state.desk._replace(owner=Owner.LIVE)
        after = state._replace(desk=desk, workers=workers, broken=broken if is_robbed else "")
        yield f"worker {place} claims the desk", self.worker_is(after, place, worker)

    def claimed(self, state: State) -> State:
        """*state* without ``asked``, which is void with a claim."""
        return state._replace(desk=state.desk._replace(is_asked=False))

    def outdated(self, other: Worker) -> Worker:
        """What another's claim makes of a worker: its generation is the desk's no more."""
        if other.generation is Generation.NONE:
            return other
        return other._replace(generation=Generation.STALE)

    def recover(self, state: State, place: int, worker: Worker) -> Moves:
        """Probe what a former owner left; the receipt in the record is used while it is good.

        A dead message that cannot be deleted any more keeps its entry, and comes again. If
        it was deleted already, the queue may or may not say so: then the entry is left to
        whoever finds it without a message.
        """
        if worker.is_fenced:
            yield self.lost(state, place)
            return
        left = state.desk.active
        is_open = self.is_open(state, left)
        is_good = state.head in {Head.REGISTERED, Head.RAISED}
        said = "alive, its message is made visible" if is_open else "dead, its message is deleted"
        words = f"worker {place} probes the token of {left}, which was left active: {said}"
        result = Result.GONE if is_good and not is_open else Result.KEPT
        after = self.worker_is(state, place, worker._replace(do=Do.CLEAR, result=result))
        if is_good:
            after = after._replace(
                head=Head.VISIBLE,
                queue=state.queue if is_open else state.queue[1:],
                workers=tuple(each._replace(has_receipt=False) for each in after.workers),
            )
        yield words, after
        if not is_open and left not in state.queue:
            gone = after.workers[place]._replace(result=Result.GONE)
            yield f"{words} already", self.worker_is(after, place, gone)

    def clear(self, state: State, place: int, worker: Worker) -> Moves:
        """Only when nothing is active any more is a message received."""
        if worker.is_fenced:
            yield self.lost(state, place)
            return
        left = state.desk.active
        after = self.worker_is(state, place, worker._replace(do=Do.SERVE, result=Result.NONE))
        if worker.result is Result.GONE:
            desk = state.desk._replace(pending=self.without_entry(state, left))
            after = after._replace(desk=desk)
        yield f"worker {place} clears what was left active", self.cleared(after)

    def may_release(self, state: State) -> bool:
        """The comparison in compare-and-release; the announcement is ahead of its message."""
        return not state.desk.pending

    def release(self, state: State, place: int, worker: Worker) -> Moves:
        """A job announced before this write makes it fail, and the worker goes on serving."""
        if self.may_release(state):
            after = self.left(state, place, worker._replace(do=Do.DELETE_REQUEST))
            yield f"worker {place} releases the desk", self.released(after)

    def released(self, state: State) -> State:
        """*state* without ``asked``: who asked this owner's generation was answered, or refused.

        A lease that lapsed and was renewed late leaves the mark behind, and nobody would ask
        for the next job.
        """
        return state._replace(desk=state.desk._replace(is_asked=False))

    def give_way(self, state: State, place: int, worker: Worker) -> Moves:
        """Leave with jobs pending: the owner is cleared first, then the request is shown."""
        after = self.left(state, place, worker._replace(do=Do.SHOW_REQUEST))
        yield f"worker {place} gives way", after

    def left(self, state: State, place: int, worker: Worker) -> State:
        """*state* without an owner; *worker* has left it."""
        state = self.unnamed_request(state)
        request = state.workers[place].request
        left = Worker(do=worker.do, request=request, interrupts=worker.interrupts)
        desk = state.desk._replace(owner=Owner.NOBODY)
        return self.worker_is(state._replace(desk=desk), place, left)

    def delete_request(self, state: State, place: int, worker: Worker) -> Moves:
        """Its work is done. A receipt past its deadline is not used."""
        idle = IDLE._replace(interrupts=worker.interrupts)
        yield f"worker {place} deletes its claim request", self.worker_is(state, place, idle)

    def show_request(self, state: State, place: int, worker: Worker) -> Moves:
        """The held request brings another worker; a new one could be taken for a duplicate."""
        after = self.without_request(state, worker)
        idle = IDLE._replace(interrupts=worker.interrupts)
        yield f"worker {place} makes its claim request visible", self.worker_is(after, place, idle)

    def forget(self, state: State, place: int) -> Moves:
        """Entries but no message: the owner asks what became of those sends."""
        for entry in state.desk.pending:
            if self.is_over(state, entry):
                pending = tuple(each for each in state.desk.pending if each != entry)
                yield (
                    f"worker {place} forgets {entry}, which is over",
                    state._replace(desk=state.desk._replace(pending=pending)),
                )

    def beat(self, state: State, place: int, worker: Worker) -> Moves:
        """After a freeze: whoever cannot renew the lease, or knows that it has ended, stops."""
        yield self.lost(state, place)
        if worker.generation is Generation.LAPSED and state.desk.owner is Owner.LAPSED:
            after = self.worker_is(state, place, worker._replace(generation=Generation.MINE))
            desk = state.desk._replace(owner=Owner.LIVE)
            yield f"worker {place} renews its lease, late", after._replace(desk=desk)

    def lost(self, state: State, place: int) -> tuple[str, State]:
        """A worker that meets another generation, or the end of its own lease, stops."""
        return f"worker {place} has lost the claim, and stops", self.lose(state, place)

    def crash(self, state: State, place: int) -> tuple[str, State]:
        """A worker dies. The desk record names it until its lease ends."""
        after = self.worker_is(self.lose(state, place), place, DEAD)
        return f"worker {place} DIES", after
