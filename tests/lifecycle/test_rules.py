"""The rules of the protocol, as tables."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hotdesk.desks import (
    Entry,
    Interrupt,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
    OutcomeKind,
    Result,
)
from hotdesk.lifecycle import (
    ACTIVE_TTL,
    CLOCK_SKEW,
    EXTEND_BY,
    EXTEND_EVERY,
    HEARTBEAT,
    LEASE,
    Decision,
    Limits,
    Settlement,
    backoff,
    decide,
    dropped,
    folds,
    has_live_owner,
    interrupt_for,
    preemptor,
    preempts,
    settlement,
)

LIMITS = Limits()
DESK, THREAD, NEVER = InterruptPolicy.DESK, InterruptPolicy.THREAD, InterruptPolicy.NEVER
PREEMPT, DRAIN = InterruptReason.PREEMPT, InterruptReason.DRAIN
START = datetime(2026, 1, 5, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def entry(
    order: int,
    thread: str = "header",
    policy: InterruptPolicy = DESK,
    *,
    send: int = 1,
    attempt: int = 0,
    preemptions: int = 0,
    given_back: int = 0,
    is_cancelled: bool = False,
) -> Entry:
    return Entry(
        job_id=f"job-{order}",
        send=send,
        order=order,
        thread=thread,
        interrupt=policy,
        attempt=attempt,
        preemptions=preemptions,
        given_back=given_back,
        is_cancelled=is_cancelled,
    )


def queued(attempt: int, **counts: int) -> Settlement:
    return Settlement(
        state=JobState.QUEUED,
        attempt=attempt,
        preemptions=counts.get("preemptions", 0),
        given_back=counts.get("given_back", 0),
        delay=timedelta(seconds=counts.get("delay", 0)),
    )


RUNNING = entry(5, attempt=1)


# ---------------------------------------------------------------------- fixed numbers


def test_the_spans_are_those_of_the_protocol() -> None:
    assert timedelta(seconds=30) == HEARTBEAT
    assert 3 * HEARTBEAT == LEASE
    assert timedelta(seconds=15) == CLOCK_SKEW
    assert timedelta(hours=2) == ACTIVE_TTL
    assert timedelta(minutes=50) == EXTEND_EVERY
    assert timedelta(seconds=3600) == EXTEND_BY
    assert (
        Limits(
            attempts_max=3,
            preemptions_max=3,
            given_back_max=10,
            backoff=timedelta(seconds=2),
            backoff_max=timedelta(seconds=60),
            clock_skew=CLOCK_SKEW,
        )
        == LIMITS
    )


@pytest.mark.parametrize(
    ("owner", "lease_until", "late_by", "is_live"),
    [
        ("w1", START, CLOCK_SKEW - MOMENT, True),
        ("w1", START, CLOCK_SKEW, False),
        ("w1", START, -LEASE, True),
        ("", START, -LEASE, False),
        ("w1", None, -LEASE, False),
    ],
)
def test_an_owner_is_live_until_its_lease_and_the_margin_have_ended(
    owner: str, lease_until: datetime | None, late_by: timedelta, *, is_live: bool
) -> None:
    assert has_live_owner(owner, lease_until, margin=CLOCK_SKEW, now=START + late_by) is is_live


# ------------------------------------------------------------------------ who stops whom

# The newer job, and whether it folds or preempts RUNNING: of the thread "header", order 5.
RELATIONS = [
    (entry(6, "header", DESK), True, True),
    (entry(6, "header", THREAD), True, True),
    (entry(6, "header", NEVER), False, False),
    (entry(6, "header", DESK, send=2), True, True),
    (entry(6, "header", DESK, is_cancelled=True), False, False),
    (entry(4, "header", DESK), False, False),
    (entry(5, "header", DESK), False, False),
    (entry(6, "footer", DESK), False, True),
    (entry(6, "footer", THREAD), False, False),
    (entry(6, "footer", NEVER), False, False),
    (entry(6, "footer", DESK, send=2), False, False),
    (entry(6, "footer", DESK, is_cancelled=True), False, False),
    (entry(4, "footer", DESK), False, False),
]


@pytest.mark.parametrize(("newer", "is_folding", "is_preempting"), RELATIONS)
def test_a_job_folds_and_preempts_by_thread_order_policy_and_send(
    newer: Entry, *, is_folding: bool, is_preempting: bool
) -> None:
    assert folds(newer, RUNNING) is is_folding
    assert preempts(newer, RUNNING, LIMITS) is is_preempting


@pytest.mark.parametrize(("preemptions", "is_preempting"), [(2, True), (3, False), (4, False)])
def test_after_three_preemptions_only_its_own_thread_stops_a_job(
    preemptions: int, *, is_preempting: bool
) -> None:
    running = entry(5, preemptions=preemptions)

    assert preempts(entry(6, "footer", DESK), running, LIMITS) is is_preempting
    assert preempts(entry(6, "header", THREAD), running, LIMITS)


def test_of_several_the_one_that_folds_goes_first_and_else_the_oldest() -> None:
    footer, sidebar = entry(6, "footer"), entry(7, "sidebar")
    correction = entry(8, "header", THREAD)
    harmless = entry(9, "footer", NEVER)

    assert preemptor(RUNNING, [harmless, footer, sidebar, correction], LIMITS) == correction
    assert preemptor(RUNNING, [harmless, footer, sidebar], LIMITS) == footer
    assert preemptor(RUNNING, [harmless], LIMITS) is None
    assert preemptor(RUNNING, [], LIMITS) is None


def test_no_more_entries_are_read_than_it_takes_to_find_one_that_folds() -> None:
    def entries() -> Iterator[Entry]:
        yield entry(6, "footer")
        yield entry(7, "header")
        raise AssertionError

    found = preemptor(RUNNING, entries(), LIMITS)

    assert found is not None
    assert found.order == 7


@pytest.mark.parametrize(
    ("newer", "is_cancelled", "is_draining", "is_ending", "expected"),
    [
        ([], False, False, False, None),
        ([], False, True, False, DRAIN),
        ([], True, False, False, InterruptReason.CANCEL),
        ([entry(6)], False, False, False, PREEMPT),
        ([entry(6)], False, True, False, PREEMPT),
        ([entry(6)], True, True, False, InterruptReason.CANCEL),
        ([entry(6)], True, True, True, None),
        ([entry(6, policy=NEVER)], False, False, False, None),
    ],
)
def test_an_owner_is_told_to_cancel_before_to_preempt_before_to_drain(
    newer: list[Entry],
    *,
    is_cancelled: bool,
    is_draining: bool,
    is_ending: bool,
    expected: InterruptReason | None,
) -> None:
    running = entry(5, send=2, is_cancelled=is_cancelled)

    interrupt = interrupt_for(
        running, newer, is_draining=is_draining, is_ending=is_ending, limits=LIMITS
    )

    if expected is None:
        assert interrupt is None
    else:
        by = "job-6" if expected is PREEMPT else ""
        assert interrupt == Interrupt(reason=expected, send_id="job-5.2", by=by)


# -------------------------------------------------------------------- what is handed over


@pytest.mark.parametrize(
    ("old", "newer", "has_newer_run", "expected"),
    [
        (entry(5), [], False, Decision.RUN),
        (entry(5), [entry(6, "footer", THREAD)], False, Decision.RUN),
        (entry(5), [entry(6, "footer")], False, Decision.PUT_BACK),
        (entry(5, preemptions=3), [entry(6, "footer")], False, Decision.RUN),
        (entry(5, attempt=2), [], False, Decision.RUN),
        (entry(5, attempt=3), [], False, Decision.DIE),
        (entry(5, attempt=3), [entry(6, "footer")], False, Decision.DIE),
        (entry(5), [entry(6, "header")], False, Decision.FOLD),
        (entry(5), [], True, Decision.FOLD),
        (entry(5), [entry(6, "footer")], True, Decision.FOLD),
        (entry(5, attempt=3), [entry(6, "header")], False, Decision.FOLD),
        (entry(5, attempt=3), [], True, Decision.FOLD),
        (entry(5, is_cancelled=True), [], False, Decision.CANCEL),
        (entry(5, attempt=3, is_cancelled=True), [entry(6)], True, Decision.CANCEL),
    ],
)
def test_a_hand_over_is_decided_in_the_order_of_the_protocol(
    old: Entry, newer: list[Entry], *, has_newer_run: bool, expected: Decision
) -> None:
    assert decide(old, newer, has_newer_run=has_newer_run, limits=LIMITS) is expected


@pytest.mark.parametrize(
    ("decision", "state", "is_interrupted"),
    [
        (Decision.CANCEL, JobState.CANCELLED, False),
        (Decision.FOLD, JobState.PREEMPTED, True),
        (Decision.DIE, JobState.DEAD, False),
    ],
)
def test_what_is_dropped_at_its_hand_over_ends_with_its_counts(
    decision: Decision, state: JobState, *, is_interrupted: bool
) -> None:
    old = entry(5, attempt=2, preemptions=1, given_back=4)

    assert dropped(old, decision) == Settlement(
        state=state, attempt=2, preemptions=1, given_back=4, is_interrupted=is_interrupted
    )


def test_what_is_put_back_at_its_hand_over_stays_queued_and_counts_the_preemption() -> None:
    old = entry(5, attempt=2, preemptions=1, given_back=4)

    assert dropped(old, Decision.PUT_BACK) == Settlement(
        state=JobState.QUEUED,
        attempt=2,
        preemptions=2,
        given_back=4,
        is_put_back=True,
        is_interrupted=True,
    )


# ---------------------------------------------------------------------------- what follows

FAILED_AGAIN = Outcome.attempt_failed("no")
GIVEN_BACK = Outcome.given_back("no")
PREEMPTED = Outcome.interrupted(PREEMPT)
DRAINED = Outcome.interrupted(DRAIN)
CANCELLED = Outcome.interrupted(InterruptReason.CANCEL)
ALL = [Outcome.succeeded(), Outcome.failed("no"), FAILED_AGAIN, GIVEN_BACK, PREEMPTED, DRAINED]


@pytest.mark.parametrize("outcome", ALL, ids=lambda each: f"{each.kind} {each.reason}")
def test_a_cancelled_job_ends_cancelled_however_its_attempt_ended(outcome: Outcome) -> None:
    after = settlement(entry(5, attempt=1, is_cancelled=True), outcome, [entry(6)], LIMITS)

    assert after == Settlement(state=JobState.CANCELLED, attempt=1, preemptions=0, given_back=0)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.succeeded(), JobState.SUCCEEDED), (Outcome.failed("no"), JobState.FAILED)],
)
def test_success_and_definite_failure_stand_whatever_waits(
    outcome: Outcome, state: JobState
) -> None:
    after = settlement(RUNNING, outcome, [entry(6)], LIMITS)

    assert after == Settlement(state=state, attempt=1, preemptions=0, given_back=0)


@pytest.mark.parametrize("outcome", [FAILED_AGAIN, GIVEN_BACK, PREEMPTED, DRAINED])
def test_what_did_not_end_folds_into_a_correction(outcome: Outcome) -> None:
    after = settlement(RUNNING, outcome, [entry(6, "header", THREAD)], LIMITS)

    assert after.state is JobState.PREEMPTED
    assert after.is_interrupted


@pytest.mark.parametrize(
    ("old", "outcome", "expected"),
    [
        (entry(5, attempt=1), FAILED_AGAIN, queued(1, delay=2)),
        (entry(5, attempt=2), FAILED_AGAIN, queued(2, delay=4)),
        (entry(5, attempt=1), GIVEN_BACK, queued(0, given_back=1, delay=2)),
        (entry(5, attempt=3), GIVEN_BACK, queued(2, given_back=1, delay=2)),
        (entry(5, attempt=1, given_back=9), GIVEN_BACK, queued(0, given_back=10, delay=60)),
        (entry(5, attempt=1, given_back=10), GIVEN_BACK, queued(1, given_back=10, delay=2)),
        (entry(5, attempt=1), PREEMPTED, queued(0)),
        (entry(5, attempt=1), CANCELLED, queued(0)),
        (entry(5, attempt=2), DRAINED, queued(1, given_back=1)),
        (entry(5, attempt=2, given_back=9), DRAINED, queued(1, given_back=10)),
        (entry(5, attempt=2, given_back=10), DRAINED, queued(2, given_back=11)),
        (entry(5, attempt=3, given_back=10), PREEMPTED, queued(2, given_back=10)),
    ],
)
def test_what_nobody_stops_keeps_its_place_and_counts_what_it_should(
    old: Entry, outcome: Outcome, expected: Settlement
) -> None:
    assert settlement(old, outcome, [], LIMITS) == expected


@pytest.mark.parametrize(
    "old", [entry(5, attempt=3), entry(5, attempt=4), entry(5, attempt=3, given_back=10)]
)
def test_a_job_dies_with_its_last_attempt(old: Entry) -> None:
    outcome = GIVEN_BACK if old.given_back else FAILED_AGAIN

    after = settlement(old, outcome, [entry(6, "footer")], LIMITS)

    assert (after.state, after.attempt) == (JobState.DEAD, old.attempt)


@pytest.mark.parametrize("outcome", [PREEMPTED, DRAINED])
def test_a_preempted_job_is_put_back_and_its_attempt_given_back(outcome: Outcome) -> None:
    after = settlement(entry(5, attempt=2), outcome, [entry(6, "footer")], LIMITS)

    assert after == Settlement(
        state=JobState.QUEUED,
        attempt=1,
        preemptions=1,
        given_back=0,
        is_put_back=True,
        is_interrupted=True,
    )


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 2), (1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (7, 60)]
)
def test_the_backoff_doubles_up_to_a_minute(attempt: int, seconds: int) -> None:
    assert backoff(attempt, LIMITS) == timedelta(seconds=seconds)


def test_the_backoff_of_a_job_with_any_number_of_attempts_is_bounded() -> None:
    assert backoff(10**9, LIMITS) == LIMITS.backoff_max
    assert backoff(10**9, Limits(backoff=timedelta(0))) == timedelta(0)


def test_an_outcome_says_what_the_worker_saw() -> None:
    result = Result(text="It is blue.")

    assert Outcome.succeeded(result).result == result
    assert Outcome.succeeded().result == Result()
    assert [each.kind for each in ALL[:4]] == list(OutcomeKind)[:4]
    assert (DRAINED.kind, DRAINED.reason) == (OutcomeKind.INTERRUPTED, DRAIN)
    assert GIVEN_BACK.error == "no"
