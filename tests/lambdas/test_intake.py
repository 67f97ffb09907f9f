from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hotdesk.desks import JobState
from hotdesk.errors import ConfigError
from hotdesk.intakes.ses import NotOurs
from hotdesk.lambdas import invocation
from hotdesk.lambdas.intake import handler
from hotdesk.lambdas.invocation import NotDone
from tests.intakes.receipts import DOMAIN, a_receipt, by_eventbridge, by_queue, by_s3, on_top
from tests.lambdas.conftest import KEY, Invocation, Office, end_process
from tests.mail.samples import a_mail, a_mail_with_everything


def test_a_mail_becomes_a_job_that_points_to_what_is_in_the_bucket(office: Office) -> None:
    mail = a_mail_with_everything()
    office.deliver(mail)

    job = office.the_job()
    assert job.state is JobState.QUEUED
    assert str(job.desk) == "amelia/scott"
    assert job.instruction == "Kopfzeile größer\n\nGrößer, bitte."
    assert job.origin.source == "mail"
    assert job.origin.sender == "anna@example.org"
    assert job.origin.message_id == "<m2@example.org>"
    assert job.origin.raw == f"s3://{office.names.bucket}/mail/m1"
    assert office.fetched(job.origin.raw) == mail
    names = [pointer.rpartition("/")[2] for pointer in job.origin.attachments]
    assert names == ["attachment-1.png", "Entwurf für oben.pdf", "attachment-3.eml"]
    assert office.fetched(job.origin.attachments[1]) == b"%PDF"


def test_the_same_event_again_submits_nothing(office: Office) -> None:
    office.deliver(a_mail())
    first = office.the_job()
    office.invoke(a_receipt())

    assert office.the_job() == first
    assert len(office.events("JobSubmitted")) == 1


def test_the_same_mail_delivered_twice_is_one_job(office: Office) -> None:
    office.deliver(a_mail(), "m1")
    office.deliver(a_mail(), "m2")

    assert office.the_job().origin.raw.endswith("/mail/m1")


def test_a_reply_to_a_job_goes_to_its_thread(office: Office) -> None:
    office.deliver(a_mail())
    thread = office.the_job().thread
    reply = a_mail("Darker.\r\n", Message_ID="<m2@example.org>", In_Reply_To="<m1@example.org>")
    office.deliver(reply, "m2")

    assert [job.thread for job in office.jobs()] == [thread, thread]


def test_one_mail_to_two_desks_is_a_job_for_each(office: Office) -> None:
    office.deliver(a_mail(), recipients=[f"amelia+scott@{DOMAIN}", f"amelia+tim@{DOMAIN}"])

    assert sorted(str(job.desk) for job in office.jobs()) == ["amelia/scott", "amelia/tim"]


@pytest.mark.parametrize(("form", "key"), [(by_s3, "a+b%2Bc"), (by_eventbridge, "a b+c")])
def test_an_event_of_the_bucket_is_enough_with_what_ses_wrote_on_the_mail(
    office: Office, form: Callable[[str, str], dict[str, Any]], key: str
) -> None:
    office.store("mail/a b+c", on_top() + a_mail())
    office.invoke(form(office.names.bucket, f"mail/{key}"))

    assert office.fetched(office.the_job().origin.raw) == on_top() + a_mail()


def test_a_mail_to_several_is_for_the_desks_that_its_own_fields_name(office: Office) -> None:
    to = f"Scott <amelia+scott@{DOMAIN}>, other@elsewhere.example"
    mail = on_top(received_for="") + a_mail(To=to, Cc=f"AMELIA+TIM@{DOMAIN}")
    office.store("mail/m1", mail)
    office.invoke(by_s3(office.names.bucket, "mail/m1"))

    assert sorted(str(job.desk) for job in office.jobs()) == ["amelia/scott", "amelia/tim"]


def assert_refused_in_silence(office: Office) -> None:
    assert office.jobs() == []
    (refusal,) = office.events("MailRefused")
    assert refusal["sender"] == "anna@example.org"
    assert office.log()[-1]["is_told"] is False
    assert office.sent() == []


@pytest.mark.parametrize(
    "verdicts",
    [{"spam": "FAIL"}, {"virus": "FAIL"}, {"dmarc": "FAIL"}, {"dmarc": "GRAY", "spf": "GRAY"}],
    ids=str,
)
def test_a_mail_that_a_relay_would_have_refused_starts_nothing_and_nobody_is_told(
    office: Office, verdicts: dict[str, str]
) -> None:
    office.deliver(a_mail(), verdicts=verdicts)

    assert_refused_in_silence(office)


