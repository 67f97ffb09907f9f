from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from hotdesk.desks import Desk
from hotdesk.intakes.smtp import SmtpIntake
from hotdesk.mail.address import thread_address
from hotdesk.mail.proof.verdict import believe
from tests.intakes.conftest import (
    DOMAIN,
    KEY,
    Listen,
    Post,
    connected,
    deliver,
    everything_from,
    start_of_mail,
)
from tests.mail.samples import APPLE_REPLY_WITH_FILE, BOUNCE, a_mail

pytestmark = pytest.mark.anyio

SCOTT = "amelia+scott@desk.example"
TIM = "amelia+tim@desk.example"
ANY = "berta+anyone@desk.example"


# ------------------------------------------------------------------- what becomes of a mail


async def test_an_accepted_mail_is_a_job_for_the_desk_of_its_address(
    post: Post, listen: Listen
) -> None:
    async with listen() as port:
        reply = await deliver(port, a_mail(), SCOTT)

    job = await post.the_job()
    assert reply[0] == 250
    assert job.desk == Desk("amelia", "scott")
    assert job.instruction == "Header\n\nMake the header blue."
    assert job.origin.source == "mail"
    assert job.origin.sender == "anna@example.org"
    assert job.origin.recipient == SCOTT
    assert job.origin.message_id == "<m1@example.org>"
    assert post.stored() == {job.origin.raw: a_mail()}


async def test_a_mail_that_is_delivered_twice_is_one_job(post: Post, listen: Listen) -> None:
    async with listen() as port:
        first = await deliver(port, b"Received: from a\r\n" + a_mail(), SCOTT)
        again = await deliver(port, b"Received: from b\r\n" + a_mail(), SCOTT, SCOTT.upper())

    assert (first[0], again[0]) == (250, 250)
    assert len(await post.client.jobs()) == 1


async def test_another_sender_cannot_take_the_id_of_a_mail(post: Post, listen: Listen) -> None:
    async with listen() as port:
        await deliver(port, a_mail(From="scott@example.org"), SCOTT, sender="scott@example.org")
        await deliver(port, a_mail(), SCOTT)

    assert len(await post.client.jobs()) == 2


async def test_a_mail_to_several_desks_is_a_job_for_each_in_one_commit(
    post: Post, listen: Listen
) -> None:
    async with listen() as port:
        reply = await deliver(port, a_mail(), SCOTT, TIM, ANY)

    jobs = await post.client.jobs()
    assert reply[0] == 250
    assert {str(job.desk) for job in jobs} == {"amelia/scott", "amelia/tim", "berta/anyone"}
    assert len({job.submitted_at for job in jobs}) == 1
    assert len({job.thread for job in jobs}) == 3


async def test_each_mail_of_a_connection_goes_to_its_own_recipients(
    post: Post, listen: Listen
) -> None:
    def talk(port: int) -> None:
        with connected(port) as smtp:
            smtp.mail("anna@example.org")
            smtp.rcpt(ANY)
            smtp.rset()
            smtp.sendmail("anna@example.org", SCOTT, a_mail())
            smtp.sendmail("anna@example.org", TIM, a_mail(Message_ID="<m2@x>"))

    async with listen() as port:
        await to_thread.run_sync(talk, port)

    jobs = await post.client.jobs()
    assert {(str(j.desk), j.origin.message_id) for j in jobs} == {
        ("amelia/scott", "<m1@example.org>"),
        ("amelia/tim", "<m2@x>"),
    }


async def test_a_reply_continues_the_thread_of_its_desk_only(post: Post, listen: Listen) -> None:
    reply = a_mail("Greener.", Message_ID="<m2@x>", In_Reply_To="<m1@example.org>")
    async with listen() as port:
        await deliver(port, a_mail(), SCOTT)
        await deliver(port, reply, SCOTT)
        await deliver(port, reply, TIM)

    threads = {str(t.desk): t for t in await post.client.threads()}
    assert threads["amelia/scott"].jobs == 2
    assert threads["amelia/tim"].jobs == 1
    (newest, _) = await post.client.jobs("amelia/scott")
    assert newest.instruction == "Greener."


async def test_a_reply_to_the_address_of_a_thread_continues_it(post: Post, listen: Listen) -> None:
    desk = Desk("amelia", "scott")
    async with listen() as port:
        await deliver(port, a_mail(), SCOTT)
        thread = (await post.the_job()).thread
        address = thread_address(desk, thread, domain=DOMAIN, key=KEY)
        await deliver(port, a_mail("Greener.", Message_ID="<other@x>"), address)

    assert [(t.thread, t.jobs) for t in await post.client.threads()] == [(thread, 2)]


