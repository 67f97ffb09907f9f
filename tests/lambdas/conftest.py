"""A stack that takes mail, and the Lambdas called as AWS calls them."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.aws.names import Names
from hotdesk.clock import SystemClock
from hotdesk.desks import Job
from hotdesk.events import StoredEvent
from hotdesk.lambdas import invocation
from hotdesk.lambdas.intake import handler as intake_handler
from hotdesk.mail.parse import parse_mail
from tests.backends.aws.stacks import Stacks
from tests.emulators.server import Emulator
from tests.intakes.receipts import DOMAIN, a_receipt

KEY = "a key of 32 bytes, kept in a vault"
SETTINGS = f"""
[mail]
domain = "{DOMAIN}"
key = "env:MAIL_KEY"
size_max_bytes = 200000

[projects.amelia]
repo = "https://git.example/amelia.git"
token = "env:AMELIA_TOKEN"
command = ["agent"]
preview = "https://{{branch}}.preview.example"
users = {{scott = ["anna@example.org", "ben@elsewhere.example"], tim = ["anna@example.org"]}}

[projects.berta]
repo = "https://git.example/berta.git"
command = ["agent"]
users = {{scott = ["anna@example.org"]}}
guests = ["guest@example.org"]
unproven = "hold"
limits = {{sender_jobs_per_hour = 1}}
"""
SETTLED_SECONDS = 60


@dataclass(frozen=True)
class Invocation:
    """What Lambda tells a handler."""

    seconds_left: float = SETTLED_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds_left * 1000)


@dataclass(frozen=True)
class Sent:
    """A mail that SES was given, as far as every emulator shows it."""

    sender: str
    to: list[str]
    subject: str
    text: str


@dataclass(frozen=True)
class Office:
    """A stack that takes mail, as a test sees it."""

    stacks: Stacks
    names: Names
    emulator: Emulator
    log: Callable[[], list[dict[str, Any]]]
    sent_before: int

    @property
    def url(self) -> str:
        return f"aws://{self.names.region}/{self.names.stack}"

    def store(self, key: str, content: bytes) -> None:
        self.stacks.client("s3").put_object(Bucket=self.names.bucket, Key=key, Body=content)

    def keys(self, prefix: str) -> list[str]:
        found = self.stacks.client("s3").list_objects_v2(Bucket=self.names.bucket, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", ())]

    def fetched(self, pointer: str) -> bytes:
        """What *pointer*, ``s3://BUCKET/KEY``, leads to."""
        bucket, _, key = pointer.removeprefix("s3://").partition("/")
        body: bytes = self.stacks.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def deliver(self, raw: bytes, name: str = "m1", **receipt: object) -> dict[str, Any]:
        """Store a mail as SES does, and tell the intake of its receipt."""
        self.store(f"mail/{name}", raw)
        return self.invoke(a_receipt(name, **receipt))

    def invoke(self, event: object) -> dict[str, Any]:
        assert isinstance(event, Mapping)
        return intake_handler(event, Invocation())

    def ask(self, question: Callable[[AwsBackend], Any]) -> Any:  # noqa: ANN401 - its answer
        """Ask the backend something, on connections of our own."""

        async def asking() -> object:
            calls = Calls(
                self.names.region,
                endpoint=self.emulator.endpoint or None,
                session=self.stacks.session,
            )
            backend = AwsBackend(calls, self.names.stack, SystemClock())
            try:
                return await question(backend)
            finally:
                await backend.close()

        return anyio.run(asking)

    def sent(self) -> list[Sent]:
        """The mails that SES was given in this test."""
        return sent_by(self.emulator)[self.sent_before :]

    def jobs(self) -> list[Job]:
        found: list[Job] = self.ask(lambda backend: backend.jobs())
        return found

    def the_job(self) -> Job:
        (job,) = self.jobs()
        return job

    def events(self, kind: str) -> list[dict[str, object]]:
        found: list[StoredEvent] = self.ask(lambda backend: backend.events())
        return [dict(event.details) for event in found if event.kind == kind]


def sent_by(emulator: Emulator) -> list[Sent]:
    """Every mail that the SES of an emulator was given."""
    path = {"moto": "/moto-api/data.json", "ministack": "/_ministack/ses/messages"}[emulator.name]
    with urllib.request.urlopen(f"{emulator.endpoint}{path}", timeout=10) as answer:  # noqa: S310 - ours
        said = json.load(answer)
    if emulator.name == "ministack":
        return [
            Sent(each["Source"], each["To"], each["Subject"], each["BodyText"])
            for account in said["messages"].values()
            for each in account
        ]
    sent = []
    for each in said.get("ses", {}).get("RawMessage", ()):
        letter = parse_mail(each["raw_data"].encode())
        sent.append(Sent(each["source"], each["destinations"][:1], letter.subject, letter.text))
    return sent


@pytest.fixture(scope="session")
def get_post(request: pytest.FixtureRequest) -> Iterator[Callable[[Emulator], Stacks]]:
    """What makes the stacks on an emulator; its clients are shared by all tests."""
    made: dict[str, Stacks] = {}

    def get(emulator: Emulator) -> Stacks:
        if emulator.name not in made:
            made[emulator.name] = Stacks(emulator)
            ses = made[emulator.name].client("sesv2")
            ses.create_email_identity(EmailIdentity=DOMAIN)
        return made[emulator.name]

    yield get
    for each in made.values():
        each.close()


def let_workflows_wait(stacks: Stacks, names: Names) -> None:
    """How a job is carried is tested elsewhere; many that are carried make an emulator slow."""
    waiting = {"Type": "Wait", "Seconds": 3600, "End": True}
    stacks.client("stepfunctions").update_state_machine(
        stateMachineArn=names.state_machine_arn,
        definition=json.dumps({"StartAt": "Wait", "States": {"Wait": waiting}}),
    )


@pytest.fixture
def office(
    emulator: Emulator,
    get_post: Callable[[Emulator], Stacks],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Office]:
    stacks = get_post(emulator)
    names = stacks.names(stacks.make())
    let_workflows_wait(stacks, names)

    def log() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    made = Office(stacks, names, emulator, log, len(sent_by(emulator)))
    made.store("config/hotdesk.toml", SETTINGS.encode())
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # noqa: TID251 - to clean
        monkeypatch.delenv(name)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    # A session reads long descriptions of AWS; the tests share one.
    monkeypatch.setattr("hotdesk.wiring.stack.Calls", partial(Calls, session=stacks.session))
    monkeypatch.setenv("HOTDESK_BACKEND", made.url)
    monkeypatch.setenv("HOTDESK_CONFIG_S3", f"s3://{names.bucket}/config/hotdesk.toml")
    monkeypatch.setenv("MAIL_KEY", KEY)
    yield made
    end_process()
    stacks.remove(names.stack)


def end_process() -> None:
    """Let the next invocation start from nothing, as in a new process."""
    for process in invocation._process:
        if process.stack is not None:
            process.stack.calls.close()
        process.runner.close()
    invocation._process.clear()