def test_without_dmarc_spf_proves_a_sender_whose_domain_the_envelope_names(office: Office) -> None:
    gray = {"dmarc": "GRAY"}
    office.deliver(a_mail(), verdicts=gray)
    # Whoever may write, too, does not speak for others.
    other = a_mail(Message_ID="<m2@example.org>")
    office.deliver(other, "m2", verdicts=gray, source="ben@elsewhere.example")

    assert office.the_job().origin.message_id == "<m1@example.org>"
    assert "nothing proves" in str(office.events("MailRefused")[0]["reason"])


def test_what_a_mail_says_of_itself_is_no_verdict(office: Office) -> None:
    office.store("mail/m1", b"X-Mailer: mine\r\n" + on_top() + a_mail())
    office.invoke(by_s3(office.names.bucket, "mail/m1"))

    assert office.jobs() == []


def test_a_stranger_is_told_once_why_and_the_mail_starts_nothing(office: Office) -> None:
    mail = a_mail(From="eve@example.net", Subject="Hello")
    office.deliver(mail, source="eve@example.net")
    office.invoke(a_receipt(source="eve@example.net"))

    assert office.jobs() == []
    (refusal,) = office.events("MailRefused")
    assert "may not write here" in str(refusal["reason"])
    (told,) = office.sent()
    assert (told.sender, told.to) == (f"mailer-daemon@{DOMAIN}", ["eve@example.net"])
    assert told.subject == "Re: Hello"
    assert f"amelia+scott@{DOMAIN}: this sender may not write here" in told.text
    first, again = office.log()
    assert (first["event"], first["is_told"], first["level"]) == ("mail_refused", True, "warning")
    assert again["is_told"] is False


def test_what_nothing_proves_waits_where_the_project_says_so_and_nobody_is_told(
    office: Office,
) -> None:
    receipt: dict[str, Any] = {
        "verdicts": {"dmarc": "FAIL", "spf": "FAIL"},
        "recipients": [f"berta+scott@{DOMAIN}"],
    }
    office.deliver(a_mail(), **receipt)
    # The same event again: SES finds the same of a mail each time.
    office.invoke(a_receipt(**receipt))

    assert office.jobs() == []
    (held,) = office.events("MailHeld")
    assert str(held["reason"]).startswith("nothing proves its sender")
    assert office.sent() == []


def test_a_guest_is_told_that_the_mail_waits(office: Office) -> None:
    guest = a_mail(From="guest@example.org")
    office.deliver(guest, source="guest@example.org", recipients=[f"berta+scott@{DOMAIN}"])

    assert office.jobs() == []
    (told,) = office.sent()
    assert told.to == ["guest@example.org"]
    assert "waits for approval" in told.text


def test_a_mail_above_a_limit_is_refused_and_its_sender_is_told(office: Office) -> None:
    berta = [f"berta+scott@{DOMAIN}"]
    office.deliver(a_mail(), recipients=berta)
    office.deliver(a_mail(Message_ID="<m2@example.org>"), "m2", recipients=berta)

    assert office.the_job().origin.message_id == "<m1@example.org>"
    (told,) = office.sent()
    assert "please send it again in an hour" in told.text


def test_of_two_recipients_one_may_be_refused(office: Office) -> None:
    to = [f"amelia+scott@{DOMAIN}", f"amelia+nobody@{DOMAIN}"]
    office.deliver(a_mail(), recipients=to)

    assert str(office.the_job().desk) == "amelia/scott"
    (refusal,) = office.events("MailRefused")
    assert refusal["recipient"] == f"amelia+nobody@{DOMAIN}"


def test_a_mail_for_a_domain_that_is_not_ours_is_refused(office: Office) -> None:
    office.deliver(a_mail(), recipients=["amelia+scott@elsewhere.example"])

    assert office.jobs() == []
    assert "relaying denied" in str(office.events("MailRefused")[0]["reason"])


def test_a_machine_is_noted_and_never_told(office: Office) -> None:
    office.deliver(a_mail(Auto_Submitted="auto-replied"))
    office.deliver(a_mail(From="mailer-daemon@amazonses.com"), "m2", source="")

    assert office.jobs() == []
    assert len(office.events("MailIgnored")) == 2
    assert office.keys("refused/") == []


def test_a_machine_that_writes_to_nobody_is_not_told(office: Office) -> None:
    mail = a_mail(Auto_Submitted="auto-replied")
    office.deliver(mail, recipients=[f"amelia+nobody@{DOMAIN}"])

    assert len(office.events("MailRefused")) == 1
    assert office.sent() == []


def test_a_mail_that_is_too_large_is_refused_without_being_read(office: Office) -> None:
    office.deliver(a_mail(b"x" * 300_000))

    assert office.jobs() == []
    assert "larger than 200000 bytes" in str(office.events("MailRefused")[0]["reason"])
    assert office.log()[-1]["is_told"] is True


def test_whoever_writes_too_much_is_told_though_the_mail_cannot_be_read(office: Office) -> None:
    files = b"--x\r\nContent-Type: image/png\r\n\r\nP\r\n" * 120
    office.deliver(a_mail(files + b"--x--", Content_Type='multipart/mixed; boundary="x"'))

    assert office.jobs() == []
    assert "more than 100 attachments" in office.sent()[0].text


