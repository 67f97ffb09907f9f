"""What projects become: origins and walls."""

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from hotdesk.agents.dialect import AgentSettings
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.config import Config, ProjectConfig
from hotdesk.confinement import Network
from hotdesk.errors import ConfigError
from hotdesk.runners.model_proxy import ModelAccess
from hotdesk.runners.step import StepPlan
from hotdesk.wiring.agents import agents_of, open_agents, origin_of
from hotdesk.wiring.worker import check_runner

CHOSEN = {"confinement": {"mode": "groups"}}


def project(**settings: object) -> Config:
    return Config.model_validate({"projects": {"a": {"command": ["agent"], **settings}}, **CHOSEN})


@pytest.mark.parametrize(
    ("repo", "url"),
    [
        ("a.git", "{here}/a.git"),
        ("../a:b.git", "{here}/../a:b.git"),
        ("/srv/a.git", "/srv/a.git"),
        ("https://example.org/a.git", "https://example.org/a.git"),
        ("ssh://git@example.org/a.git", "ssh://git@example.org/a.git"),
        ("git@example.org:a.git", "git@example.org:a.git"),
    ],
)
def test_a_path_becomes_absolute_and_an_address_stays(here: Path, repo: str, url: str) -> None:
    origin = origin_of("a", project(repo=repo).projects["a"])

    assert origin.url == url.format(here=here)
    assert origin.authorization == ""


def test_a_token_travels_beside_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2/@")

    config = project(repo="https://example.org/a", token="env:TOKEN")

    origin = origin_of("a", config.projects["a"])

    assert origin.url == "https://example.org/a"
    assert origin.authorization.startswith("Authorization: Basic ")
    assert "hunter2" not in repr(origin)


@pytest.mark.parametrize("repo", ["a.git", "git@example.org:a.git", "http://example.org/a.git"])
def test_a_token_is_sent_over_https_only(monkeypatch: pytest.MonkeyPatch, repo: str) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")

    with pytest.raises(ConfigError, match=r"projects\.a\.token: is only for a repo") as caught:
        origin_of("a", project(repo=repo, token="env:TOKEN").projects["a"])

    assert "hunter2" not in str(caught.value)


@pytest.mark.anyio
async def test_agents_do_not_see_the_database_nor_the_files_with_secrets(here: Path) -> None:
    (here / "token").write_text("hunter2")
    config = project(repo="https://example.org/a", token=f"file:{here / 'token'}")

    backend = SqliteBackend(here / "hotdesk.db", SystemClock())

    with open_agents(config, backend) as runner:
        hidden = {str(path) for path in runner._walls.hidden}
    await backend.close()

    names = "hotdesk-data hotdesk.db hotdesk.db-wal hotdesk.db-shm hotdesk.db-bell token".split()
    assert hidden == {str(here / name) for name in names}


def test_what_a_project_says_of_its_agent_becomes_its_agent(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "hunter2")
    monkeypatch.setenv("DEPLOY", "hunter3")
    config = project(
        repo="a.git",
        agent="claude",
        command=["claude-2", "--quiet"],
        model="opus",
        key="env:KEY",
        base_url="https://model.example.org",
        env={"COLOUR": "blue"},
        after=["make"],
        after_seconds=5,
        fix_attempts=1,
        publish=["./deploy"],
        publish_seconds=6,
        publish_env={"DEPLOY_TOKEN": "env:DEPLOY"},
        limits={"turns": 7, "budget_usd": 1.5, "agent_seconds": 8},
    )

    agent = agents_of(config)["a"]

    assert agent.dialect.name == "claude"
    assert agent.settings == AgentSettings(
        program=("claude-2", "--quiet"),
        model="opus",
        turns_max=7,
        budget_usd=1.5,
        key="hunter2",
        base_url="https://model.example.org",
    )
    assert (agent.env, agent.time_max, agent.network) == (
        {"COLOUR": "blue"},
        timedelta(seconds=8),
        Network.OPEN,
    )
    assert agent.steps == StepPlan(
        after=("make",),
        after_time=timedelta(seconds=5),
        publish=("./deploy",),
        publish_time=timedelta(seconds=6),
        publish_env={"DEPLOY_TOKEN": "hunter3"},
        env={"COLOUR": "blue"},
        secrets=("hunter2",),
        fix_attempts=1,
    )
    assert "hunter" not in repr(agent)


