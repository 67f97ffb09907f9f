"""The judge finds each way in which a run can break a promise, and nothing else."""

from collections import Counter
from dataclasses import replace

import pytest

from chaos.check import Evidence, Kind
from chaos.ledger import Ledger
from hotdesk import JobState
from hotdesk.workspaces.commits import Stamp

from .witnesses import (
    a_branch,
    a_job,
    a_letter,
    a_mail_job,
    a_run,
    a_stamp,
    a_submission,
    evidence,
    found,
)

ONE, TWO = a_mail_job("one"), a_mail_job("two", order=2)


def chain(*jobs: str) -> Ledger:
    """A ledger of jobs that are to come one after the other."""
    ledger = Ledger()
    for job in jobs:
        ledger.accept(a_submission(a_job(job), chain="chain"))
    return ledger


def test_a_run_in_which_all_went_well_breaks_nothing() -> None:
    assert found(evidence(ONE, TWO, a_job("own", order=3))) == []


# ------------------------------------------------------------------ outcomes, answers


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        (evidence(ONE, jobs=[], branches=[]), [Kind.LOST]),
        (evidence(a_job("own", state=JobState.RUNNING), outcomes={}), [Kind.LOST]),
        (evidence(ONE, outcomes={}), [Kind.LOST]),
        (evidence(ONE, outcomes={"one": 2}), [Kind.DUPLICATE_OUTCOME]),
        (
            evidence(ONE, jobs=[ONE, replace(TWO, origin=ONE.origin, state=JobState.CANCELLED)]),
            [Kind.DUPLICATE_OUTCOME],
        ),
        (evidence(ONE, ledger=Ledger(), letters=[]), [Kind.INVENTED]),
        (evidence(ONE, letters=[]), [Kind.LOST]),
        (evidence(ONE, letters=[a_letter(ONE), a_letter(ONE)]), []),
        (
            evidence(ONE, letters=[a_letter(ONE), a_letter(ONE, number=2)]),
            [Kind.DUPLICATE_ANSWER],
        ),
        (evidence(ONE, letters=[a_letter(ONE), a_letter(TWO)]), [Kind.INVENTED]),
        (
            evidence(
                ONE,
                TWO,
                letters=[a_letter(ONE), replace(a_letter(TWO), message_id="<answer.one.1@desk>")],
            ),
            [Kind.DUPLICATE_ANSWER],
        ),
    ],
    ids=[
        "a mail without a job",
        "a job without an end",
        "a job without an outcome",
        "a job with two outcomes",
        "a mail with two jobs",
        "a job that nobody has asked for",
        "a mail without an answer",
        "an answer that came again as the same mail is no violation",
        "a mail with two answers",
        "an answer to nobody",
        "one answer for two jobs",
    ],
)
def test_what_was_accepted_has_one_outcome_and_one_answer(
    seen: Evidence, kinds: list[Kind]
) -> None:
    assert found(seen) == kinds


def test_a_job_that_was_sent_again_has_one_more_outcome_and_answer() -> None:
    again = replace(ONE, outcomes=2)
    sent_once = evidence(again)
    sent_twice = evidence(again)
    sent_twice.ledger.retry("one", is_answered=True)

    assert found(sent_once) == [Kind.DUPLICATE_OUTCOME]
    assert found(sent_twice) == [Kind.LOST]
    letters = [a_letter(ONE), a_letter(ONE, number=2)]
    assert found(replace(sent_twice, letters=letters)) == []


def test_a_retry_whose_answer_was_lost_may_have_happened_or_not() -> None:
    for outcomes, letters in ((1, [a_letter(ONE)]), (2, [a_letter(ONE), a_letter(ONE, number=2)])):
        seen = evidence(replace(ONE, outcomes=outcomes), letters=letters)
        seen.ledger.retry("one", is_answered=False)

        assert found(seen) == []


def test_what_was_refused_stuck_or_left_is_a_violation() -> None:
    seen = evidence(ONE, stuck=["nothing went on"], left_behind=["a lease"])
    seen.ledger.refuse("<three@mail>", "550 no")

    assert found(seen) == [Kind.REFUSED, Kind.STUCK, Kind.LEFT_BEHIND]


# --------------------------------------------------------------------------- commits


