"""What settings become for the engine, and that each is documented."""

import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from hotdesk.config import Config, load, settings
from hotdesk.confinement import Mode
from hotdesk.desks import Desk, InterruptPolicy
from hotdesk.errors import Rejected
from hotdesk.lifecycle import Limits
from hotdesk.mail.letter import Mailbox
from hotdesk.mail.sender import Role
from hotdesk.placement import PinnedDesk, PoolLimits
from hotdesk.session import WorkerLimits
from tests.config.conftest import Write

PAGE = Path(__file__).parents[2] / "docs/configuration.md"


def test_the_defaults_are_those_of_the_engine() -> None:
    config = Config()

    assert config.worker.limits == WorkerLimits()
    assert config.limits.limits == Limits()
    assert config.pool.limits == PoolLimits()


@pytest.mark.parametrize("url", ["sqlite:////srv/hotdesk.db", "aws://eu-west-1/hotdesk"])
def test_a_backend_is_a_file_or_a_stack(url: str) -> None:
    assert Config(backend=url).backend == url


def test_a_worker_ends_when_it_is_idle_only_where_that_is_set() -> None:
    config = Config.model_validate({"worker": {"idle_exit_seconds": 900}})

    assert config.worker.limits.idle_exit == timedelta(minutes=15)


def test_every_confinement_can_be_chosen() -> None:
    field = Config().confinement.__class__.model_fields["mode"]

    assert get_args(field.annotation) == ("auto", *Mode)


def test_numbers_become_spans_and_names_become_desks(write: Write) -> None:
    write(
        "[worker]\nlease_seconds = 60\n[limits]\nbackoff_seconds = 0.5\nretention_days = 2\n"
        "[pool]\npinned = [{desk = 'amelia/scott', always_on = false}]\n"
    )

    config = load().config

    assert config.worker.limits.lease == timedelta(seconds=60)
    assert config.limits.limits.backoff == timedelta(seconds=0.5)
    assert config.limits.retention == timedelta(days=2)
    pinned = PinnedDesk(desk=Desk("amelia", "scott"), is_always_on=False)
    assert config.pool.limits.pinned == (pinned,)


def test_a_project_says_who_may_write_and_who_commits(write: Write) -> None:
    write(
        "[projects.amelia]\nrepo = 'a.git'\ncommand = ['agent', '-x']\ninterrupt = 'never'\n"
        "users = { scott = ['s@example.org'], '*' = ['example.com'] }\n"
        "maintainers = ['m@example.org']\nguests = ['example.net']\n"
        "author = 'Amelia Bot <bot@example.org>'\n"
    )

    project = load().config.projects["amelia"]

    role = project.senders.role
    assert role(Mailbox(address="s@example.org"), user="scott") is Role.USER
    assert role(Mailbox(address="s@example.org"), user="anna") is None
    assert role(Mailbox(address="x@example.com"), user="anna") is Role.USER
    assert role(Mailbox(address="m@example.org"), user="anna") is Role.MAINTAINER
    assert role(Mailbox(address="g@example.net"), user="anna") is Role.GUEST
    assert (project.identity.name, project.identity.email) == ("Amelia Bot", "bot@example.org")
    assert project.interrupt is InterruptPolicy.NEVER


def test_an_unknown_project_is_refused_where_any_is_configured(write: Write) -> None:
    Config().check_project("anything")
    write("[projects.amelia]\nrepo = 'a.git'\ncommand = ['agent']\n")

    with pytest.raises(Rejected, match="configured: amelia"):
        load().config.check_project("other")


@pytest.mark.parametrize("key", [".".join(key) for key, _ in settings()])
def test_every_setting_is_explained_on_its_page(key: str) -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert f"| `{key}` |" in page


def test_the_page_states_the_defaults_as_they_are() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| `([^`]*)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
    known = {
        ".".join(key): str(field.default).lower()
        if isinstance(field.default, bool)
        else str(field.default)
        for key, field in settings()
    }

    assert {key: known.get(key) for key in rows} == rows
