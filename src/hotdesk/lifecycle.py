"""The rules of the claim protocol: pure functions over frozen values.

Every backend calls them inside its transaction or conditional write. Nothing here
reads a clock, draws a random number or knows where desks are kept. What a rule
needs of the store comes in as an argument, lazily where it may be long.

Two orders exist. *Newer* goes by ``order``, the submission; *next* goes by
``place``, the announcement of a send. A job that is put back keeps its order and
gets a new place behind what waits; a job retried by a person gets both anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from hotdesk.desks import (
    Entry,
    Interrupt,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
    OutcomeKind,
)

HEARTBEAT = timedelta(seconds=30)
LEASE = timedelta(seconds=90)  # Three missed heartbeats.
CLOCK_SKEW = timedelta(seconds=15)  # What a taker waits beyond the end of a lease.
ACTIVE_TTL = timedelta(hours=2)  # Of the active record; refreshed by each heartbeat.
EXTEND_EVERY = timedelta(minutes=50)
EXTEND_BY = timedelta(seconds=3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of the rules.

    ``attempts_max`` counted runs, then the job is dead. After ``preemptions_max``
    only a job's own thread preempts it. An attempt is given back at most
    ``given_back_max`` times. A failed attempt waits ``backoff``, doubling each
    time up to ``backoff_max``, while its desk waits too.
    """

    attempts_max: int = 3
    preemptions_max: int = 3
    given_back_max: int = 10
    backoff: timedelta = timedelta(seconds=2)
    backoff_max: timedelta = timedelta(seconds=60)
    clock_skew: timedelta = CLOCK_SKEW


def has_live_owner(
    owner: str, lease_until: datetime | None, *, margin: timedelta, now: datetime
) -> bool:
    """Whether somebody serves the desk; a record's presence alone proves nothing."""
    return bool(owner) and lease_until is not None and now < lease_until + margin


# ---------------------------------------------------------------- who stops whom


def folds(newer: Entry, older: Entry) -> bool:
    """Whether *older* is folded into *newer*, a job of the same thread."""
    return (
        newer.thread == older.thread
        and newer.order > older.order
        and newer.interrupt is not InterruptPolicy.NEVER
        and not newer.is_cancelled
    )


def preempts(newer: Entry, running: Entry, limits: Limits) -> bool:
    """Whether *newer* stops *running*.

    Only the first send of a job preempts another thread: two jobs that were put
    back would otherwise preempt each other for ever.
    """
    if folds(newer, running):
        return True
    return (
        newer.thread != running.thread
        and newer.order > running.order
        and newer.interrupt is InterruptPolicy.DESK
        and newer.send == 1
        and not newer.is_cancelled
        and running.preemptions < limits.preemptions_max
    )


def preemptor(running: Entry, newer: Iterable[Entry], limits: Limits) -> Entry | None:
    """The first of *newer* that stops *running*; one that folds it goes first."""
    found = None
    for entry in newer:
        if folds(entry, running):
            return entry
        if found is None and preempts(entry, running, limits):
            found = entry
    return found


def interrupt_for(
    running: Entry, newer: Iterable[Entry], *, is_draining: bool, is_ending: bool, limits: Limits
) -> Interrupt | None:
    """What the owner should be told about its running job, derived from the record.

    A job that has begun to publish (``is_ending``) is not stopped any more.
    """
    if is_ending:
        return None
    if running.is_cancelled:
        return Interrupt(reason=InterruptReason.CANCEL, send_id=running.send_id)
    if by := preemptor(running, newer, limits):
        return Interrupt(reason=InterruptReason.PREEMPT, send_id=running.send_id, by=by.job_id)
    if is_draining:
        return Interrupt(reason=InterruptReason.DRAIN, send_id=running.send_id)
    return None


# ------------------------------------------------------------- what is handed over


class Decision(StrEnum):
    """What becomes of a send at its hand-over."""

    RUN = "run"
    CANCEL = "cancel"
    FOLD = "fold"
    DIE = "die"
    PUT_BACK = "put_back"


def decide(
    entry: Entry, newer: Iterable[Entry], *, has_newer_run: bool, limits: Limits
) -> Decision:
    """Decide about the oldest send, in the order of the protocol.

    ``newer`` are the pending entries that were submitted after it and may
    interrupt; ``has_newer_run`` says that a newer job of its thread, one that
    folds, has run meanwhile.
    """
    if entry.is_cancelled:
        return Decision.CANCEL
    by = preemptor(entry, newer, limits)
    if has_newer_run or (by is not None and folds(by, entry)):
        return Decision.FOLD
    if entry.attempt >= limits.attempts_max:
        return Decision.DIE
    return Decision.RUN if by is None else Decision.PUT_BACK


