from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, Origin, Result
from hotdesk.errors import Rejected
from hotdesk.mail.mime import split
from hotdesk.mail.parse import parse_mail
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
    result=Result(text="The header is blue.", commit="abc123", changes=("M site.css", "A x.png")),
    origin=ORIGIN,
)

texts = st.text(st.characters() | st.sampled_from("\r\n\0:<>@"), max_size=60)


def an_answer(state: JobState = JobState.SUCCEEDED, **changes: Any) -> Answer:  # noqa: ANN401 - any field of a job
    job = replace(JOB, state=state, **changes)
    return Answer(job=job, number=1, state=state, created_at=NOW, tries=0)


def built(answer: Answer, preview: str = "") -> bytes:
    mail = build_answer(
        answer,
        address="amelia+scott@desk.example",
        reply_to="amelia+scott+thread-t1-x@desk.example",
        message_id="<answer-1@desk.example>",
        preview=preview,
    )
    return bytes(mail)


def test_an_answer_says_what_changed_and_where_to_see_it() -> None:
    letter = parse_mail(built(an_answer(), preview="https://preview.example/t1"))

    assert letter.text == (
        "The header is blue.\n\nChanged:\n  M site.css\n  A x.png\n\nCommit: abc123\n\n"
        "Preview: https://preview.example/t1\n\nReply to this mail to go on.\n\n"
        "> Make the header blue.\n> And the footer."
    )


def test_an_answer_stands_in_its_conversation_and_leads_back_to_the_thread() -> None:
    raw = built(an_answer())
    letter, headers = parse_mail(raw), split(raw).headers

    assert letter.message_id == "<answer-1@desk.example>"
    assert letter.in_reply_to == ("<m1@example.org>",)
    assert letter.references == ("<root@desk.example>", "<[abc]@x>", "<m1@example.org>")
    assert letter.subject == "Re: Header"
    assert letter.date == NOW
    assert headers.text("to") == "anna@example.org"
    assert headers.text("from") == "Hotdesk <amelia+scott@desk.example>"
    assert headers.text("reply-to") == "amelia+scott+thread-t1-x@desk.example"
    assert headers.text("auto-submitted") == "auto-replied"


def test_an_answer_is_never_answered_by_another_hotdesk() -> None:
    assert parse_mail(built(an_answer()), return_path="amelia+scott@desk.example").is_automatic


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (JobState.SUCCEEDED, "The header is blue."),
        (JobState.FAILED, "This did not work:\n\nno colour named blu"),
        (JobState.DEAD, "tried 3 times"),
        (JobState.CANCELLED, "was cancelled"),
        (JobState.PREEMPTED, "Your newer instruction took over; nothing is lost."),
    ],
)
def test_each_end_of_a_job_has_its_words(state: JobState, says: str) -> None:
    letter = parse_mail(built(an_answer(state, attempt=3, error="no colour named blu")))

    assert says in letter.text
    assert ("abc123" in letter.text) == (state is JobState.SUCCEEDED)


@pytest.mark.parametrize(
    ("subject", "answered"),
    [
        ("Header", "Re: Header"),
        ("Re: Header", "Re: Header"),
        ("AW: RE: Re[2]: Header", "Re: Header"),
        ("Fwd: Header", "Re: Fwd: Header"),
        ("Réunion", "Re: Réunion"),
        ("", "Re: your instruction"),
        ("x\r\nBcc: eve@evil.example", "Re: x Bcc: eve@evil.example"),
        ("ü" * 500, "Re: " + "ü" * 200),
    ],
)
def test_a_subject_is_answered_once_and_in_one_line(subject: str, answered: str) -> None:
    answer = an_answer(origin=replace(ORIGIN, subject=subject))

    assert parse_mail(built(answer)).subject == answered


@given(texts, texts, texts, texts, texts)
def test_nothing_that_came_from_outside_adds_or_breaks_a_header(
    subject: str, instruction: str, text: str, change: str, reference: str
) -> None:
    origin = replace(ORIGIN, subject=subject, references=(reference,), message_id=reference)
    result = Result(text=text, commit=text, changes=(change,))

    raw = built(an_answer(origin=origin, instruction=instruction, result=result), preview=text)

    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert sorted(set(names) - {b"In-Reply-To", b"References"}) == sorted(
        (
            b"From To Reply-To Subject Date Message-ID Auto-Submitted X-Auto-Response-Suppress "
            b"X-Hotdesk-Job Content-Type Content-Transfer-Encoding MIME-Version"
        ).split()
    )
    assert len(names) == len(set(names))
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_long_ids_are_neither_folded_nor_encoded_inside() -> None:
    ids = tuple(f"<{n}-{'x' * 230}@example.org>" for n in range(5))

    letter = parse_mail(built(an_answer(origin=replace(ORIGIN, references=ids))))

    assert letter.references == (*ids, "<m1@example.org>")


def test_of_a_long_conversation_the_first_mail_and_the_last_ones_are_named() -> None:
    ids = tuple(f"<{n}@x>" for n in range(100))

    letter = parse_mail(built(an_answer(origin=replace(ORIGIN, references=ids))))

    assert letter.references[0] == "<0@x>"
    assert letter.references[-2:] == ("<99@x>", "<m1@example.org>")
    assert len(letter.references) == 20


def test_an_id_that_only_we_know_is_not_quoted_to_others() -> None:
    origin = replace(ORIGIN, message_id="<0123@derived.invalid>")

    letter = parse_mail(built(an_answer(origin=origin)))

    assert letter.in_reply_to == ()
    assert "derived" not in " ".join(letter.references)


def test_a_long_answer_is_cut_and_says_so() -> None:
    result = Result(text="x" * 200_000, changes=("M a",) * 60)

    text = parse_mail(built(an_answer(result=result))).text

    assert "\n[...]" in text
    assert "  and 10 more" in text
    assert len(text) < 60_000


@pytest.mark.parametrize(
    "sender", ["", "anna", '"a@b"@c', "anna@example.org\r\nBcc: x@y", "a@b, c@d"]
)
def test_a_job_without_one_plain_sender_has_no_answer(sender: str) -> None:
    with pytest.raises(Rejected, match="no sender"):
        built(an_answer(origin=replace(ORIGIN, sender=sender)))


def test_the_same_answer_is_the_same_mail_each_time() -> None:
    assert built(an_answer()) == built(an_answer())