async def test_attachments_are_files_that_the_job_names(post: Post, listen: Listen) -> None:
    async with listen() as port:
        await deliver(port, APPLE_REPLY_WITH_FILE, SCOTT)

    job = await post.the_job()
    (path,) = job.origin.attachments
    assert Path(path).name == "Bildschirmfoto für oben.png"
    assert post.stored()[path] == b"\x89PNG\r\n\x1a\n"
    assert job.instruction == "Like this:\n\nbut darker."


async def test_a_mail_of_a_machine_is_taken_and_starts_nothing(post: Post, listen: Listen) -> None:
    async with listen() as port:
        bounce = await deliver(port, BOUNCE, SCOTT, sender="")
        vacation = await deliver(port, a_mail(Auto_Submitted="auto-replied"), SCOTT)

    assert (bounce[0], vacation[0]) == (250, 250)
    assert await post.client.jobs() == []
    assert post.stored() == {}
    assert [e["reason"] for e in await post.events("MailIgnored")] == [
        "null return path",
        "Auto-Submitted",
    ]


@pytest.mark.parametrize(
    ("fields", "instruction"),
    [
        ({"body": ""}, "Header"),
        ({"body": "Blue.", "Subject": None}, "Blue."),
        ({"body": "Blue.", "In_Reply_To": "<x@y>"}, "Blue."),
        ({"body": "x", "Subject": None, "Content_Type": "image/png"}, "See the attached files."),
    ],
    ids=["subject only", "text only", "reply", "file only"],
)
async def test_an_instruction_is_what_the_mail_says_first(
    post: Post, listen: Listen, fields: dict[str, str], instruction: str
) -> None:
    async with listen() as port:
        await deliver(port, a_mail(**fields), SCOTT)

    assert (await post.the_job()).instruction == instruction


# --------------------------------------------------------------------------- who may write


@pytest.mark.parametrize(
    ("recipient", "status"),
    [
        ("amelia+scott@evil.example", b"5.1.2"),
        ("someone@desk.example", b"5.1.1"),
        ("nobody+scott@desk.example", b"5.1.1"),
        ("amelia+nobody@desk.example", b"5.1.1"),
        ("amelia+scott+x@[127.0.0.1]", b"5.1.3"),
        ('"amelia+scott"@desk.example', b"5.1.3"),
        ("amelia+scott", b"5.1.3"),
        ("@evil.example:amelia+scott@desk.example", b"5.1.3"),
        ("<[", b"5.1.3"),
    ],
)
async def test_a_recipient_that_is_not_ours_is_refused_at_once(
    post: Post, listen: Listen, recipient: str, status: bytes
) -> None:
    async with listen() as port:
        code, text = await deliver(port, a_mail(), recipient)

    assert code // 10 == 55
    assert text.startswith(status)
    assert await post.client.jobs() == []


async def test_a_sender_that_is_not_allowed_is_refused_at_the_recipient(
    post: Post, listen: Listen
) -> None:
    async with listen() as port:
        code, text = await deliver(port, a_mail(), SCOTT, sender="eve@evil.example")

    assert (code, text[:5]) == (550, b"5.7.1")
    assert await post.events("MailRefused") == [
        {
            "sender": "eve@evil.example",
            "recipient": SCOTT,
            "reason": "this sender may not write here; ask the owner of the project to allow it",
            "envelope": "",
        }
    ]


# Scott may write to one of the two, Mallory to none.
@pytest.mark.parametrize("judged", ["scott@example.org", "mallory@evil.example"])
async def test_a_from_field_that_is_not_allowed_refuses_the_whole_mail(
    post: Post, listen: Listen, judged: str
) -> None:
    raw = a_mail(From=judged)
    async with listen() as port:
        code, text = await deliver(port, raw, SCOTT, TIM, sender="anna@example.org")

    assert (code, text[:5]) == (550, b"5.7.1")
    # Who reads the audit must not take it for a mail of Anna's.
    noted = [(each["sender"], each["envelope"]) for each in await post.events("MailRefused")]
    assert noted == [(judged, "anna@example.org")] * 2
    assert await post.client.jobs() == []
    assert post.stored() == {}