def test_nobody_is_told_at_an_address_that_spf_does_not_prove(office: Office) -> None:
    mail = a_mail(From="eve@example.net")
    office.deliver(mail, source="eve@example.net", verdicts={"spf": "FAIL"})

    assert len(office.events("MailRefused")) == 1
    assert office.sent() == []


def test_an_empty_object_is_refused(office: Office) -> None:
    office.deliver(b"")

    assert office.jobs() == []
    assert "From field" in str(office.events("MailRefused")[0]["reason"])


def test_a_mail_that_is_not_there_is_a_dead_letter_and_holds_up_no_other(office: Office) -> None:
    office.store("mail/m2", on_top() + a_mail())

    with pytest.raises(NotDone, match="1 of 2 mails"):
        office.invoke(by_s3(office.names.bucket, "mail/gone", "mail/m2"))
    assert office.the_job().origin.raw.endswith("/mail/m2")
    said, summed_up = [line for line in office.log() if line["level"] == "error"]
    assert summed_up["reason"] == "1 of 2 mails were not taken"
    assert (said["event"], said["mail"]) == ("mail_not_taken", "mail/gone")
    assert said["reason"] == "there is no mail/gone in the bucket"


def test_of_a_queue_only_what_was_not_taken_comes_again(office: Office) -> None:
    office.store("mail/m1", a_mail())
    event = by_queue(
        json.dumps(by_s3(office.names.bucket, "mail/gone")),
        json.dumps(a_receipt()),
        "no event",
        json.dumps([1]),
        json.dumps({"Records": [{"eventSource": "aws:sns"}]}),
    )

    failures = office.invoke(event)["batchItemFailures"]

    assert [each["itemIdentifier"] for each in failures] == ["0", "2", "3", "4"]
    assert office.the_job().origin.raw.endswith("/mail/m1")


def test_an_event_that_is_not_ours_is_refused_as_a_whole(office: Office) -> None:
    with pytest.raises(NotOurs):
        office.invoke({"Records": [{"eventSource": "aws:sns"}]})

    assert office.log()[-1]["event"] == "intake_failed"


def test_an_object_that_is_no_mail_is_let_lie(office: Office) -> None:
    office.invoke(by_s3(office.names.bucket, "attachments/x"))

    assert office.log()[-1]["event"] == "no_mail"


def test_no_line_of_the_log_says_what_a_mail_says(office: Office) -> None:
    office.deliver(a_mail("the secret instruction"))
    office.deliver(a_mail("the secret instruction", From="eve@example.net"), "m2")

    said = json.dumps(office.log())
    assert "secret" not in said
    assert "Header" not in said
    assert KEY not in said


def test_settings_that_changed_count_for_the_next_mail(office: Office) -> None:
    office.deliver(a_mail())
    settings = office.fetched(f"s3://{office.names.bucket}/config/hotdesk.toml").decode()
    changed = settings.replace('scott = ["anna@example.org", ', "scott = [")
    office.store("config/hotdesk.toml", changed.encode())
    office.deliver(a_mail(Message_ID="<m2@example.org>"), "m2")

    assert office.the_job().origin.message_id == "<m1@example.org>"


def test_settings_that_are_not_there_are_named(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTDESK_CONFIG_S3", f"s3://{office.names.bucket}/elsewhere.toml")

    with pytest.raises(ConfigError, match="elsewhere"):
        office.deliver(a_mail())


def test_a_key_that_the_process_was_not_given_comes_from_the_parameters_of_the_stack(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAIL_KEY")
    name = f"/{office.names.stack}/MAIL_KEY"
    with pytest.raises(ConfigError, match="MAIL_KEY"):
        office.deliver(a_mail())
    end_process()
    ssm = office.stacks.client("ssm")
    ssm.put_parameter(Name=name, Value=KEY, Type="SecureString")
    office.deliver(a_mail())
    ssm.delete_parameter(Name=name)

    assert office.the_job().origin.message_id == "<m1@example.org>"
    assert KEY not in json.dumps(office.log())


def test_a_stack_without_mail_says_so(office: Office) -> None:
    office.store("config/hotdesk.toml", b"")

    with pytest.raises(ConfigError, match="mail"):
        office.deliver(a_mail())


def test_what_takes_longer_than_the_invocation_may_is_left_for_the_next(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.store("mail/m1", a_mail())

    with monkeypatch.context() as patch:
        patch.setattr(invocation, "SHORTEST_SECONDS", 0)
        with pytest.raises(NotDone, match="time"):
            handler(a_receipt(), Invocation(seconds_left=0))
    assert office.log()[-1]["event"] == "intake_failed"
    office.invoke(a_receipt())

    assert len(office.jobs()) == 1
