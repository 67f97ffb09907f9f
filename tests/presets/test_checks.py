"""What ``doctor`` says of the agent of a project, before its first job."""

import socket
from pathlib import Path

import pytest

from hotdesk.config import Config
from hotdesk.errors import ConfigError
from hotdesk.wiring import agent_checks
from hotdesk.wiring.finding import Finding, Level
from tests.runners.attempts import passable

__all__ = ["passable"]

pytestmark = pytest.mark.anyio

KEY = "a-key-that-nobody-may-see"


async def findings(
    mode: str = "groups", *, shown: Path | None = None, **settings: object
) -> list[Finding]:
    """What is said of project ``a``, with these settings; *shown* is so within the walls."""
    walls = {"mode": mode, "read_only": [] if shown is None else [str(shown)]}
    project = {"repo": "a.git", "base_url": "http://127.0.0.1:1", **settings}
    config = Config.model_validate({"projects": {"a": project}, "confinement": walls})
    checks = agent_checks.agent_checks(config, "a", config.projects["a"])
    found = [await check() for check in checks]
    assert KEY not in repr(found)
    return found


def only(found: list[Finding], words: str) -> Finding:
    (finding,) = [each for each in found if words in each.what]
    return finding


def program(folder: Path, script: str) -> str:
    path = folder / "agent"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("agent", ["claude", "codex", "opencode", "gemini", "aider"])
async def test_an_agent_is_asked_for_its_version(passable: Path, agent: str) -> None:
    command = program(passable, 'echo a warning; echo "$1 of agent 9.22.333"')

    found = only(await findings(agent=agent, command=[command]), "version")

    assert found.level is Level.OK
    assert found.what == f"project a: agent {command}, version --version of agent 9.22.333"


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("2.1.197", Level.FAIL),
        ("2.1.329", Level.FAIL),
        ("1.99.999", Level.FAIL),
        ("2.1.330", Level.OK),
        ("2.2.0", Level.OK),
        ("10.0.0", Level.OK),
    ],
)
async def test_a_claude_code_older_than_was_tried_fails_with_what_installs_a_newer_one(
    passable: Path, version: str, level: Level
) -> None:
    command = program(passable, f'echo "{version} (Claude Code)"')

    found = only(await findings(agent="claude", command=[command]), "version")

    assert found.level is level
    if level is Level.FAIL:
        assert "is older than 2.1.330, the oldest that was tried" in found.what
        assert "npm install -g @anthropic-ai/claude-code@latest" in found.fix


async def test_a_program_of_ones_own_is_not_run(passable: Path) -> None:
    command = program(passable, "exit 1")

    (found,) = await findings(command=[command, "argument"])

    assert found.what == f"project a: agent {command}"


async def test_an_agent_that_does_not_start_fails_with_its_last_words(passable: Path) -> None:
    command = program(passable, "printf 'first\\n\\033[31mnode: not found\\n'; exit 127")

    found = only(await findings(agent="gemini", command=[command]), "does not start")

    assert found.level is Level.FAIL
    assert found.what.endswith("(exit status 127): node: not found")
    assert "--version" in found.fix


async def test_an_agent_that_says_nothing_is_not_waited_for(
    passable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_checks, "VERSION_SECONDS_MAX", 0.5)
    command = program(passable, "read nothing_comes; exec sleep 600 <&-")

    found = only(await findings(agent="codex", command=[command]), "says no version")

    assert found.level is Level.FAIL


async def test_an_agent_that_is_not_installed_fails(tmp_path: Path) -> None:
    found = only(await findings(agent="codex", env={"PATH": str(tmp_path)}), "no program codex")

    assert found.level is Level.FAIL
    assert "[projects.a] command" in found.fix


@pytest.mark.needs("bwrap")
async def test_the_version_is_asked_without_key_and_network(
    passable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)
    command = program(
        passable, 'echo "9.2.3: $(env | grep -c KEY) keys, $(grep -c : /proc/net/dev) networks"'
    )

    found = await findings(
        "bubblewrap", shown=passable, agent="claude", command=[command], key="env:MODEL_KEY"
    )

    assert only(found, "version").what.endswith("9.2.3: 0 keys, 1 networks")


