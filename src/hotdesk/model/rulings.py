"""The rules of ``lifecycle.py``, asked about a state of the model.

The model has no rules of its own: who is live, who preempts, what is decided at a
hand-over and what follows from an outcome is asked of the code that the backends call.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from hotdesk.desks import Entry, Interrupt, InterruptPolicy, Outcome
from hotdesk.lifecycle import (
    CLOCK_SKEW,
    Decision,
    Limits,
    Settlement,
    decide,
    has_live_owner,
    interrupt_for,
    preempts,
    settlement,
)
from hotdesk.model.setup import Kind, Setup
from hotdesk.model.state import (
    IDLE,
    NO_SEND,
    At,
    Head,
    Job,
    Mark,
    Owner,
    Request,
    Result,
    Send,
    State,
    Worker,
    put,
)

Move = tuple[str, State]
Moves = Iterator[Move]

_NOW = datetime(2000, 1, 1, tzinfo=UTC)
# The model has no clock: three instants stand for all that the end of a lease can be, and
# the last moment of a lease is the one in which a clock that is ahead does most harm.
_LEASE_UNTIL = {
    Owner.NOBODY: None,
    Owner.LAPSED: _NOW - CLOCK_SKEW,
    Owner.LIVE: _NOW + timedelta.resolution,
}
PUNCTUAL = timedelta(0)
WITHIN_MARGIN = CLOCK_SKEW - timedelta.resolution


class Rulings:
    """What the steps ask, and the writes that several of them share."""

    def __init__(self, setup: Setup) -> None:
        """Rule in the world of *setup*."""
        self.setup = setup
        self.limits = setup.limits

    # ------------------------------------------------------------------ the record

    def entry(self, send: Send) -> Send:
        """What stands in ``pending`` for a send."""
        return send

    def with_entry(self, state: State, send: Send) -> tuple[Send, ...]:
        """``pending`` with *send*; announcing it again changes nothing."""
        return tuple(sorted({*state.desk.pending, self.entry(send)}))

    def without_entry(self, state: State, send: Send) -> tuple[Send, ...]:
        """``pending`` without *send*."""
        gone = self.entry(send)
        return tuple(each for each in state.desk.pending if each != gone)

    def is_served(self, state: State, ahead: timedelta = PUNCTUAL) -> bool:
        """Whether the desk has a live owner, on a clock that may be *ahead*."""
        return _is_live(state.desk.owner, self.limits.clock_skew, ahead)

    def is_open(self, state: State, send: Send) -> bool:
        """Whether the task token of *send* takes a callback."""
        job = state.jobs[send.job]
        return job.at is At.WAIT and job.number == send.number

    def is_over(self, state: State, entry: Send) -> bool:
        """What an owner is told that asks what became of a send."""
        job = state.jobs[entry.job]
        return job.at is At.OVER or entry.number < job.number

    # -------------------------------------------------------------------- the rules

    def as_entry(self, state: State, send: Send, *, attempt: int | None = None) -> Entry:
        """*send* as the rules see it."""
        job = state.jobs[send.job]
        kind = self.setup.jobs[send.job]
        if attempt is not None:
            job = job._replace(attempt=attempt)
        return _entry(send, kind, job.attempt, job.preemptions, job.given_back, job.mark)

    def newer(self, state: State, send: Send) -> tuple[Entry, ...]:
        """The other pending sends; the rules see for themselves which are newer.

        An entry may outlive its send. Whoever is to stop for one looks at its job first.
        """
        return tuple(
            self.as_entry(state, each)
            for each in state.desk.pending
            if each.job > send.job and self.is_to_come(state, each, send)
        )

    def is_to_come(self, state: State, entry: Send, send: Send) -> bool:
        """Whether the job of *entry* may stop *send*: not if it is over, or has had its turn."""
        has_had_turn = (
            state.jobs[entry.job].has_run
            and self.setup.jobs[entry.job].thread != self.setup.jobs[send.job].thread
        )
        return not self.is_over(state, entry) and not has_had_turn

    def has_newer_run(self, state: State, send: Send) -> bool:
        """Whether a newer job of the thread, one that folds, has run and ended meanwhile."""
        kinds = self.setup.jobs
        return any(
            job.has_run
            and job.outcome not in {Result.NONE, Result.CANCELLED}
            and kinds[newer].thread == kinds[send.job].thread
            and kinds[newer].policy is not InterruptPolicy.NEVER
            for newer, job in enumerate(state.jobs)
            if newer > send.job
        )

    def decision(self, state: State, send: Send) -> Decision:
        """What becomes of *send* at its hand-over, whose attempt has been counted already."""
        entry = self.as_entry(state, send, attempt=state.jobs[send.job].attempt - 1)
        return _decide(entry, self.newer(state, send), self.has_newer_run(state, send), self.limits)

    def interrupt(self, state: State, send: Send, *, is_draining: bool = False) -> Interrupt | None:
        """What a heartbeat tells the owner of the desk about its running job."""
        return _interrupt(
            self.as_entry(state, send), self.newer(state, send), is_draining, self.limits
        )

    def follows(self, state: State, send: Send, outcome: Outcome) -> Settlement:
        """What follows from the end of an attempt."""
        return settlement(self.as_entry(state, send), outcome, self.newer(state, send), self.limits)

    def preempts(self, state: State, newer: Send, running: Send) -> bool:
        """Whether the workflow that announced *newer* interrupts *running*."""
        return preempts(self.as_entry(state, newer), self.as_entry(state, running), self.limits)

    def folded(self, state: State, job: int) -> tuple[int, ...]:
        """What the next run of *job* is handed, derived from the jobs of its thread.

        A job that was put back is handed on as well if it will be folded at its turn,
        because a newer one has run.
        """
        kinds = self.setup.jobs
        mine = kinds[job]
        return tuple(
            number
            for number, other in enumerate(state.jobs)
            if other.is_owed
            and number != job
            and kinds[number].thread == mine.thread
            and (
                other.outcome is Result.PREEMPTED
                or (
                    other.outcome is Result.NONE
                    and number < job
                    and mine.policy is not InterruptPolicy.NEVER
                )
            )
        )

    # ----------------------------------------------------------- writes shared by steps

    def job_is(self, state: State, number: int, job: Job) -> State:
        """*state* with the record of a job changed."""
        return state._replace(jobs=put(state.jobs, number, job))

    def worker_is(self, state: State, place: int, worker: Worker) -> State:
        """*state* with a worker changed."""
        return state._replace(workers=put(state.workers, place, worker))

    def end(self, state: State, number: int, outcome: Result) -> State:
        """Record the outcome of a job, whose workflow is over with it.

        What no later step asks for is forgotten, so that equal futures are equal states.
        """
        job = state.jobs[number]
        broken = state.broken or ("one outcome for each job" if job.outcome else "")
        ended = Job(
            at=At.OVER,
            has_run=job.has_run,
            is_owed=job.is_owed and outcome is Result.PREEMPTED,
            mark=Mark.CANCELLED if job.mark is Mark.ENDING else job.mark,
            outcome=outcome,
            is_carried=job.is_carried and outcome is Result.PREEMPTED,
        )
        return self.job_is(state, number, ended)._replace(broken=broken)

    def without_request(self, state: State, worker: Worker) -> State:
        """*state* with the claim request that *worker* held visible again."""
        match worker.request:
            case Request.HELD:
                return state._replace(is_held_visible=True)
            case Request.OTHER:
                return state._replace(requests=state.requests + 1)
            case _:
                return state

    def lose(self, state: State, place: int) -> State:
        """A worker stops without a further word.

        What it held comes back in time; here at once, because whoever takes it may take it
        at any later moment. Not so a message that is registered: recovery looks for it.
        """
        worker = state.workers[place]
        state = self.without_request(state, worker)
        if worker.has_receipt and state.head is Head.RECEIVED:
            state = state._replace(head=Head.VISIBLE)
        return self.worker_is(state, place, IDLE._replace(interrupts=worker.interrupts))

    def unnamed_request(self, state: State) -> State:
        """*state* whose desk record names no claim request; the one it named is any other now."""
        if state.is_held_visible:
            state = state._replace(is_held_visible=False, requests=state.requests + 1)
        workers = tuple(
            worker._replace(request=Request.OTHER) if worker.request is Request.HELD else worker
            for worker in state.workers
        )
        return state._replace(workers=workers)

    def cleared(self, state: State) -> State:
        """*state* whose desk has no active send."""
        return state._replace(desk=state.desk._replace(active=NO_SEND, is_ending=False))


@cache
def _is_live(owner: Owner, margin: timedelta, ahead: timedelta) -> bool:
    name = "" if owner is Owner.NOBODY else "worker"
    return has_live_owner(name, _LEASE_UNTIL[owner], margin=margin, now=_NOW + ahead)


@cache
def _entry(  # noqa: PLR0917 - the key of the cache, field by field
    send: Send, kind: Kind, attempt: int, preemptions: int, given_back: int, mark: Mark
) -> Entry:
    return Entry(
        job_id=str(send.job),
        send=send.number,
        order=send.job,
        thread=kind.thread,
        interrupt=kind.policy,
        attempt=attempt,
        preemptions=preemptions,
        given_back=given_back,
        is_cancelled=mark in {Mark.CANCELLED, Mark.ENDING},
    )


@cache
def _decide(
    entry: Entry,
    newer: tuple[Entry, ...],
    has_newer_run: bool,  # noqa: FBT001 - a key of the cache
    limits: Limits,
) -> Decision:
    return decide(entry, newer, has_newer_run=has_newer_run, limits=limits)


@cache
def _interrupt(
    running: Entry,
    newer: tuple[Entry, ...],
    is_draining: bool,  # noqa: FBT001 - a key of the cache
    limits: Limits,
) -> Interrupt | None:
    return interrupt_for(running, newer, is_draining=is_draining, is_ending=False, limits=limits)
