"""The demo on a stack that the template has made: mails in, answers out, a worker killed.

The template's own rules, roles' names, workflow and Lambdas are used as they are. Where an
emulator runs no Lambda, a process of ours calls the handler in its place.
"""

import io
import json
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hotdesk.confinement import find_confinement
from tests.aws.conftest import Start
from tests.aws.office import AGENT, LEASE_SECONDS, Cloud, Office
from tests.backends.aws.stacks import Stacks
from tests.cli.conftest import Run
from tests.emulators.server import ROOT
from tests.intakes.receipts import DOMAIN, by_eventbridge, on_top
from tests.lambdas.conftest import Sent, sent_by
from tests.mail.samples import a_mail
from tests.workspaces.origins import BareOrigin

CODE_BUCKET = "code-of-the-demo"
KEY = "a key of 32 bytes, kept in a vault"
# The package takes a minute to put together; this one finds it where it is installed.
PACKAGE = f"""
import os, sys
sys.path[:0] = {[path for path in sys.path if "site-packages" in path]!r}
__path__ = [{str(ROOT / "src" / "hotdesk")!r}]
exec(compile(open(os.path.join(__path__[0], "__init__.py")).read(), "hotdesk", "exec"))
"""
CALL = """
import importlib, json, sys
class Context:
    def get_remaining_time_in_millis(self):
        return 60000
handler = importlib.import_module(f"hotdesk.lambdas.{sys.argv[1]}").handler
handler(json.loads(sys.argv[2]), Context())
"""
SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@dataclass(kw_only=True)
class Post:
    """Mails to the stack, and what SES was given by it."""

    office: Office
    stacks: Stacks
    stack: str
    sent_before: int = 0
    keys: list[str] = field(default_factory=list)

    @property
    def runs_lambdas(self) -> bool:
        """Whether this emulator runs them; the other one takes Docker for that."""
        return self.stacks.emulator.name != "moto"

    def deliver(
        self,
        body: str,
        *,
        sender: str = "anna@example.org",
        to: str = f"amelia+scott@{DOMAIN}",
        reply_to: str | None = None,
    ) -> None:
        """Put a mail where SES would; the rule of the template sets the intake off."""
        bucket = self.stacks.names(self.stack).bucket
        key = f"mail/m{len(self.keys)}"
        self.keys.append(key)
        mail = a_mail(
            f"{body}\r\n",
            From=sender,
            To=to,
            Subject=None,
            Message_ID=f"<{key[5:]}@example.org>",
            In_Reply_To=reply_to,
        )
        raw = on_top(return_path=sender, received_for=f" for {to};") + mail
        self.stacks.client("s3").put_object(Bucket=bucket, Key=key, Body=raw)
        if not self.runs_lambdas:
            self.call("intake", by_eventbridge(bucket, key))

    def call(self, name: str, event: dict[str, Any]) -> None:
        """Call a handler as Lambda does, in a process of its own."""
        names, emulator = self.stacks.names(self.stack), self.stacks.emulator
        subprocess.run(
            [sys.executable, "-c", CALL, name, json.dumps(event)],
            env={
                **emulator.environment,
                "PATH": "/usr/bin:/bin",
                "HOTDESK_BACKEND": self.office.url,
                "HOTDESK_CONFIG_S3": f"s3://{names.bucket}/config/hotdesk.toml",
            },
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
        )

    def sent(self) -> list[Sent]:
        """What this stack has given to SES."""
        return sent_by(self.stacks.emulator)[self.sent_before :]

    def jobs(self) -> dict[str, str]:
        """The jobs by their instructions."""
        return {each["instruction"]: each["job"] for each in self.office.records("job", "list")}

    def until_job(self, instruction: str) -> str:
        """Wait for the job that a mail becomes; return its id."""
        self.office.until(f"a job {instruction!r}", lambda: instruction in self.jobs())
        return self.jobs()[instruction]


@pytest.fixture
def stack(stacks: Stacks) -> str:
    """The name of a stack that is not there yet; the emulator forgets it at its end."""
    return f"{stacks.emulator.stack}demo"