@pytest.mark.needs("bwrap")
async def test_an_agent_that_the_walls_hide_fails(passable: Path) -> None:
    command = program(passable, "echo 1.2.3")

    found = only(await findings("bubblewrap", agent="claude", command=[command]), "is hidden")

    assert found.level is Level.FAIL
    assert "[confinement] read_only" in found.fix


async def test_a_key_that_can_be_read_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)

    found = only(await findings(agent="codex", key="env:MODEL_KEY"), "there is a key for codex")

    assert found.level is Level.OK


async def test_a_key_that_is_not_there_fails() -> None:
    found = only(await findings(agent="codex", key="env:NO_SUCH_KEY"), "cannot be had")

    assert found.level is Level.FAIL
    assert found.fix == "see to [projects.a] key"


async def test_a_login_of_a_person_does_not_count_for_an_agent() -> None:
    found = only(await findings(agent="gemini", base_url=""), "where a person has logged in")

    assert found.level is Level.FAIL
    assert "[projects.a] key" in found.fix


async def test_a_model_of_ones_own_may_need_no_key() -> None:
    found = only(await findings(agent="opencode"), "there is no key for opencode")

    assert found.level is Level.WARN


async def test_a_key_in_the_environment_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"NODE_ENV": "test", "OPENAI_API_KEY": "env:MODEL_KEY"}

    missing = only(await findings(agent="aider", env=env), "cannot be had")
    monkeypatch.setenv("MODEL_KEY", KEY)
    found = only(await findings(agent="aider", env=env), "OPENAI_API_KEY")

    assert missing.level is Level.FAIL
    assert found.level is Level.OK


@pytest.mark.parametrize("agent", ["opencode", "gemini", "aider"])
async def test_an_agent_that_believes_the_repository_should_reach_its_model_only(
    agent: str,
) -> None:
    found = only(await findings(agent=agent), "believes some settings of the repository")

    assert found.level is Level.WARN
    assert 'network = "model-only"' in found.fix


@pytest.mark.parametrize("agent", ["claude", "codex"])
async def test_an_agent_that_believes_nothing_may_have_the_network(agent: str) -> None:
    assert not [each for each in await findings(agent=agent) if "believes" in each.what]


async def test_a_network_that_cannot_be_closed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"projects\.a\.network"):
        await findings(agent="codex", network="model-only")


async def test_limits_that_an_agent_does_not_know_are_named() -> None:
    limits = {"turns": 5, "budget_usd": 1.0}

    codex = only(await findings(agent="codex", limits=limits), "does not know")
    gemini = only(await findings(agent="gemini", limits=limits), "does not know")
    claude = await findings(agent="claude", limits=limits)

    assert codex.what.endswith("limits.turns and limits.budget_usd")
    assert gemini.what.endswith("does not know limits.budget_usd")
    assert not [each for each in claude if "does not know" in each.what]


async def test_a_model_is_connected_to_and_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port = server.getsockname()[1]

        found = only(
            await findings(
                agent="codex", key="env:MODEL_KEY", base_url=f"http://127.0.0.1:{port}/v1"
            ),
            "reachable",
        )
        came, _ = server.accept()
        with came:
            came.settimeout(10)
            heard = came.recv(100)

    assert found.level is Level.OK
    assert found.what == f"project a: model at 127.0.0.1:{port} reachable"
    assert heard == b""


async def test_a_model_that_is_not_there_fails() -> None:
    # Held, so that nobody else can listen there meanwhile, and not listened at.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]

        found = only(
            await findings(agent="codex", base_url=f"http://127.0.0.1:{port}"), "is not reachable"
        )

    assert found.level is Level.FAIL
    assert "[projects.a] base_url" in found.fix


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/x", "http://127.0.0.1:99999"])
async def test_what_is_no_address_is_said_so(url: str) -> None:
    assert only(await findings(agent="codex", base_url=url), "is no address").level is Level.FAIL
