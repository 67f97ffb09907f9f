"""Other people's programs: a Postfix of our own as relay, and swaks as client."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from subprocess import DEVNULL

import aiosmtplib
import anyio
import pytest
from anyio import to_thread

from hotdesk.clock import SystemClock
from hotdesk.desks import Desk
from hotdesk.mail.proof.results import RelayProver
from tests.intakes.conftest import Listen, Post
from tests.mail.samples import a_mail, a_mail_with_everything

# On a busy machine Postfix's many small processes take their time.
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

PATIENCE = 50
DAEMONS = Path("/usr/lib/postfix/sbin")
SCOTT = "amelia+scott@desk.example"
TIM = "amelia+tim@desk.example"
BY_SMTP = "berta+smtp@desk.example"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root")

# It takes mail on a socket in its queue and hands all of it to the intake, which refuses
# what is not for it; it tries again every second. It reads nothing of the machine's Postfix.
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_sender_restrictions = check_sender_access inline:{{ {{ anna@example.org =
 PREPEND Authentication-Results: relay.example; dmarc=pass header.from=example.org }} }}
relay_domains = desk.example
relay_transport = lmtp:inet:127.0.0.1:{port}
transport_maps = inline:{{ {{ {by_smtp} = smtp:[127.0.0.1]:{port} }} }}
default_transport = lmtp:inet:127.0.0.1:{port}
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
"""
MASTER = """\
entry unix n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
flush unix n - n - 0 flush
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A running relay: where it hands over, where it takes mail, and what it logs."""

    folder: Path
    port: int
    log_start: int

    async def send(self, raw: bytes, *recipients: str, sender: str = "anna@example.org") -> None:
        """Let the relay take a mail."""
        await aiosmtplib.send(
            raw,
            sender=sender,
            recipients=list(recipients),
            socket_path=str(self.folder / "queue/public/entry"),
            hostname=None,
        )

    def said(self, words: str) -> bool:
        """Whether its log has these words since the test began."""
        return words in (self.folder / "log").read_text()[self.log_start :]


@pytest.fixture(scope="module")
def running() -> Iterator[Postfix]:
    """Start a relay for the tests of this module: it takes three seconds."""
    # pytest's own folders are root's alone; the relay has a user of its own.
    folder = Path(tempfile.mkdtemp(prefix="hotdesk-postfix-"))
    folder.chmod(0o755)
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    settings = MAIN.format(folder=folder, daemons=DAEMONS, port=port, by_smtp=BY_SMTP)
    (folder / "etc/main.cf").write_text(settings)
    (folder / "etc/master.cf").write_text(MASTER)
    command = ["postfix", "-c", str(folder / "etc")]
    subprocess.run([*command, "start"], check=True, stdout=DEVNULL, stderr=DEVNULL)
    yield Postfix(folder, port, 0)
    subprocess.run([*command, "stop"], check=True, stdout=DEVNULL, stderr=DEVNULL)
    shutil.rmtree(folder)


@pytest.fixture
def relay(running: Postfix) -> Postfix:
    """The running relay, with what it said before left out."""
    return replace(running, log_start=len((running.folder / "log").read_text()))


async def until_events(post: Post, kind: str, number: int = 1) -> list[dict[str, object]]:
    mark: int | None = None
    with anyio.fail_after(PATIENCE):
        while True:
            mark = await post.backend.changed(mark, wait=timedelta(seconds=1))
            if len(found := await post.events(kind)) >= number:
                return found


async def until_said(relay: Postfix, words: str) -> None:
    with anyio.fail_after(PATIENCE):
        while not await to_thread.run_sync(relay.said, words):
            # Postfix tells nobody else, and needs the processor too.
            await SystemClock().sleep(timedelta(milliseconds=50))


@as_root
@pytest.mark.needs("postfix")
@pytest.mark.parametrize("recipient", [SCOTT, BY_SMTP])
async def test_a_mail_through_postfix_becomes_a_job_with_its_files(
    post: Post, listen: Listen, relay: Postfix, recipient: str
) -> None:
    async with listen(port=relay.port, is_lmtp=recipient != BY_SMTP):
        await relay.send(a_mail_with_everything(), recipient)
        await until_events(post, "JobSubmitted")
        await until_said(relay, "status=sent (250 2.0.0 accepted)")

    (job,) = await post.client.jobs()
    assert job.origin.recipient == recipient
    assert job.instruction == "Kopfzeile größer\n\nGrößer, bitte."
    assert len(job.origin.attachments) == 3


