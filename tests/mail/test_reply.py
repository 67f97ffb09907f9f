from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.desks import JobState, Result
from hotdesk.errors import Rejected
from hotdesk.mail.answer import Presentation
from hotdesk.mail.mime import split
from hotdesk.mail.parse import parse_mail
from hotdesk.mail.reply import build_notice
from tests.mail.answers import NOW, ORIGIN, an_answer, built, newer, parts
from tests.mail.samples import a_mail

# What headers, HTML and Markdown are made of comes often.
texts = st.text(
    st.characters() | st.sampled_from("\r\n\0:<>@&\"'=`[]()!*_|#-/\\ \u202e"), max_size=60
) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '<img src="http://x.example/t.gif" onerror="a()">',
        '"><a href="javascript:a()">x</a>',
        "[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x)",
        "![a](http://x.example/t.gif) ![b][r]\n\n[r]: http://x.example 'x\" onload=\"y'",
        "<style>@import url(//x.example)</style><!-- x -->",
        "</style></title></div></body>",
        "{{ 7 * 7 }}{% raw %}",
        '```x" onload="y\n</code></pre><b>\n```',
        "=?utf-8?q?=0d=0aBcc:_eve=40evil.example?=",
        "|a|\n|:-:|\n|<b>|",
        "--=_answer\nContent-Type: text/html\n\n<script>",
        'https://x.example/"onmouseover="x',
    ]
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


@given(
    subject=texts,
    instruction=texts,
    text=texts,
    change=texts,
    reference=texts,
    state=st.sampled_from([each for each in JobState if each.is_ended]),
)
def test_nothing_that_came_from_outside_adds_a_header_an_element_or_an_attribute(
    *, subject: str, instruction: str, text: str, change: str, reference: str, state: JobState
) -> None:
    origin = replace(ORIGIN, subject=subject, references=(reference,), message_id=reference)
    result = Result(text=text, commit=text, changes=(change, text), notes=(change,))
    answer = an_answer(
        state,
        origin=origin,
        instruction=instruction,
        result=result,
        error=text,
        partial_commit=text,
    )

    raw = built(answer, Presentation(preview=text), successor=newer(instruction=text))

    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert sorted(set(names) - {b"In-Reply-To", b"References"}) == sorted(
        (
            b"From To Reply-To Subject Date Message-ID Auto-Submitted X-Auto-Response-Suppress "
            b"X-Hotdesk-Job Content-Type MIME-Version"
        ).split()
    )
    assert len(names) == len(set(names))
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    parts(raw)  # It looks at every element and attribute of the page.


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


@pytest.mark.parametrize(
    "sender", ["", "anna", '"a@b"@c', "anna@example.org\r\nBcc: x@y", "a@b, c@d"]
)
def test_a_job_without_one_plain_sender_has_no_answer(sender: str) -> None:
    with pytest.raises(Rejected, match="no sender"):
        built(an_answer(origin=replace(ORIGIN, sender=sender)))


@pytest.mark.parametrize("date", [None, "Sun, 23 Feb 2025 10:00:00 +0000", "never"])
def test_a_notice_is_dated_by_when_it_was_written(date: str | None) -> None:
    notice = build_notice(
        parse_mail(a_mail(Date=date)),
        "Your mail was not taken.",
        {"amelia+scott@desk.example": "this sender may not write here"},
        domain="desk.example",
        to="eve@example.net",
        message_id="<n1@desk.example>",
        now=NOW,
    )

    told = parse_mail(notice)
    assert told.date == NOW
    assert told.is_automatic
    assert told.in_reply_to == ("<m1@example.org>",)
    assert told.text == (
        "Your mail was not taken.\n\namelia+scott@desk.example: this sender may not write here"
    )


def test_the_same_answer_is_the_same_mail_each_time() -> None:
    assert built(an_answer()) == built(an_answer())


def test_the_page_is_the_better_one_of_two_parts() -> None:
    raw = built(an_answer())

    assert re.findall(rb"Content-Type: (text/\w+)", raw) == [b"text/plain", b"text/html"]


@pytest.mark.parametrize(
    "letter", ["x", "&", '"', "語", "🙂", "=", "`a`", "*a* ", "a\n", "* a\n\n", "|"]
)
def test_an_answer_stays_below_what_mail_programs_show_however_much_there_is_to_say(
    letter: str,
) -> None:
    much = letter * (10_000_000 // len(letter))
    some = letter * 2_000
    result = Result(text=much, commit=some, changes=(f"{some} +1 -1",) * 1000, notes=(some,) * 1000)
    origin = replace(
        ORIGIN, subject=some, references=tuple(f"<{n}{'x' * 900}@x>" for n in range(99))
    )

    done = built(
        an_answer(result=result, origin=origin, instruction=much), Presentation(preview=some)
    )
    failed = built(an_answer(JobState.DEAD, error=much, origin=origin, instruction=much))

    assert len(done) < 100_000
    assert len(failed) < 100_000
    assert letter.strip() in parts(done)[0]


def test_no_text_can_end_its_part_of_the_mail() -> None:
    boundary = re.findall(rb'boundary="(.+)"', built(an_answer()))[0].decode()
    end = f"--{boundary}--\n--{boundary}\nContent-Type: text/html\n\nSent by somebody else."

    text, page = parts(built(an_answer(result=Result(text=end))))

    assert end in text
    assert "Sent by somebody else." in page.text


def test_letters_beyond_ascii_do_not_make_an_answer_three_times_as_long() -> None:
    words = "語" * 3_900

    assert len(built(an_answer(result=Result(text=words)))) < 40_000


def test_nobody_waits_for_templates_before_there_is_an_answer() -> None:
    program = (
        "import sys, hotdesk.mail.outbox, hotdesk.wiring.mail, hotdesk.cli.main;"
        "print(*{'jinja2', 'markdown_it'} & {*sys.modules})"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == []
