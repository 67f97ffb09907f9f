"""What ``[mail]`` becomes: a relay, a key, and the link in an answer."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, Json
from hotdesk.errors import ConfigError, Rejected
from hotdesk.mail.proof.hosts import address_of
from hotdesk.runners.progress import Progress
from hotdesk.wiring import client_of, open_backend
from hotdesk.wiring.agents import workspaces_of
from hotdesk.wiring.answers import presentation_of
from hotdesk.wiring.mail import mail_of, relay_of, speaks_for_many

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = Job(
    id="j1",
    desk=Desk("amelia", "scott"),
    thread="t.1",
    instruction="x",
    interrupt=InterruptPolicy.DESK,
    state=JobState.SUCCEEDED,
    order=1,
    place=1,
    send=1,
    attempt=1,
    preemptions=0,
    given_back=0,
    submitted_at=NOON,
)


def configured(preview: str | None = None, **relay: object) -> Config:
    return Config.model_validate(
        {
            "mail": {
                "domain": "desk.example.org",
                "key": "env:MAIL_KEY",
                "relay": {"host": "127.0.0.1", "tls": "none", **relay} if relay else None,
            },
            "projects": {"amelia": {"repo": "a.git", "command": ["a"], "preview": preview}},
        }
    )


@pytest.mark.parametrize(
    ("preview", "link"),
    [
        ("https://{branch}.x.example", "https://hotdesk-scott-t-1.x.example"),
        ("https://x.example/{project}/{user}/{thread}", "https://x.example/amelia/scott/t.1"),
        (None, ""),
    ],
)
async def test_the_link_of_an_answer_leads_to_its_branch(preview: str | None, link: str) -> None:
    config = configured(preview)

    assert presentation_of(config, workspaces_of(config), JOB).preview == link


@pytest.mark.parametrize("shows_cost", [True, False])
async def test_the_cost_is_shown_where_the_project_says_so(*, shows_cost: bool) -> None:
    project = {"repo": "a.git", "command": ["a"], "show_cost": shows_cost}
    config = Config.model_validate({"projects": {"amelia": project}})

    assert presentation_of(config, workspaces_of(config), JOB).shows_cost == shows_cost


async def test_the_branch_of_the_conversation_is_named() -> None:
    config = configured()

    shown = presentation_of(config, workspaces_of(config), JOB)

    assert shown.branch == f"hotdesk/{JOB.desk.user}/{JOB.thread}"


@pytest.mark.parametrize(
    ("partial", "spent_usd", "has_work"),
    [
        (None, None, True),
        ({"page": 3}, None, True),
        (Progress(cost_usd=0.5).json(), 0.5, False),
    ],
)
async def test_what_is_kept_of_a_job_only_to_know_its_cost_is_no_work(
    partial: Json, spent_usd: float | None, *, has_work: bool
) -> None:
    config = configured()

    shown = presentation_of(config, workspaces_of(config), replace(JOB, partial=partial))

    assert (shown.spent_usd, shown.has_work) == (spent_usd, has_work)


async def test_a_relay_gets_its_password_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", "hunter2")
    config = configured(port=25, username="me", password="env:RELAY_PASSWORD")

    assert config.mail is not None
    relay = relay_of(config.mail)

    assert relay is not None
    assert (relay.host, relay.port, relay.password) == ("127.0.0.1", 25, "hunter2")
    assert "hunter2" not in repr(relay) + repr(config)


async def test_a_password_does_not_leave_the_machine_without_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", "hunter2")
    config = configured(host="mail.example.org", username="me", password="env:RELAY_PASSWORD")

    assert config.mail is not None
    with pytest.raises(Rejected, match="without TLS"):
        relay_of(config.mail)


async def test_a_key_that_could_be_guessed_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_KEY", "short")
    config = configured()
    backend = open_backend(config.backend)
    client = client_of(backend)

    with pytest.raises(ConfigError, match=r"mail\.key: has fewer than 16 bytes"):
        mail_of(config, client, backend, workspaces_of(config), tell=lambda _: None)

    await client.close()


@pytest.mark.parametrize(
    ("proof", "host", "is_relay"),
    [
        ("dmarc", "203.0.113.9", False),
        ("none", "203.0.113.9", False),
        ("relay", "203.0.113.9", True),
        ("dmarc", "10.0.0.9", True),
    ],
)
def test_a_relay_that_is_believed_speaks_for_many(proof: str, host: str, *, is_relay: bool) -> None:
    mail = configured().mail
    address = address_of(host)
    assert mail is not None
    assert address is not None

    assert speaks_for_many(mail.model_copy(update={"proof": proof}), address) is is_relay


async def test_a_mail_stays_for_a_job_that_was_approved_on_its_last_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_KEY", "0123456789abcdef")
    config = configured().model_copy(update={"data_dir": tmp_path})
    backend = open_backend(f"sqlite:///{tmp_path / 'h.db'}")
    mail = mail_of(config, client_of(backend), backend, workspaces_of(config), tell=print)
    assert mail is not None
    files, now, kept = mail.files, SystemClock().now(), config.limits.retention
    [waited] = files.write(files.contents(b"waited", []), now=now - 1.9 * kept)
    [old] = files.write(files.contents(b"old", []), now=now - 2.1 * kept)

    await mail.tidy()
    await backend.close()

    assert (waited.exists(), old.exists()) == (True, False)