@pytest.fixture
def post(folder: Path, stack: str, stacks: Stacks, ask: Run, start: Start) -> Post:
    """A stack, made by the command line as a person would, that takes mail."""
    origin = BareOrigin.make(folder / "origin.git")
    origin.person_pushes({"index.html": "<h1>hello</h1>\n"})
    settings = folder / "hotdesk.toml"
    settings.write_text(
        f"""\
        [worker]
        lease_seconds = {LEASE_SECONDS}
        [confinement]
        mode = "{find_confinement().best.mode}"
        [mail]
        domain = "{DOMAIN}"
        key = "env:MAIL_KEY"
        [projects.amelia]
        repo = "{origin.url}"
        command = {json.dumps(["sh", "-c", AGENT])}
        users = {{scott = ["anna@example.org"], ana = ["ben@example.org"]}}
        """
    )
    upload_code(stacks)
    stacks.client("ssm").put_parameter(Name=f"/{stack}/MAIL_KEY", Value=KEY, Type="SecureString")
    stacks.client("sesv2").create_email_identity(EmailIdentity=DOMAIN)
    url = f"aws://{stacks.emulator.region}/{stack}"
    given = {
        "LambdaBucket": CODE_BUCKET,
        "LambdaKey": "hotdesk.zip",
        "MailDomain": DOMAIN,
        "Secrets": "MAIL_KEY",
        "Scaling": "false",
        "MailReceiving": "false",
    }
    options = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    made = ask("--backend", url, "--config", str(settings), "aws", "deploy", *options)
    assert made.code == 0, made.err
    office = Office(url=url, folder=folder, origin=origin, ask=ask, start=start)
    return Post(
        office=office, stacks=stacks, stack=stack, sent_before=len(sent_by(stacks.emulator))
    )


def upload_code(stacks: Stacks) -> None:
    """Put the package of the Lambdas where the template finds it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("hotdesk/__init__.py", PACKAGE)
    s3 = stacks.client("s3")
    where = {"LocationConstraint": stacks.emulator.region}
    s3.create_bucket(Bucket=CODE_BUCKET, CreateBucketConfiguration=where)
    s3.put_object(Bucket=CODE_BUCKET, Key="hotdesk.zip", Body=archive.getvalue())


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_demo_runs_by_mail_on_a_stack_that_the_template_has_made(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_KEY", KEY)
    office, cloud = post.office, Cloud(stacks=post.stacks, stack=post.stack)
    workers = {"first": office.worker("first", MAIL_KEY=KEY)}
    post.deliver("slow: make it blue")
    begun = post.until_job("slow: make it blue")
    office.until_begun(begun)
    workers["second"] = office.worker("second", MAIL_KEY=KEY)

    # A stranger gets nowhere, another user is served beside, and a reply interrupts.
    post.deliver("let me in", sender="mallory@elsewhere.example")
    post.deliver("make it tomato", sender="ben@example.org", to=f"amelia+ana@{DOMAIN}")
    post.deliver("slow: no, green", reply_to="<m0@example.org>")
    hers = post.until_job("make it tomato")
    corrected = post.until_job("slow: no, green")
    office.until_begun(corrected)

    owner = office.record("job", "show", corrected)["worker"]
    workers[owner].signal(signal.SIGKILL)
    survivor = next(name for name in workers if name != owner)
    office.until(
        "a takeover", lambda: office.record("job", "show", corrected)["worker"] == survivor
    )
    post.deliver("now yellow", reply_to="<m3@example.org>")
    last = post.until_job("now yellow")
    ends = [office.ended(job)["state"] for job in (begun, hers, corrected, last)]
    workers[survivor].signal(signal.SIGTERM).finish()

    assert ends == ["preempted", "succeeded", "preempted", "succeeded"]
    assert "let me in" not in post.jobs()
    check_answers(post)
    check_histories(office, cloud, [begun, hers, corrected, last])


def check_answers(post: Post) -> None:
    """Each outcome is answered once, to whoever wrote."""
    if not post.runs_lambdas:
        post.call("sweep", SCHEDULED)
    wanted = {"anna@example.org": 3, "ben@example.org": 1}

    def counted() -> dict[str, int]:
        people = [address for each in post.sent() for address in each.to]
        return {who: count for who, count in Counter(people).items() if who in wanted}

    post.office.until("every answer is sent", lambda: counted() == wanted)
    post.call("sweep", SCHEDULED)
    assert counted() == wanted, "the sweep sends nothing twice"


def check_histories(office: Office, cloud: Cloud, jobs: list[str]) -> None:
    """The workflow's own history: one execution for each job, to its end, with an answer."""
    office.until("no message is left", lambda: cloud.messages() == 0)
    histories = cloud.histories()
    assert sorted(histories) == sorted(jobs)
    for job in jobs:
        (events,) = histories[job]
        assert (events[0], events[-1]) == ("ExecutionStarted", "ExecutionSucceeded"), job
    for job, states in cloud.states().items():
        assert states[-2:] == ["Answer", "Over"], job
