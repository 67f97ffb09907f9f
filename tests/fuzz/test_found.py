"""What fuzzing has found, one test for each: without its fix it fails."""

from __future__ import annotations

import encodings
import json
from dataclasses import replace
from pathlib import Path
from time import process_time  # noqa: TID251 - what is measured is the reading itself
from types import SimpleNamespace
from typing import cast

import pytest

from fuzz.letters import JOB, answer_to, check_answer
from hotdesk.config import ConfigMistakes, load
from hotdesk.config.layers import lines_of
from hotdesk.desks import Claim, Delivery, JobState, Origin
from hotdesk.errors import ConfigError, Rejected
from hotdesk.mail.characters import decoded
from hotdesk.mail.hypertext import html_to_text
from hotdesk.mail.mailbox import parse_address
from hotdesk.mail.parse import parse_mail, safe_file_name
from hotdesk.mail.quoted import new_text
from hotdesk.mail.rejection import MailRejected
from hotdesk.ports import Context
from hotdesk.runners.jobfile import description
from hotdesk.workspaces.commits import Stamp
from tests.mail.samples import a_mail

SECONDS_MAX = 2  # Of processor time. Each of these took five seconds to fifteen.

FIELD = "=?utf-8?q?=0d=0aBcc:_eve=40evil.example?="


@pytest.mark.parametrize(
    "origin",
    [
        Origin(sender="anna@example.org", subject=FIELD),
        Origin(sender="anna@example.org", subject=f"Re: {FIELD}"),
        Origin(sender="anna@example.org", message_id=f"<{FIELD}@x>"),
        Origin(sender="anna@example.org", references=(f"<{FIELD}>", "<a@b>")),
    ],
)
def test_an_encoded_word_in_a_mail_adds_no_field_to_its_answer(origin: Origin) -> None:
    raw = answer_to(replace(JOB, origin=origin), JobState.SUCCEEDED)

    check_answer(raw, recipient="anna@example.org")
    assert b"Bcc:" not in raw


@pytest.mark.parametrize("local", ["=?utf-8?q?x?=", "=?utf-8?q?a=40b?=", "a=?utf-8?b?eA?="])
def test_an_encoded_word_is_no_sender_and_stops_no_other_answer(local: str) -> None:
    sender = f"{local}@example.org"

    assert parse_address(sender) is None
    with pytest.raises(Rejected, match="no sender to answer"):
        answer_to(replace(JOB, origin=Origin(sender=sender)), JobState.SUCCEEDED)


@pytest.mark.parametrize("blank", [b"\x1e", b"\x0b", b"\x0c", b"\xc2\x85", b"\xc2\xa0"])
def test_what_others_take_for_a_part_of_the_address_is_not_taken_off_it(blank: bytes) -> None:
    for field in (blank + b"anna@example.org", b"anna@example.org" + blank):
        with pytest.raises(MailRejected):
            parse_mail(a_mail(From=field))


@pytest.mark.parametrize(
    "text",
    [
        "On x wrote:\n" * 400 + "\n" * 480_000 + "x",
        "a\n" + "sent from\n" * 49_900,
        "a\n" + "sent from x\n\n" * 38_000,
    ],
    ids=["announcements", "signatures", "signatures and blank lines"],
)
def test_no_reply_keeps_the_reader_of_quotes_busy(text: str) -> None:
    started = process_time()

    new_text(text, is_reply=True)

    assert process_time() - started < SECONDS_MAX


def test_names_of_character_sets_that_nobody_knows_are_not_remembered() -> None:
    known: dict[str, object] = encodings._cache
    before = len(known)
    words = b"".join(b"=?nobody-%d?q?a?=" % number for number in range(1000))

    letter = parse_mail(a_mail(Subject=words))

    assert letter.subject.startswith("aaa")
    assert len(known) == before


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("ISO-8859-1", b"\xfc", "ü"),
        ("latin1", b"\xfc", "ü"),
        ("Windows-1252", b"\x80", "€"),
        ("UTF8", b"\xc3\xbc", "ü"),
        ("UTF-16LE", b"a\0", "a"),
        ("iso-2022-jp", b'\x1b$B$"\x1b(B', "あ"),
        ("KOI8-R", b"\xc1", "\u0430"),
        ("gb2312", b"\xc4\xe3", "你"),
        ("us-ascii", b"\xfc", "ü"),
        ("utf-7", b"+AGE-", "+AGE-"),
        ("idna", b"xn--4ca", "xn--4ca"),
        ("unicode_escape", b"\\u00fc", "\\u00fc"),
        ("../mbcs", b"a", "a"),
    ],
)
def test_a_character_set_is_known_by_each_of_its_usual_names(
    charset: str, raw: bytes, text: str
) -> None:
    assert decoded(raw, charset) == text


@pytest.mark.parametrize("said", [b"(by vacation) auto-replied", b"(x)", b"no_way", b"yes"])
def test_a_comment_does_not_hide_that_a_machine_wrote(said: bytes) -> None:
    assert parse_mail(a_mail(Auto_Submitted=said)).is_automatic
    assert not parse_mail(a_mail(Auto_Submitted=b"no (really)")).is_automatic


