"""Evidence for the judge, as it would be if all went well, to be spoilt by tests."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chaos.check import Evidence, Kind
from chaos.ledger import Ledger, Submission
from chaos.origins import Branch
from chaos.relay import Letter
from chaos.trace import Run
from hotdesk import Desk, Job, JobState
from hotdesk.desks import InterruptPolicy, Origin
from hotdesk.workspaces.commits import Stamp

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_job(job_id: str, **changes: Any) -> Job:  # noqa: ANN401 - any field
    """A job that succeeded."""
    job = Job(
        id=job_id,
        desk=Desk("amelia", "scott"),
        thread="t1",
        instruction="chaos",
        interrupt=InterruptPolicy.DESK,
        state=JobState.SUCCEEDED,
        order=1,
        place=1,
        send=1,
        attempt=1,
        preemptions=0,
        given_back=0,
        submitted_at=NOON,
        outcomes=1,
    )
    return replace(job, **changes)


def a_mail_job(job_id: str, **changes: Any) -> Job:  # noqa: ANN401 - any field
    """A job that came with a mail of its name."""
    return a_job(job_id, origin=Origin(source="mail", message_id=f"<{job_id}@mail>"), **changes)


def a_submission(job: Job, *, chain: str = "") -> Submission:
    """What the ledger says of a job."""
    return Submission(
        key=job.origin.message_id or job.id,
        desk=str(job.desk),
        is_mail=bool(job.origin.message_id),
        chain=chain,
    )


def a_letter(job: Job, *, number: int = 1) -> Letter:
    """The answer to an outcome of a job."""
    return Letter(
        message_id=f"<answer.{job.id}.{number}@desk>",
        answers=job.origin.message_id,
        job=job.id,
    )


def a_run(job: Job, begin: float, end: float, **changes: Any) -> Run:  # noqa: ANN401 - any field
    """An agent of a job."""
    run = Run(
        job=job.id,
        desk=str(job.desk),
        thread=job.thread,
        attempt=1,
        generation=1,
        folded=(),
        is_child=False,
        started=begin,
        last=end,
    )
    return replace(run, **changes)


def a_stamp(job: Job, generation: int = 1, *, is_partial: bool = False) -> Stamp:
    """The trailers of a commit of a job."""
    return Stamp(desk=job.desk.key, generation=generation, job=job.id, is_partial=is_partial)


def a_branch(*stamps: Stamp, without: str = "") -> Branch:
    """The branch of the thread of these jobs, with what their agents wrote."""
    return Branch(
        project="amelia",
        name="hotdesk/scott/t1",
        stamps=stamps,
        files=frozenset(f"jobs/{stamp.job}.txt" for stamp in stamps if stamp.job != without),
    )


def evidence(*jobs: Job, **changes: Any) -> Evidence:  # noqa: ANN401 - any field
    """All witnesses say that these jobs went well, but for what *changes* says."""
    ledger = Ledger()
    for job in jobs:
        ledger.accept(a_submission(job))
    succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
    good = Evidence(
        ledger=ledger,
        runs=[a_run(job, 10 * place, 10 * place + 5) for place, job in enumerate(jobs)],
        letters=[a_letter(job) for job in jobs if job.origin.message_id],
        branches=[a_branch(*map(a_stamp, succeeded))],
        jobs=jobs,
        outcomes=Counter({job.id: job.outcomes for job in jobs}),
    )
    return replace(good, **changes)


def found(seen: Evidence) -> list[Kind]:
    """The kinds of what was broken."""
    return [violation.kind for violation in seen.violations()]
