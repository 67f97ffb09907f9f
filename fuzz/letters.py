"""What holds for every mail, whatever its bytes are, and for the answer to it."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import getaddresses

from fuzz.pages import read_page
from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, Origin, Result
from hotdesk.errors import Rejected
from hotdesk.mail.address import (
    desk_address,
    parse_recipient,
    thread_address,
    thread_of_token,
    thread_token,
)
from hotdesk.mail.answer import Presentation
from hotdesk.mail.characters import plain_text
from hotdesk.mail.headers import MESSAGE_ID_LENGTH_MAX, Headers, words
from hotdesk.mail.hypertext import html_to_text
from hotdesk.mail.letter import Letter
from hotdesk.mail.mailbox import NAME_LENGTH_MAX, canonical_domain, parse_address, sender_of
from hotdesk.mail.parse import (
    ATTACHMENTS_MAX,
    FILE_NAME_BYTES_MAX,
    REFERENCES_MAX,
    SUBJECT_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    parse_mail,
    safe_file_name,
)
from hotdesk.mail.quoted import new_text
from hotdesk.mail.rejection import MailRejected
from hotdesk.mail.reply import ANSWER_BYTES_MAX, build_answer
from hotdesk.ports import Answer

DOMAIN = "desk.example"
KEY = b"a key that no input can know"
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SCOTT = Desk("amelia", "scott")
ADDRESS = "amelia+scott@desk.example"
ANSWER_ID = "<answer-1@desk.example>"
SEPARATOR = b"\0\0"
LINE_BYTES_MAX = 998  # RFC 5322, 2.1.1.
REPLY_BYTES_MAX = 510  # RFC 5321, 4.5.3.1.5, without the line end.
ENDED = [state for state in JobState if state.is_ended]

JOB = Job(
    id="j1",
    desk=SCOTT,
    thread="t1",
    instruction="Make it blue.",
    interrupt=InterruptPolicy.DESK,
    state=JobState.SUCCEEDED,
    order=1,
    place=1,
    send=1,
    attempt=1,
    preemptions=0,
    given_back=0,
    submitted_at=NOW,
)

_HEADER_LINE = re.compile(rb"[A-Za-z-]+: [ -~]*|[ ][ -~]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_FIELDS = (
    "From To Reply-To Subject Date Message-ID In-Reply-To References X-Hotdesk-Job Auto-Submitted "
    "X-Auto-Response-Suppress Content-Type MIME-Version"
).split()
_MAY_BE_MISSING = {"In-Reply-To", "References"}


def mail(data: bytes) -> None:
    """A mail is read within its bounds, or refused in one line; its answer is one mail."""
    try:
        letter = parse_mail(data)
    except MailRejected as refusal:
        check_reply(refusal.reply)
        return
    check_letter(letter)
    seen = BytesHeaderParser(policy=email.policy.compat32).parsebytes(data)
    check_writer(letter.sender.address, [str(each) for each in seen.get_all("from", [])])
    origin = Origin(
        source="mail",
        sender=letter.sender.address,
        subject=letter.subject,
        message_id=letter.message_id,
        references=letter.references,
    )
    job = replace(JOB, origin=origin, instruction=letter.new_text)
    check_answer(answer_to(job, JobState.SUCCEEDED), recipient=letter.sender.address)


def answer(data: bytes) -> None:
    """Whatever people and agents wrote, the answer has the fields that it should have."""
    parts = data.decode("utf-8", "replace").split(SEPARATOR.decode())
    state, sender, subject, message_id, text, change, instruction, preview = (*parts, *[""] * 8)[:8]
    job = replace(
        JOB,
        origin=Origin(
            sender=sender, subject=subject, message_id=message_id, references=(message_id, text)
        ),
        instruction=instruction,
        result=Result(text=text, commit=change, changes=(change, text), notes=(text, subject)),
        error=text,
    )
    mailbox = parse_address(sender)
    try:
        raw = answer_to(job, ENDED[len(state) % len(ENDED)], preview=preview)
    except Rejected:
        assert mailbox is None
        return
    assert mailbox is not None
    check_answer(raw, recipient=mailbox.address)


def reply(data: bytes) -> None:
    """What is new in a reply are lines of it, in their order, and not nothing."""
    text = plain_text(data[1:].decode("utf-8", "replace"))
    new = new_text(text, is_reply=data[:1] > b"@")
    assert bool(new.strip()) == bool(text.strip())
    lines = iter([line.rstrip() for line in text.split("\n")])
    assert all(line in lines for line in new.split("\n"))


def hypertext(data: bytes) -> None:
    """HTML becomes text that is not much longer than it, whatever the tags are."""
    html = data.decode("utf-8", "replace")
    text = html_to_text(html)
    # Each tag may end a line, and each line may be quoted twenty times over.
    assert len(text) <= 42 * len(html) + 42
    assert text == text.strip("\n")
    if not re.search(r"[<&\s]", html):
        assert text == html


def fields(data: bytes) -> None:
    """Every reader of a header field takes what it can use, and leaves the rest."""
    value = data.strip(b" \t")
    headers = Headers(tuple((name, value) for name in ("from", "references", "content-type")))
    try:
        sender = sender_of(headers)
    except MailRejected:
        pass
    else:
        assert len(sender.name) <= NAME_LENGTH_MAX
        check_writer(sender.address, [value.decode("utf-8", "replace")])
    for text in (words(value), *headers.parameters("content-type").values()):
        text.encode("utf-8")
        name = safe_file_name(text, otherwise="file")
        check_file_name(name)
        assert safe_file_name(name, otherwise="file") == name
    for each in headers.ids("references"):
        assert re.fullmatch(r"<[!-~]+>", each)
        assert len(each) <= MESSAGE_ID_LENGTH_MAX + 2
    headers.keyword("content-type")


def address(data: bytes) -> None:
    """An address is one plain address or none; it says the same when it is read again."""
    text = data.decode("utf-8", "replace")
    domain = canonical_domain(text)
    assert canonical_domain(domain) == domain
    mailbox = parse_address(text)
    if mailbox is not None:
        assert parse_address(mailbox.address) == mailbox
        assert re.fullmatch(r"[!-~]{1,64}@[a-z0-9.-]{1,253}", mailbox.address)
        assert getaddresses([mailbox.address]) == [("", mailbox.address)]
    try:
        recipient = parse_recipient(text, domain=DOMAIN)
    except MailRejected:
        return
    desk = recipient.desk
    assert thread_of_token(desk, recipient.token, key=KEY) is None
    assert parse_recipient(desk_address(desk, domain=DOMAIN), domain=DOMAIN).desk == desk
    found = parse_recipient(thread_address(desk, "t1", domain=DOMAIN, key=KEY), domain=DOMAIN)
    assert found.desk == desk
    assert found.token in ("", thread_token(desk, "t1", key=KEY))


def check_writer(sender: str, fields: list[str]) -> None:
    """Hold a sender to being the one whom another program sees too: the standard library."""
    seen = [at.lower() for _, at in getaddresses(fields) if "@" in at and at.isascii()]
    assert len(fields) == 1
    assert set(seen) <= {sender}


def check_reply(line: str) -> None:
    """Hold the words for a refusal to being one line of SMTP."""
    assert len(line) <= REPLY_BYTES_MAX
    assert line.isascii()
    assert line.isprintable()


def check_letter(letter: Letter) -> None:
    """Hold a letter to what it promises to those who store, show and answer it."""
    texts = [letter.message_id, letter.subject, letter.text, letter.new_text, letter.sender.name]
    for text in (*texts, *letter.references, *letter.in_reply_to):
        text.encode("utf-8")
        assert not _CONTROLS.search(text)
    for line in (letter.subject, letter.sender.name):
        assert line.isprintable() or not line
    for each in (letter.message_id, *letter.references, *letter.in_reply_to):
        assert re.fullmatch(r"<[!-~]+>", each)
    assert len(letter.references) <= REFERENCES_MAX
    assert len(letter.in_reply_to) <= REFERENCES_MAX
    assert len(letter.subject) <= SUBJECT_LENGTH_MAX
    assert len(letter.text) <= TEXT_LENGTH_MAX
    assert bool(letter.new_text.strip()) == bool(letter.text.strip())
    assert len(letter.attachments) <= ATTACHMENTS_MAX
    for attachment in letter.attachments:
        check_file_name(attachment.name)
    assert letter.date is None or letter.date.tzinfo is UTC


def check_file_name(name: str) -> None:
    """Hold a name to being the last part of a path, and nothing that a program takes badly."""
    assert name not in ("", ".", "..")
    assert name[0] not in "-.~"
    assert name.isprintable()
    assert not re.search(r'[/\\<>:"|?*]', name)
    assert len(name.encode("utf-8")) <= FILE_NAME_BYTES_MAX


def answer_to(job: Job, state: JobState, *, preview: str = "") -> bytes:
    """Build the answer that tells how *job* ended; one like it has taken a preempted one over."""
    return build_answer(
        Answer(job=replace(job, state=state), number=1, state=state, created_at=NOW, tries=0),
        address=ADDRESS,
        reply_to=thread_address(SCOTT, "t1", domain=DOMAIN, key=KEY),
        message_id=ANSWER_ID,
        presentation=Presentation(preview=preview, shows_cost=True),
        successor=job,
    )


def check_answer(raw: bytes, *, recipient: str) -> None:
    """Hold an answer to its fields, once by its lines and once by the standard library.

    And its two parts to what they may hold, and to saying the same.
    """
    assert len(raw) <= ANSWER_BYTES_MAX
    head = raw.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        assert _HEADER_LINE.fullmatch(line), line
        assert len(line) <= LINE_BYTES_MAX
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= LINE_BYTES_MAX
    seen = email.message_from_bytes(raw, policy=email.policy.default)
    names = seen.keys()
    assert [name for name in _FIELDS if name in names or name not in _MAY_BE_MISSING] == names
    assert [each.addr_spec for each in seen["To"].addresses] == [recipient]
    assert str(seen["Subject"]).isprintable()
    text, html = [part.get_content() for part in seen.iter_parts()]
    assert not _CONTROLS.search((text + html).replace("\r\n", "\n"))
    page = read_page(html)
    # Of what stands in its first line alone no Markdown is made.
    assert " ".join(text.partition("\n")[0].split()) in page.text
    letter = parse_mail(raw, return_path=ADDRESS)
    assert letter.message_id == ANSWER_ID
    assert letter.sender.address == ADDRESS
    # What Hotdesk sent starts nothing at another Hotdesk, and gets no answer from it.
    assert letter.is_automatic
    assert not letter.attachments