def test_a_report_that_was_cut_off_is_a_machines_all_the_same() -> None:
    assert parse_mail(a_mail(Content_Type="multipart/report; boundary=gone")).is_automatic


def test_a_comment_of_html_that_ends_at_once_hides_nothing_behind_it() -> None:
    assert html_to_text("<!-->Make it <b>blue</b>.") == "Make it blue."
    assert html_to_text("<!--->blue") == "blue"
    assert html_to_text("<!--[if !mso]><!-->blue<!--<![endif]-->") == "blue"


def test_a_name_that_is_cut_ends_in_nothing_that_a_name_may_not_end_in() -> None:
    name = safe_file_name("x" * 145 + ". . . .pdf", otherwise="file")

    assert name == "x" * 145 + ".pdf"


def test_partial_work_that_is_no_text_still_gives_a_job_file() -> None:
    job = replace(JOB, partial={"\ud800": "\udfff"})
    delivery = Delivery(claim=Claim(desk=JOB.desk, generation=1, worker_id="w1"), job=job)

    context = SimpleNamespace(partial=job.partial, folded=())
    told = json.loads(description(delivery, cast("Context", context), ()))

    assert told["partial"] == {"?": "?"}


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a = " + "9" * 5000,
        ".".join("a" * 5000) + " = 1",
        "a = [" + "{ b = [" * 2000,
    ],
    ids=["arrays", "digits", "dots", "tables"],
)
def test_settings_beyond_what_python_reads_are_a_mistake_with_a_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hotdesk.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(file)
    assert error.value.key

    monkeypatch.setenv("HOTDESK_POOL", text.partition("=")[2].strip())
    file.write_text("")
    with pytest.raises(ConfigError, match="pool"):
        load(file)


SECRET = "hunter22"
PROJECT = "[projects.amelia]\nrepo = 'a'\ncommand = ['a']\n"
MAIL = f"{PROJECT}[mail]\ndomain = 'desk.example'\nkey = 'env:KEY'\n"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"{PROJECT}env = {{ API_KEY = 22002200 }}", "projects.amelia.env.API_KEY"),
        (f"{PROJECT}env = {{ API_KEY = {{ where = '{SECRET}' }} }}", "projects.amelia.env.API_KEY"),
        (f"{PROJECT}env = {{ API_KEY = ['{SECRET}'] }}", "projects.amelia.env.API_KEY"),
        (f"{PROJECT}env = 'API_KEY={SECRET}'", "projects.amelia.env"),
        (f"{MAIL}relay = 'smtp://me:{SECRET}@relay.example'", "mail.relay"),
        (f"{PROJECT}mail = '{SECRET}'", "projects.amelia.mail"),
    ],
)
def test_a_mistake_never_repeats_what_may_be_a_secret(text: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "hotdesk.toml"
    file.write_text(text)

    with pytest.raises(ConfigMistakes) as error:
        load(file)

    assert [mistake.key for mistake in error.value.mistakes] == [key]
    assert SECRET not in str(error.value)
    assert "22002200" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (r'data_dir = "a\u0000b"', "data_dir"),
        (r'projects.a.command = ["a", "\u0000"]', "projects.a.command"),
        (r'projects.a.env = { A = "\u0000" }', "projects.a.env.A"),
        (r'pool.pinned = [{ desk = "\u0000" }]', "pool.pinned"),
    ],
)
def test_a_setting_that_no_program_could_be_given_is_a_mistake(
    text: str, key: str, tmp_path: Path
) -> None:
    file = tmp_path / "hotdesk.toml"
    file.write_text(text)

    with pytest.raises(ConfigError, match="NUL") as error:
        load(file)

    assert error.value.key == key


@pytest.mark.parametrize("field", ["{branch:>9999999999}", "{branch!r}", "{branch:{user}}"])
def test_a_preview_has_names_in_it_and_no_instructions(field: str, tmp_path: Path) -> None:
    file = tmp_path / "hotdesk.toml"
    file.write_text(f"{PROJECT}preview = 'https://{field}'")

    with pytest.raises(ConfigMistakes, match=r"projects\.amelia\.preview: .* is none of"):
        load(file)


@pytest.mark.parametrize("line", ["a" + " " * 200_000, "a." * 100_000, '"a' * 100_000])
def test_finding_the_line_of_a_setting_takes_linear_time(line: str) -> None:
    started = process_time()

    assert lines_of(f"{line}\nb . 'c=d' = 1") == {("b", "c=d"): 2}

    assert process_time() - started < SECONDS_MAX


@pytest.mark.parametrize("digits", [16, 19, 5000])
def test_a_generation_that_no_record_could_go_on_behind_is_a_persons_text(digits: int) -> None:
    said = ["Hotdesk-Desk: amelia#scott", f"Hotdesk-Generation: {'9' * digits}"]

    assert Stamp.read(said).generation == 0
    assert Stamp.read([said[0], f"Hotdesk-Generation: {'9' * 15}"]).generation == 10**15 - 1
