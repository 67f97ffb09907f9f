from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.clock import SystemClock
from hotdesk.errors import Rejected
from hotdesk.lambdas.answer import handler
from hotdesk.mail.outbox import HOLD
from tests.intakes.receipts import DOMAIN
from tests.lambdas.conftest import Invocation, Office
from tests.mail.samples import a_mail


def a_job_that_ended(office: Office, name: str = "m1") -> str:
    """Take a mail and cancel its job, so that its answer is due."""
    office.deliver(a_mail(Message_ID=f"<{name}@example.org>"), name)
    (job,) = (job for job in office.jobs() if job.origin.message_id == f"<{name}@example.org>")
    office.ask(lambda backend: backend.cancel(job.id, now=SystemClock().now()))
    return job.id


def due(office: Office, in_time: timedelta = timedelta(0)) -> list[str]:
    async def look(backend: AwsBackend) -> list[str]:
        answers = await backend.due_answers(limit=100, now=SystemClock().now() + in_time)
        return [answer.job.id for answer in answers]

    found: list[str] = office.ask(look)
    return found


def test_the_answer_of_a_job_goes_to_its_sender_once(office: Office) -> None:
    job_id = a_job_that_ended(office)
    handler({"job": job_id}, Invocation())
    handler({"job": job_id}, Invocation())

    (sent,) = office.sent()
    assert (sent.sender, sent.to) == (f"amelia+scott@{DOMAIN}", ["anna@example.org"])
    assert sent.subject == "Re: Header"
    assert "This instruction was cancelled." in sent.text
    assert due(office, timedelta(days=1)) == []


def test_the_id_that_ses_gave_an_answer_leads_to_its_thread(office: Office) -> None:
    job_id = a_job_that_ended(office)
    handler({"job": job_id}, Invocation())

    (sent,) = office.events("AnswerSent")
    message_id = str(sent["message_id"])
    assert message_id.endswith("amazonses.com>")
    reply = a_mail(Message_ID="<m2@example.org>", In_Reply_To=message_id)
    office.deliver(reply, "m2")
    assert len({job.thread for job in office.jobs()}) == 1


def test_only_the_answers_of_that_job_are_sent(office: Office) -> None:
    first, second = a_job_that_ended(office, "m1"), a_job_that_ended(office, "m2")
    handler({"job": second}, Invocation())

    assert len(office.sent()) == 1
    assert due(office) == [first]


def test_an_answer_that_another_one_is_sending_is_left_to_it(office: Office) -> None:
    job_id = a_job_that_ended(office)

    async def hold(backend: AwsBackend) -> bool:
        now = SystemClock().now()
        (answer,) = await backend.due_answers(limit=1, now=now)
        return await backend.hold_answer(answer, until=now + HOLD, now=now)

    assert office.ask(hold)
    assert handler({"job": job_id}, Invocation()) == {"tried": 0}
    assert office.sent() == []
    # If that one dies, it is due again.
    assert due(office, HOLD) == [job_id]


def test_an_answer_that_ses_does_not_take_stays_due_and_says_why(office: Office) -> None:
    office.stacks.client("sesv2").delete_email_identity(EmailIdentity=DOMAIN)
    try:
        job_id = a_job_that_ended(office)
        handler({"job": job_id}, Invocation())
    finally:
        office.stacks.client("sesv2").create_email_identity(EmailIdentity=DOMAIN)

    (failed,) = office.events("AnswerFailed")
    assert "MessageRejected" in str(failed["reason"])
    assert failed["is_final"] is False
    assert due(office) == []
    assert due(office, timedelta(minutes=2)) == [job_id]


def test_a_job_without_a_due_answer_needs_none(office: Office) -> None:
    assert handler({"job": "unknown"}, Invocation()) == {"tried": 0}


def test_without_mail_nothing_is_sent(office: Office) -> None:
    job_id = a_job_that_ended(office)
    office.store("config/hotdesk.toml", b"")

    assert handler({"job": job_id}, Invocation()) == {"tried": 0}


@pytest.mark.parametrize("event", [{}, {"job": ""}, {"job": 1}, {"job_id": "a"}], ids=str)
def test_an_event_that_names_no_job_is_refused(office: Office, event: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="job"):
        handler(event, Invocation())

    assert office.log()[-1]["event"] == "answer_failed"