@pytest.mark.parametrize(
    ("branch", "kinds"),
    [
        (a_branch(), [Kind.LOST]),
        (a_branch(a_stamp(ONE, is_partial=True)), [Kind.LOST]),
        (a_branch(a_stamp(ONE), without="one"), [Kind.LOST]),
        (a_branch(a_stamp(ONE), a_stamp(ONE)), [Kind.DUPLICATE_OUTCOME]),
        (a_branch(a_stamp(ONE), a_stamp(TWO)), [Kind.INVENTED]),
        (replace(a_branch(a_stamp(ONE)), name="hotdesk/ana/t1"), [Kind.LOST, Kind.INVENTED]),
        (
            a_branch(a_stamp(ONE, 1), Stamp(desk="amelia#scott", generation=2, is_takeover=True)),
            [],
        ),
    ],
    ids=[
        "nothing",
        "partial work alone",
        "a commit whose file is gone from the head",
        "two final commits",
        "the commit of a job that is not known",
        "the commit on the branch of others",
        "a takeover commit on top is no violation",
    ],
)
def test_a_job_that_succeeded_is_published_once_where_it_belongs(
    branch: object, kinds: list[Kind]
) -> None:
    assert found(evidence(ONE, branches=[branch])) == kinds


def test_a_former_generation_that_publishes_above_a_later_one_is_found() -> None:
    stale = a_branch(a_stamp(ONE, 2), a_stamp(TWO, 1))

    assert found(evidence(ONE, TWO, branches=[stale])) == [Kind.STALE]


# ---------------------------------------------------------------------------- agents


def test_a_job_of_a_chain_that_begins_before_an_older_one_is_found() -> None:
    jobs = [a_job("one"), a_job("two")]
    runs = [a_run(jobs[1], 0, 1), a_run(jobs[0], 2, 3)]
    seen = evidence(*jobs, ledger=chain("one", "two"))

    assert found(seen) == []
    assert found(replace(seen, runs=runs)) == [Kind.ORDER]


def test_what_the_events_call_out_of_order_is_found() -> None:
    assert found(evidence(ONE, out_of_order=["one"])) == [Kind.ORDER]


def test_a_stale_worker_that_begins_an_older_job_late_breaks_no_order() -> None:
    jobs = [a_job("one"), a_job("two")]
    runs = [a_run(jobs[0], 0, 1), a_run(jobs[1], 2, 3, generation=2), a_run(jobs[0], 4, 5)]

    assert found(evidence(*jobs, ledger=chain("one", "two"), runs=runs)) == []


def test_two_agents_of_one_generation_at_the_same_time_are_found() -> None:
    runs = [a_run(ONE, 0, 5), a_run(TWO, 4, 9)]

    assert found(evidence(ONE, TWO, runs=runs)) == [Kind.OVERLAP]


def test_an_agent_that_left_something_alive_when_the_next_one_began_is_found() -> None:
    child = a_run(ONE, 1, 30, is_child=True)
    runs = [a_run(ONE, 0, 2), child, a_run(TWO, 4, 9)]

    assert found(evidence(ONE, TWO, runs=[runs[0], replace(child, last=3), runs[2]])) == []
    assert found(evidence(ONE, TWO, runs=runs)) == [Kind.OVERLAP]


def test_a_stale_agent_beside_a_new_one_is_counted_and_allowed() -> None:
    seen = evidence(ONE, runs=[a_run(ONE, 0, 5), a_run(ONE, 4, 9, generation=2, attempt=2)])

    assert found(seen) == []
    assert seen.stale_overlaps == 1


def test_agents_of_two_desks_do_not_overlap() -> None:
    runs = [a_run(ONE, 0, 5), a_run(TWO, 4, 9, desk="amelia/ana")]

    assert found(evidence(ONE, TWO, runs=runs)) == []


def test_a_success_that_was_never_told_of_an_interrupted_job_is_found() -> None:
    interrupted = replace(ONE, state=JobState.PREEMPTED)
    told = [a_run(ONE, 0, 1), a_run(TWO, 2, 3, folded=("one",))]
    untold = [a_run(ONE, 0, 1), a_run(TWO, 2, 3)]

    assert found(evidence(interrupted, TWO, runs=told)) == []
    assert found(evidence(interrupted, TWO, runs=untold)) == [Kind.NOT_FOLDED]


def test_what_was_delivered_twice_is_accepted_once() -> None:
    seen = evidence(ONE)
    seen.ledger.accept(a_submission(ONE))

    assert found(seen) == []
    assert seen.ledger.deliveries == Counter({"<one@mail>": 2})
