"""The audit of the demo sees what is wrong; a demo that finds nothing must be able to find it."""

from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from hotdesk.demo.audit import Findings, order_violations
from hotdesk.demo.site import Branch
from hotdesk.demo.trace import Mark, Trace
from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, Origin
from hotdesk.events import StoredEvent
from hotdesk.workspaces.commits import Stamp

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def event(kind: str, job_id: str, desk: str = "amelia#scott", **details: bool | int) -> StoredEvent:
    return StoredEvent(
        cursor="", at=NOW, kind=kind, desk=desk, job_id=job_id, generation=1, details=details
    )


def events(*words: str) -> list[StoredEvent]:
    """Events of one desk, as ``JobStarted j1``."""
    return [event(*each.split(), folded=0) for each in words]


def job(name: str, state: JobState = JobState.SUCCEEDED) -> Job:
    return Job(
        id=name,
        desk=Desk("amelia", "scott"),
        thread="t1",
        instruction="Make the header navy.",
        interrupt=InterruptPolicy.DESK,
        state=state,
        order=1,
        place=1,
        send=1,
        attempt=1,
        preemptions=0,
        given_back=0,
        submitted_at=NOW,
        origin=Origin(source="mail", message_id=f"<{name}@agency.example>"),
    )


def answer(name: str) -> EmailMessage:
    mail = EmailMessage()
    mail["In-Reply-To"] = f"<{name}@agency.example>"
    return mail


def branch(*stamps: Stamp) -> Branch:
    commits = tuple((f"c{number}", stamp) for number, stamp in enumerate(stamps))
    return Branch(name="hotdesk/scott/t1", commits=commits)


def stamp(name: str, *, is_partial: bool = False) -> Stamp:
    return Stamp(desk="amelia#scott", generation=1, job=name, is_partial=is_partial)


def findings(tmp_path: Path, **changes: object) -> Findings:
    """Everything as it should be for one job, but for *changes*."""
    seen: dict[str, object] = {
        "taken": ["<j1@agency.example>"],
        "jobs": [job("j1")],
        "events": events("JobSubmitted j1", "JobStarted j1", "JobEnded j1"),
        "branches": [branch(stamp("j1"))],
        "answers": [answer("j1")],
        "trace": Trace(tmp_path / "trace"),
    }
    return Findings(**(seen | changes))  # type: ignore[arg-type] # one for each field


def test_jobs_in_their_order_are_no_violation() -> None:
    seen = events(
        "JobSubmitted j1",
        "JobStarted j1",
        "JobSubmitted j2",
        "JobEnded j1",
        "JobStarted j2",
        "JobStarted j2",
        "JobEnded j2",
    )

    assert order_violations(seen) == []


@pytest.mark.parametrize(
    "seen",
    [
        ("JobSubmitted j1", "JobSubmitted j2", "JobStarted j2"),
        ("JobSubmitted j1", "JobStarted j1", "JobSubmitted j2", "JobStarted j2"),
        ("JobSubmitted j2", "JobStarted j2", "JobEnded j2", "JobStarted j2"),
    ],
)
def test_a_start_before_an_older_job_has_ended_is_a_violation(seen: tuple[str, ...]) -> None:
    assert order_violations(events(*seen)) == ["j2"]


def test_a_job_that_is_put_back_goes_behind_the_others() -> None:
    begun = events("JobSubmitted j1", "JobStarted j1", "JobSubmitted j2", "JobPutBack j1")

    assert order_violations([*begun, *events("JobStarted j2")]) == []
    assert order_violations([*begun, *events("JobStarted j1")]) == ["j1"]


def test_a_job_that_is_sent_again_goes_behind_the_others() -> None:
    ended = events("JobSubmitted j1", "JobStarted j1", "JobEnded j1", "JobSubmitted j2")
    again = [*ended, *events("JobRetried j1")]

    assert order_violations([*again, *events("JobStarted j2")]) == []
    assert order_violations([*again, *events("JobStarted j1")]) == ["j1"]


def test_desks_do_not_wait_for_each_other() -> None:
    seen = [event("JobSubmitted", "j1"), event("JobSubmitted", "j2", desk="amelia#ana")]

    assert order_violations([*seen, event("JobStarted", "j2", desk="amelia#ana")]) == []


def test_nothing_is_lost_when_everything_is_there(tmp_path: Path) -> None:
    assert findings(tmp_path).lost() == []


@pytest.mark.parametrize(
    "missing",
    [
        {"jobs": []},
        {"events": events("JobSubmitted j1", "JobStarted j1")},
        {"events": events("JobSubmitted j1", "JobEnded j1", "JobEnded j1")},
        {"answers": [answer("j2")]},
        {"branches": []},
        {"branches": [branch(stamp("j1", is_partial=True), stamp("j2"))]},
    ],
    ids=["no job", "no outcome", "two outcomes", "no answer", "no branch", "only partial work"],
)
def test_a_mail_that_was_taken_and_of_which_something_is_missing_is_lost(
    tmp_path: Path, missing: dict[str, object]
) -> None:
    assert findings(tmp_path, **missing).lost() == ["<j1@agency.example>"]


def test_a_job_that_did_not_succeed_owes_an_answer_and_no_commit(tmp_path: Path) -> None:
    seen = findings(tmp_path, jobs=[job("j1", JobState.PREEMPTED)], branches=[])

    assert seen.lost() == []


def test_the_summary_counts_what_the_witnesses_saw(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace")
    mark = Mark(what="start", job="j1", desk="amelia/scott")
    trace.overlaps.append((mark, mark))
    takeover = Stamp(desk="amelia#scott", generation=2, is_takeover=True)
    seen = findings(
        tmp_path,
        trace=trace,
        jobs=[job("j1"), job("j2", JobState.PREEMPTED)],
        branches=[branch(stamp("j1"), takeover, stamp("j2", is_partial=True), Stamp())],
        events=[
            *events("JobSubmitted j2", "JobSubmitted j1", "JobStarted j1", "JobEnded j1"),
            event("JobStarted", "j1", folded=2),
            event("DeskClaimed", "", is_takeover=False),
            event("DeskClaimed", "", is_takeover=True),
            event("MailRefused", ""),
        ],
    )

    summary = seen.summary(seconds=3, missed=["the moon"])

    assert summary.as_json() == {
        "jobs": 2,
        "succeeded": 1,
        "preempted": 1,
        "folded": 2,
        "refused": 1,
        "takeovers": 1,
        "replies": 1,
        "lost": 0,
        "order_violations": 2,
        "overlaps": 1,
        "seconds": 3,
        "commits": {"hotdesk/scott/t1": 3},
        "missed": ("the moon",),
    }
    assert not summary.is_good


@pytest.mark.parametrize("field", ["lost", "order_violations", "overlaps", "missed"])
def test_a_demo_with_anything_wrong_is_not_good(tmp_path: Path, field: str) -> None:
    good = findings(tmp_path).summary(seconds=1, missed=())

    wrong: dict[str, Any] = {field: ("x",) if field == "missed" else 1}
    bad = replace(good, **wrong)

    assert good.is_good
    assert not bad.is_good