def test_every_agent_that_can_be_named_is_known(here: Path) -> None:
    names = get_args(get_args(ProjectConfig.model_fields["agent"].annotation)[0])

    agents = [agents_of(project(repo="a.git", agent=name))["a"] for name in names]

    assert tuple(agent.dialect.name for agent in agents) == names
    assert not any(agent.is_plain for agent in agents)


def test_the_key_of_an_agent_that_reaches_its_model_only_stays_with_the_proxy(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "hunter2")

    config = project(repo="a.git", agent="claude", key="env:KEY", network="model-only")

    assert agents_of(config)["a"].model == ModelAccess(
        url="https://api.anthropic.com", key="hunter2"
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"network": "model-only"}, "base_url: is needed for network = model-only"),
        ({"network": "model-only", "base_url": "ftp://x"}, "the model's address must"),
        ({"network": "none", "agent": "claude"}, "network: with none, claude cannot reach"),
        ({"prompts": "nowhere"}, "prompts: .*nowhere cannot be read"),
    ],
)
def test_an_agent_that_could_never_work_is_refused_at_the_start(
    here: Path, settings: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigError, match=rf"projects\.a[.:] ?{problem}"):
        agents_of(project(repo="a.git", **settings))


@pytest.mark.parametrize(
    ("settings", "after"),
    [
        ({"network": "open"}, Network.OPEN),
        ({"network": "model-only"}, Network.NONE),
        ({"network": "model-only", "after_network": "open"}, Network.OPEN),
        ({"network": "open", "after_network": "none"}, Network.NONE),
    ],
)
def test_commands_after_the_agent_reach_what_it_does_unless_it_is_said(
    here: Path, settings: dict[str, object], after: Network
) -> None:
    config = project(repo="a.git", agent="claude", after=["true"], **settings)

    [step] = agents_of(config)["a"].steps.steps_after

    assert step.network is after


def test_a_network_that_the_confinement_cannot_close_is_refused_at_the_start(here: Path) -> None:
    # By groups: see CHOSEN.
    config = project(repo="a.git", network="model-only", base_url="https://model.example.org")

    with pytest.raises(ConfigError, match=r"projects\.a\.network: model-only is not possible"):
        check_runner(config)


@pytest.fixture
def secretive(here: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A project with a secret of every kind."""
    for name in ("KEY", "OWN", "PACKAGES", "DEPLOY"):
        monkeypatch.setenv(name, f"{name.lower()}-hunter2")
    return project(
        repo="a.git",
        key="env:KEY",
        env={"OWN_TOKEN": "env:OWN", "COLOUR": "blue"},
        after=["true"],
        after_env={"NPM_TOKEN": "env:PACKAGES", "CI": "1"},
        publish=["true"],
        publish_env={"DEPLOY_TOKEN": "env:DEPLOY"},
    )


def test_commands_after_an_agent_have_no_secret_that_is_not_named_for_them(
    secretive: Config,
) -> None:
    agent = agents_of(secretive)["a"]
    [after], [publish] = agent.steps.steps_after, agent.steps.steps_publish

    assert agent.env == {"OWN_TOKEN": "own-hunter2", "COLOUR": "blue"}
    assert after.env == {"COLOUR": "blue", "NPM_TOKEN": "packages-hunter2", "CI": "1"}
    assert publish.env == {"COLOUR": "blue", "DEPLOY_TOKEN": "deploy-hunter2"}
    assert "hunter2" not in repr(agent)


def test_no_command_after_an_agent_prints_a_secret_of_the_project(secretive: Config) -> None:
    steps = agents_of(secretive)["a"].steps
    [after], [publish] = steps.steps_after, steps.steps_publish

    # The agent may have left its own where they find them.
    assert after.secrets == ("key-hunter2", "own-hunter2", "packages-hunter2")
    assert publish.secrets == (*after.secrets, "deploy-hunter2")