@as_root
@pytest.mark.needs("postfix")
async def test_postfix_tells_its_sender_why_one_recipient_was_refused(
    post: Post, listen: Listen, relay: Postfix
) -> None:
    raw = a_mail(From="scott@example.org")
    async with listen(port=relay.port, is_lmtp=True):
        # One is refused at RCPT, one for its From field after DATA, one is taken.
        await relay.send(raw, "amelia+nobody@desk.example", TIM, SCOTT)
        await until_events(post, "JobSubmitted")
        await until_said(relay, "550 5.1.1 there is no such user in this project")
        await until_said(relay, "550 5.7.1 this sender may not write here")

    (job,) = await post.client.jobs()
    assert job.desk == Desk("amelia", "scott")


@as_root
@pytest.mark.needs("postfix")
async def test_what_postfix_found_is_believed_and_what_a_mail_brings_is_not(
    post: Post, listen: Listen, relay: Postfix
) -> None:
    found = b"Authentication-Results: relay.example; dmarc=pass header.from=example.org\r\n"
    forged = found + b"Received: by relay.example (Postfix); x\r\n" + found
    prove = RelayProver("relay.example")
    async with listen(port=relay.port, is_lmtp=True, prove=prove):
        # Postfix says of Anna what a filter would say, and of Scott nothing.
        await relay.send(a_mail(), SCOTT)
        await until_events(post, "JobSubmitted")
        mail = forged + a_mail(From="scott@example.org", Message_ID="<m2@example.org>")
        await relay.send(mail, SCOTT, sender="scott@example.org")
        await until_said(relay, "550 5.7.26 nothing proves that this mail comes from example.org")

    (taken,) = await post.events("MailTaken")
    assert (taken["sender"], taken["proof"]) == ("anna@example.org", "relay")


@as_root
@pytest.mark.needs("postfix")
async def test_postfix_delivers_again_what_could_not_be_stored(
    post: Post, listen: Listen, relay: Postfix
) -> None:
    post.folder.write_bytes(b"a file where the folder should be")
    async with listen(port=relay.port, is_lmtp=True):
        await relay.send(a_mail(), SCOTT)
        await until_said(relay, "status=deferred")
        post.folder.unlink()
        await until_events(post, "JobSubmitted")
        await until_said(relay, "status=sent")

    assert len(await post.client.jobs()) == 1


@as_root
@pytest.mark.needs("postfix")
async def test_the_bounce_of_an_answer_is_noted_and_starts_nothing(
    post: Post, listen: Listen, relay: Postfix
) -> None:
    async with listen(port=relay.port, is_lmtp=True):
        await relay.send(a_mail(), "gone@elsewhere.example", sender=SCOTT)
        (ignored,) = await until_events(post, "MailIgnored")

    assert ignored["reason"] == "null return path"
    assert await post.client.jobs() == []


@pytest.mark.needs("swaks")
@pytest.mark.parametrize(
    ("recipient", "protocol", "status"),
    [
        (SCOTT, "ESMTP", 0),
        (SCOTT, "SMTP", 0),
        (SCOTT, "LMTP", 0),
        ("amelia+nobody@desk.example", "ESMTP", 24),  # No recipient was accepted.
        ("amelia+scott@evil.example", "LMTP", 24),
    ],
)
async def test_swaks_is_served_or_refused(
    post: Post, listen: Listen, recipient: str, protocol: str, status: int
) -> None:
    async with listen(is_lmtp=protocol == "LMTP") as port:
        swaks = await anyio.run_process(
            [
                *("swaks", "--server", f"127.0.0.1:{port}", "--protocol", protocol),
                *("--from", "anna@example.org", "--to", recipient, "--timeout", "10"),
                *("--header", "Subject: Header", "--body", "Make it blue."),
            ],
            check=False,
        )

    assert swaks.returncode == status, swaks.stdout.decode()
    assert len(await post.client.jobs()) == (status == 0)
