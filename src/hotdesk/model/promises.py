"""What must hold, whatever happens: the promises of the protocol, as checks.

Some hold of every state, some of a step. A step that breaks one says so in
``State.broken``, so that the search finds it like any other state.
"""

from hotdesk.desks import InterruptPolicy, InterruptReason, Outcome, OutcomeKind
from hotdesk.model.setup import Fault, Setup
from hotdesk.model.state import (
    At,
    Do,
    Generation,
    Head,
    Job,
    Mark,
    Owner,
    Result,
    Send,
    State,
    Worker,
)

CANCELLED = {Mark.CANCELLED, Mark.ENDING}
RUNNING = range(Do.DECIDE, Do.DELETE)


def broken(state: State, setup: Setup) -> str:
    """Which promise *state* breaks; empty if none."""
    if state.broken:
        return state.broken
    holders = [worker for worker in state.workers if not worker.is_fenced]
    if len(holders) > 1:
        return "one holder: one worker has the desk's generation"
    for worker in holders:
        if worker.generation is Generation.MINE and state.desk.owner is not Owner.LIVE:
            return "one holder: the record names its owner until it leaves"
        if worker.do in RUNNING and state.desk.active != worker.send:
            return "the record names what its owner runs"
    if state.head in {Head.RAISED, Head.HIDDEN} and not any(w.has_receipt for w in state.workers):
        is_findable = state.head is Head.RAISED and state.desk.active == state.queue[0]
        if not is_findable:
            return "a message that nobody holds is not hidden for an hour"
    for job in state.jobs:
        if found := _broken_by(job, setup):
            return found
    return ""


def _broken_by(job: Job, setup: Setup) -> str:
    limits = setup.limits
    if job.outcome is Result.PREEMPTED and not (job.is_owed or job.is_carried):
        return "an interrupted instruction is kept until its thread succeeds"
    if job.runs > limits.attempts_max:
        return "no job starts more attempts than it has"
    if job.attempt < job.runs:
        return "an attempt is counted before it runs"
    if job.preemptions > limits.preemptions_max:
        return "preemptions are bounded"
    if job.number > 1 + limits.preemptions_max + setup.faults[Fault.STALLS]:
        return "no job is sent again and again"
    return ""


def at_start(state: State, send: Send, handed: tuple[int, ...], setup: Setup) -> State:
    """Check the start of a run by the owner of the desk."""
    job = state.jobs[send.job]
    thread = setup.jobs[send.job].thread
    earlier = state.queue[: state.queue.index(send)] if send in state.queue else state.queue
    owed = {
        number
        for number, other in enumerate(state.jobs)
        if setup.jobs[number].thread == thread
        and number != send.job
        and other.outcome is Result.PREEMPTED
        and not other.is_carried
    }
    if job.at is not At.WAIT or job.number != send.number:
        return state._replace(broken="one outcome: a send that is over does not run")
    if any(
        _has_run(other)
        and setup.jobs[number].thread == thread
        and setup.jobs[number].policy is not InterruptPolicy.NEVER
        for number, other in enumerate(state.jobs)
        if number > send.job
    ):
        return state._replace(broken="an instruction does not run after a newer one of its thread")
    if job.mark in CANCELLED:
        return state._replace(broken="a job whose cancel was accepted does not start")
    if any(state.jobs[each.job][:2] == (At.WAIT, each.number) for each in earlier):
        return state._replace(broken="order: an earlier send is still waiting")
    if not owed <= set(handed):
        return state._replace(broken="a run is handed every interrupted job of its thread")
    if any(state.jobs[number].is_carried for number in handed):
        return state._replace(broken="what was carried out is not handed on again")
    return state


def at_preemption(state: State, send: Send, by: int, setup: Setup) -> State:
    """Check that a job makes way only for one that has not had its turn.

    A newer job of its own thread is another matter: it takes the older one in, always.
    """
    is_other = by >= 0 and setup.jobs[by].thread != setup.jobs[send.job].thread
    if is_other and state.jobs[by].has_run:
        return state._replace(broken="nobody stops for a job that has had its turn")
    return state


def at_fold(state: State, send: Send, setup: Setup) -> State:
    """Check that somebody is there to take a job in: one that is to come, or has run."""
    thread = setup.jobs[send.job].thread
    for number, other in enumerate(state.jobs):
        kind = setup.jobs[number]
        if number > send.job and kind.thread == thread and kind.policy is not InterruptPolicy.NEVER:
            is_to_come = other.at is not At.OVER and other.mark not in CANCELLED
            if is_to_come or _has_run(other):
                return state
    return state._replace(broken="a job is folded into one that runs, or has run")


def _has_run(job: Job) -> bool:
    return job.has_run and job.outcome not in {Result.NONE, Result.CANCELLED}


def at_record(state: State, send: Send, by: int, setup: Setup) -> State:
    """Check a preemption that was read in the record, and not in a message that may be late."""
    if state.jobs[by].mark in CANCELLED:
        return state._replace(broken="nobody stops for a job that was cancelled")
    return at_preemption(state, send, by, setup)


def is_free(job: Job, outcome: Outcome, setup: Setup) -> bool:
    """Whether an attempt that ended so does not count."""
    if outcome.reason is InterruptReason.PREEMPT:
        return True
    is_given_back = (
        outcome.kind is OutcomeKind.GIVEN_BACK or outcome.reason is InterruptReason.DRAIN
    )
    return is_given_back and job.given_back < setup.limits.given_back_max


def at_callback(state: State, worker: Worker, setup: Setup) -> State:
    """Check an outcome that is about to stand."""
    job = state.jobs[worker.send.job]
    is_late = job.mark in CANCELLED and not worker.is_fenced
    if worker.result is Result.SUCCEEDED and is_late:
        return state._replace(broken="a job whose cancel was accepted does not succeed")
    if worker.result is Result.DEAD:
        spent = sum(
            setup.faults[fault] - state.faults[fault]
            for fault in (Fault.CRASHES, Fault.FREEZES, Fault.CLOCKS)
        )
        if job.runs + spent < setup.limits.attempts_max:
            return state._replace(broken="a job dies only of attempts that it has had")
    return state