# ---------------------------------------------------------------- what follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a job becomes when its attempt is over.

    With ``state`` ``QUEUED`` the job stays pending: ``is_put_back`` gives it a new
    send behind what waits, otherwise it keeps its place and is tried again after
    ``delay``. ``attempt``, ``preemptions`` and ``given_back`` are its new counts;
    ``is_interrupted`` says that a later job of its thread is handed its work.
    """

    state: JobState
    attempt: int
    preemptions: int
    given_back: int
    is_put_back: bool = False
    is_interrupted: bool = False
    delay: timedelta = timedelta(0)


def settlement(
    entry: Entry, outcome: Outcome, newer: Iterable[Entry], limits: Limits
) -> Settlement:
    """What follows from *outcome*; ``entry.attempt`` counts the attempt that just ended."""
    match outcome.kind:
        case OutcomeKind.SUCCEEDED:
            # A cancel that came while it published was refused; one that came
            # before has set the mark, and the user was promised that it ends.
            state = JobState.CANCELLED if entry.is_cancelled else JobState.SUCCEEDED
            return _ended(entry, state)
        case OutcomeKind.FAILED:
            return _ended(entry, JobState.CANCELLED if entry.is_cancelled else JobState.FAILED)
        case OutcomeKind.ATTEMPT_FAILED:
            return _after_failure(entry, newer, limits, is_counted=True)
        case OutcomeKind.GIVEN_BACK:
            is_counted = entry.given_back >= limits.given_back_max
            return _after_failure(entry, newer, limits, is_counted=is_counted)
        case OutcomeKind.INTERRUPTED:
            return _after_interrupt(entry, outcome, newer, limits)
    assert_never(outcome.kind)


def put_back(entry: Entry) -> Settlement:
    """End this send so that the job comes again behind what waits."""
    return Settlement(
        state=JobState.QUEUED,
        attempt=entry.attempt,
        preemptions=entry.preemptions + 1,
        given_back=entry.given_back,
        is_put_back=True,
        is_interrupted=True,
    )


def dropped(entry: Entry, decision: Decision) -> Settlement:
    """What a job becomes that is not run at its hand-over."""
    match decision:
        case Decision.CANCEL:
            return _ended(entry, JobState.CANCELLED)
        case Decision.FOLD:
            return _folded(entry)
        case Decision.DIE:
            return _ended(entry, JobState.DEAD)
        case _:
            return put_back(entry)


def backoff(attempt: int, limits: Limits) -> timedelta:
    """How long a desk waits after failed attempt *attempt*, counted from 1."""
    # The exponent is bounded because 2**1000 does not fit a timedelta.
    doublings = min(max(attempt - 1, 0), 16)
    return min(limits.backoff * (1 << doublings), limits.backoff_max)


def _ended(entry: Entry, state: JobState) -> Settlement:
    return Settlement(
        state=state,
        attempt=entry.attempt,
        preemptions=entry.preemptions,
        given_back=entry.given_back,
    )


def _folded(entry: Entry) -> Settlement:
    return Settlement(
        state=JobState.PREEMPTED,
        attempt=entry.attempt,
        preemptions=entry.preemptions,
        given_back=entry.given_back,
        is_interrupted=True,
    )


def _after_failure(
    entry: Entry, newer: Iterable[Entry], limits: Limits, *, is_counted: bool
) -> Settlement:
    if entry.is_cancelled:
        return _ended(entry, JobState.CANCELLED)
    by = preemptor(entry, newer, limits)
    if by is not None and folds(by, entry):
        return _folded(entry)
    if is_counted and entry.attempt >= limits.attempts_max:
        return _ended(entry, JobState.DEAD)
    tries = entry.attempt if is_counted else entry.given_back + 1
    return Settlement(
        state=JobState.QUEUED,
        attempt=entry.attempt if is_counted else entry.attempt - 1,
        preemptions=entry.preemptions,
        given_back=entry.given_back + (not is_counted),
        delay=backoff(tries, limits),
    )


def _after_interrupt(
    entry: Entry, outcome: Outcome, newer: Iterable[Entry], limits: Limits
) -> Settlement:
    if entry.is_cancelled:
        return _ended(entry, JobState.CANCELLED)
    by = preemptor(entry, newer, limits)
    if by is not None and folds(by, entry):
        return _folded(entry)
    is_drain = outcome.reason is InterruptReason.DRAIN
    is_counted = is_drain and entry.given_back >= limits.given_back_max
    attempt = entry.attempt if is_counted else entry.attempt - 1
    if by is not None:
        return put_back(_with_attempt(entry, attempt))
    # Nobody wants the desk any more, or the worker drains: the job keeps its place.
    return Settlement(
        state=JobState.QUEUED,
        attempt=attempt,
        preemptions=entry.preemptions,
        given_back=entry.given_back + is_drain,
        is_interrupted=False,
    )


def _with_attempt(entry: Entry, attempt: int) -> Entry:
    return Entry(
        job_id=entry.job_id,
        send=entry.send,
        order=entry.order,
        thread=entry.thread,
        interrupt=entry.interrupt,
        attempt=attempt,
        preemptions=entry.preemptions,
        given_back=entry.given_back,
        is_cancelled=entry.is_cancelled,
    )