@pytest.mark.parametrize(
    "raw",
    [
        a_mail(From=None),
        b"From: eve@evil.example\r\n" + a_mail(),
        a_mail(From='"anna@example.org" <eve@evil.example>'),
        b"Subject: x\rFrom: eve@evil.example\r\n" + a_mail(),
        a_mail(body="", Subject=None),
        b"no headers at all",
    ],
    ids=["no From", "two Froms", "name is an address", "bare CR", "empty", "no headers"],
)
async def test_a_mail_that_cannot_be_read_one_way_is_refused(
    post: Post, listen: Listen, raw: bytes
) -> None:
    async with listen() as port:
        code, _ = await deliver(port, raw, SCOTT)

    assert code in (550, 554)
    assert await post.client.jobs() == []


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n"]
)
async def test_a_mail_cannot_smuggle_another_one_behind_itself(
    post: Post, listen: Listen, end: bytes
) -> None:
    smuggled = b"MAIL FROM:<scott@example.org>\r\nRCPT TO:<amelia+tim@desk.example>\r\nDATA\r\n"
    hidden = a_mail(b"text" + end + smuggled)
    async with listen() as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(start_of_mail(SCOTT) + hidden + b"\r\n.\r\nQUIT\r\n")
        answer = await everything_from(stream)

    assert answer.count(b"354") == 1
    assert len(await post.client.jobs()) == 1


# ----------------------------------------------------------------------------------- LMTP


async def test_with_lmtp_each_recipient_gets_its_own_reply(post: Post, listen: Listen) -> None:
    def talk(port: int) -> list[int]:
        with connected(port, is_lmtp=True) as lmtp:
            lmtp.mail("scott@example.org")
            assert lmtp.rcpt(SCOTT)[0] == 250
            assert lmtp.rcpt(TIM)[0] == 550
            assert lmtp.rcpt(ANY)[0] == 250
            lmtp.putcmd("DATA")
            lmtp.getreply()
            lmtp.send(a_mail(From="eve@example.org") + b"\r\n.\r\n")
            return [lmtp.getreply()[0] for _ in range(2)] + [lmtp.noop()[0]]

    async with listen(is_lmtp=True) as port:
        replies = await to_thread.run_sync(talk, port)

    assert replies == [550, 250, 250]
    assert (await post.the_job()).desk == Desk("berta", "anyone")


@pytest.mark.parametrize(
    "raw",
    [b"x" * 2000 + b"\r\n", a_mail("x\r\n" * 500), b"not a mail\r\n"],
    ids=["line", "size", "mail"],
)
async def test_with_lmtp_an_error_is_told_once_for_each_recipient(
    listen: Listen, raw: bytes
) -> None:
    def talk(port: int) -> list[int]:
        with connected(port, is_lmtp=True) as lmtp:
            lmtp.mail("anna@example.org")
            lmtp.rcpt(SCOTT)
            lmtp.rcpt(TIM)
            lmtp.putcmd("DATA")
            lmtp.getreply()
            lmtp.send(raw + b"\r\n.\r\n")
            return [lmtp.getreply()[0] // 100 for _ in range(2)] + [lmtp.noop()[0]]

    async with listen(is_lmtp=True, size_max=1000) as port:
        assert await to_thread.run_sync(talk, port) == [5, 5, 250]


# ------------------------------------------------------------------------------ durability


async def test_without_a_store_the_mail_may_come_again_and_nothing_is_kept(
    post: Post, listen: Listen, tmp_path: Path
) -> None:
    async with listen() as port:
        with sqlite3.connect(tmp_path / "hotdesk.db", isolation_level=None) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            locked = await deliver(port, APPLE_REPLY_WITH_FILE, SCOTT)
            kept = post.stored()
            lock.execute("ROLLBACK")
        lock.close()
        again = await deliver(port, APPLE_REPLY_WITH_FILE, SCOTT)

    assert locked[0] == 451
    assert kept == {}
    assert again[0] == 250
    assert len(await post.client.jobs()) == 1


async def test_without_room_on_the_disk_the_mail_may_come_again(
    post: Post, listen: Listen, tmp_path: Path
) -> None:
    post.folder.write_bytes(b"a file where the folder should be")
    async with listen() as port:
        code, _ = await deliver(port, a_mail(), SCOTT)

    assert code == 451
    assert await post.client.jobs() == []


async def test_a_mail_that_is_being_taken_is_finished_before_the_intake_ends(
    post: Post, tmp_path: Path
) -> None:
    intake = SmtpIntake(post.mailroom, prove=believe, port=0, hostname=DOMAIN)
    lock = sqlite3.connect(tmp_path / "hotdesk.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(intake.run)
        stream = await anyio.connect_tcp("127.0.0.1", port)
        await stream.send(start_of_mail(SCOTT) + a_mail() + b"\r\n.\r\n")
        # The file is there, and the job waits for the store.
        while not await to_thread.run_sync(post.stored):
            continue

        tasks.cancel_scope.cancel()
        lock.execute("ROLLBACK")
    answer = await everything_from(stream)
    await stream.aclose()
    lock.close()

    assert answer.endswith(b"250 2.0.0 accepted\r\n")
    assert len(await post.client.jobs()) == 1
