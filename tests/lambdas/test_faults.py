"""A Lambda that dies, or that AWS does not answer, at any call: the event comes again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import pytest

from hotdesk.backends.aws.calls import Calls
from hotdesk.errors import HotdeskError, Unavailable
from hotdesk.intakes import ses
from hotdesk.lambdas.answer import handler as answer_handler
from hotdesk.lambdas.invocation import NotDone
from hotdesk.mail.letter import Letter
from hotdesk.mail.outbox import HOLD
from hotdesk.mail.parse import parse_mail
from tests.intakes.receipts import a_receipt
from tests.lambdas.conftest import Invocation, Office, end_process
from tests.lambdas.test_answer import a_job_that_ended, due
from tests.mail.samples import a_mail

CALLS_MAX = 100
FAULTS = ("dies", "is not answered", "loses the answer")

# What happens between two calls does not depend on who answers them.
pytestmark = [pytest.mark.long, pytest.mark.parametrize("emulator", ["moto"], indirect=True)]


class Killed(BaseException):
    """The process is gone; no code of it catches that."""


class Faulty(Calls):
    """Clients of a process whose call number ``at`` goes wrong."""

    at = CALLS_MAX
    fault = ""
    made = 0

    async def call(
        self, service: str, operation: str, arguments: Mapping[str, object]
    ) -> dict[str, Any]:
        """Call AWS, or not."""
        Faulty.made += 1
        if Faulty.made != Faulty.at:
            return await super().call(service, operation, arguments)
        if Faulty.fault == "loses the answer":
            await super().call(service, operation, arguments)
        if Faulty.fault == "dies":
            raise Killed
        raise Unavailable("AWS did not answer", committed=None)


@pytest.fixture(params=FAULTS)
def fault(office: Office, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    calls = partial(Faulty, session=office.stacks.session)
    monkeypatch.setattr("hotdesk.wiring.stack.Calls", calls)
    monkeypatch.setattr(Faulty, "fault", request.param)
    return str(request.param)


def goes_wrong_at(number: int) -> None:
    """Let the next process meet the fault at its call of this number."""
    end_process()
    Faulty.at, Faulty.made = number, 0


def test_a_mail_is_one_job_at_whichever_call_its_intake_fails(office: Office, fault: str) -> None:
    body = b"--x\r\n\r\nBlue.\r\n--x\r\nContent-Type: image/png\r\n\r\nPNG\r\n--x--"
    for number in count(1):
        name = f"m{number}"
        mail = a_mail(
            body,
            Message_ID=f"<{name}@example.org>",
            Content_Type='multipart/mixed; boundary="x"',
        )
        goes_wrong_at(number)
        with suppress(Killed, HotdeskError):
            office.deliver(mail, name)
        is_met = Faulty.made >= number
        goes_wrong_at(CALLS_MAX)
        office.invoke(a_receipt(name))

        (job,) = (j for j in office.jobs() if j.origin.message_id == f"<{name}@example.org>")
        assert office.fetched(job.origin.raw) == mail
        assert [office.fetched(each) for each in job.origin.attachments] == [b"PNG"]
        if not is_met:
            break
    assert number > 5


def test_a_stranger_is_told_at_whichever_call_the_intake_fails(office: Office, fault: str) -> None:
    sent = 0
    for number in count(1):
        name, before = f"m{number}", sent
        mail = a_mail(From="eve@example.net", Message_ID=f"<{name}@example.org>")
        goes_wrong_at(number)
        with suppress(Killed, HotdeskError):
            office.deliver(mail, name, source="eve@example.net")
        is_met = Faulty.made >= number
        goes_wrong_at(CALLS_MAX)
        for _ in range(2):
            office.invoke(a_receipt(name, source="eve@example.net"))

        # Once; twice, if nobody could know that the first one had gone out.
        sent = len(office.sent())
        assert 1 <= sent - before <= (2 if is_met else 1)
        assert f"refused/{name}" in office.keys("refused/")
        if not is_met:
            break
    assert office.jobs() == []
    assert number > 5


def test_an_answer_is_sent_or_due_again_at_whichever_call_its_sending_fails(
    office: Office, fault: str
) -> None:
    sent = 0
    for number in count(1):
        goes_wrong_at(CALLS_MAX)
        job_id, before = a_job_that_ended(office, f"m{number}"), sent
        goes_wrong_at(number)
        with suppress(Killed, HotdeskError, BaseExceptionGroup):
            answer_handler({"job": job_id}, Invocation())
        is_met = Faulty.made >= number
        goes_wrong_at(CALLS_MAX)
        answer_handler({"job": job_id}, Invocation())

        # It was sent once, and noted; or it is due again, when nobody can be sending it.
        sent = len(office.sent())
        assert sent - before <= 1
        assert is_noted(office, job_id) or job_id in due(office, HOLD)
        if not is_met:
            assert is_noted(office, job_id)
            break
    assert number > 5


def is_noted(office: Office, job_id: str) -> bool:
    """Whether the record says that the answer of a job was sent."""
    key = {"pk": {"S": f"job {job_id}"}, "sk": {"S": "answer 000001"}}
    answer = office.stacks.client("dynamodb").get_item(TableName=office.names.table, Key=key)
    return bool(answer["Item"]["is_sent"]["BOOL"])


def test_a_mail_that_our_code_cannot_read_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_poison(raw: bytes, *, return_path: str | None) -> Letter:
        if b"poison" in raw:
            raise ZeroDivisionError
        return parse_mail(raw, return_path=return_path)

    monkeypatch.setattr(ses, "parse_mail", fail_at_poison)
    office.store("mail/m1", a_mail("poison"))
    office.store("mail/m2", a_mail(Message_ID="<m2@example.org>"))
    event = {"Records": [*a_receipt("m1")["Records"], *a_receipt("m2")["Records"]]}
    with pytest.raises(NotDone, match="1 of 2"):
        office.invoke(event)

    assert office.the_job().origin.message_id == "<m2@example.org>"
    said, summed_up = [line for line in office.log() if line["level"] == "error"]
    assert summed_up["reason"] == "1 of 2 mails were not taken"
    assert (said["mail"], said["reason"]) == ("mail/m1", "ZeroDivisionError")
