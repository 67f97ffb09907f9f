"""A job that came by mail, its answer, and the two parts of the mail that tells of it."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from fuzz.pages import Reader, read_page
from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, Origin, Result
from hotdesk.mail.answer import Presentation
from hotdesk.mail.reply import build_answer
from hotdesk.ports import Answer

NOW = datetime(2025, 3, 3, 10, 11, tzinfo=UTC)
ORIGIN = Origin(
    source="mail",
    sender="anna@example.org",
    subject="Header",
    message_id="<m1@example.org>",
    references=("<root@desk.example>", "<[abc]@x>"),
)
JOB = Job(
    id="j1",
    desk=Desk("amelia", "scott"),
    thread="t1",
    instruction="Make the header blue.\n\nAnd the footer.",
    interrupt=InterruptPolicy.DESK,
    state=JobState.SUCCEEDED,
    order=1,
    place=1,
    send=1,
    attempt=1,
    preemptions=0,
    given_back=0,
    submitted_at=NOW,
    started_at=NOW,
    result=Result(
        text="The header is *blue*.",
        commit="abc123",
        changes=("site.css +12 -4", "x.png +0 -0"),
        notes=("x.tiff was left out.",),
        cost_usd=0.4151,
    ),
    origin=ORIGIN,
)
PREVIEW = Presentation(
    preview="https://preview.example/t1", branch="hotdesk/scott/t1", shows_cost=True
)


def an_answer(state: JobState = JobState.SUCCEEDED, **changes: Any) -> Answer:  # noqa: ANN401 - any field of a job
    job = replace(JOB, state=state, **changes)
    return Answer(job=job, number=1, state=state, created_at=NOW, tries=0)


def newer(**changes: Any) -> Job:  # noqa: ANN401 - any field of a job
    """A job that follows in the same thread."""
    return replace(JOB, **{"id": "j2", "order": 2, "instruction": "No, green.", **changes})


def built(
    answer: Answer, presentation: Presentation = PREVIEW, *, successor: Job | None = None
) -> bytes:
    return build_answer(
        answer,
        address="amelia+scott@desk.example",
        reply_to="amelia+scott+thread-t1-x@desk.example",
        message_id="<answer-1@desk.example>",
        presentation=presentation,
        successor=successor,
    )


def parts(raw: bytes) -> tuple[str, Reader]:
    """The lines for a terminal, and the page, held to what it may hold."""
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail.get_content_type() == "multipart/alternative"
    text, page = (str(part.get_content()).replace("\r\n", "\n") for part in mail.iter_parts())
    return text, read_page(page)
