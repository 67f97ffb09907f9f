"""``doctor``: what is well, what is not, and the way to mend it."""

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hotdesk.confinement.walls import TMP
from tests.cli.conftest import Ran, Run
from tests.cli.program import Program

Start = Callable[..., Program]
Send = Callable[..., str]

MAIL = "[mail]\ndomain = 'desk.example.org'\nkey = 'env:MAIL_KEY'\nproof = 'none'\n"
PROJECT = "[projects.amelia]\nrepo = 'none.git'\ncommand = ['none']\n"


def by_level(ran: Ran, level: str) -> str:
    found = (r for r in ran.records if r["level"] == level)
    return "\n".join(f"{record['what']} -> {record['fix']}" for record in found)


def test_an_empty_folder_is_well_but_for_what_is_still_to_do(run: Run, here: Path) -> None:
    ran = run("doctor", "--json")

    assert ran.code == 0
    assert "configuration is right" in by_level(ran, "ok")
    assert f"folder {here} is writable" in by_level(ran, "ok")
    assert "there is no database hotdesk.db yet" in by_level(ran, "warn")
    assert "no project is configured: hotdesk up starts only with --handler -> describe one" in (
        by_level(ran, "warn")
    )
    assert list(here.iterdir()) == []


def test_a_deployment_at_work_is_well(start: Start, run: Run) -> None:
    up = start("up", "--handler", "tasks:handle")
    up.event("worker_started")

    ran = run("doctor", "--json")

    assert ran.code == 0
    assert f"hotdesk up runs (process {up.pid})" in by_level(ran, "ok")
    assert "database reachable, schema" in by_level(ran, "ok")
    assert "workers can wake each other" in by_level(ran, "ok")
    assert "workers run" in by_level(ran, "ok")


def test_a_database_without_workers_is_a_warning_with_the_way_to_start_some(
    run: Run, send: Send
) -> None:
    send("one")

    shown = run("doctor").out

    lines = [line for line in shown.splitlines() if line.startswith("warn")]
    assert any("hotdesk up does not run" in line and "fix: start it" in line for line in lines)
    assert any(line.split("fix: ")[-1] == "start some: hotdesk up" for line in lines)


@pytest.mark.needs("git")
def test_what_a_project_lacks_fails_with_the_way_to_mend_it(run: Run, here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        relay = f"[mail.relay]\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n"
        taken.close()
        (here / "hotdesk.toml").write_text(MAIL + relay + PROJECT)

        ran = run("doctor", "--json")

    failed = by_level(ran, "FAIL")
    assert ran.code == 1
    assert "mail.key: env:MAIL_KEY: there is no secret" in failed
    assert "project amelia: repository not reachable" in failed
    assert "check [projects.amelia] repo and token" in failed
    assert "project amelia: there is no program none on /usr/local/bin" in failed
    assert f"mail relay 127.0.0.1:{port} not reachable" in failed


@pytest.mark.parametrize(
    ("repo", "problem"),
    [
        ("https://127.0.0.1:1/a.git", "env:AMELIA_TOKEN: there is no secret"),
        ("none.git", "is only for a repository at https://"),
    ],
)
def test_a_token_that_is_missing_or_misplaced_fails_and_the_other_checks_go_on(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, repo: str, problem: str
) -> None:
    if repo == "none.git":
        monkeypatch.setenv("AMELIA_TOKEN", "hunter2")
    first = PROJECT.replace("none.git", repo) + "token = 'env:AMELIA_TOKEN'\n"
    (here / "hotdesk.toml").write_text(first + PROJECT.replace("amelia", "bertha"))

    ran = run("doctor", "--json")

    failed = by_level(ran, "FAIL")
    assert (ran.code, ran.err) == (1, "")
    assert f"projects.amelia.token: {problem}" in failed
    assert "project amelia: there is no program none" in failed
    assert "project bertha: repository not reachable" in failed
    assert "hunter2" not in ran.out


def test_a_missing_token_keeps_it_from_starting_and_is_said_once(run: Run, here: Path) -> None:
    https = PROJECT.replace("none.git", "https://127.0.0.1:1/a.git")
    (here / "hotdesk.toml").write_text(f"{https}token = 'env:AMELIA_TOKEN'\n")

    ran = run("up")

    assert ran.code == 2
    assert ran.err.startswith("error: projects.amelia.token: env:AMELIA_TOKEN: there is no secret")
    assert ran.err.count("there is no secret") == 1


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (MAIL, "mail.key: has fewer than 16 bytes"),
        ("network = 'none'\n", "projects.amelia.network: with none, claude cannot reach"),
        ("prompts = 'prompts'\n", "task.md:1: 'sumary' is undefined"),
    ],
)
def test_settings_that_keep_it_from_starting_fail(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, settings: str, what: str
) -> None:
    monkeypatch.setenv("MAIL_KEY", "short")
    (here / "prompts").mkdir()
    (here / "prompts/task.md").write_text("{{ sumary }}")
    agent = PROJECT.replace("command = ['none']", "agent = 'claude'")
    (here / "hotdesk.toml").write_text(f"{agent}{settings}")

    ran = run("doctor", "--json")

    assert ran.code == 1
    assert what in by_level(ran, "FAIL")


@pytest.mark.needs("bwrap")
@pytest.mark.parametrize("folder", TMP)
def test_a_program_that_the_walls_hide_fails_until_its_folder_is_shown(
    run: Run, here: Path, folder: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as mine:
        agent = Path(mine) / "agent"
        agent.write_text("#!/bin/sh\n")
        agent.chmod(0o755)
        agent.parent.chmod(0o755)
        project = f"[projects.amelia]\nrepo = 'none.git'\ncommand = ['{agent}']\n"
        walls = "[confinement]\nmode = 'bubblewrap'\n"
        (here / "hotdesk.toml").write_text(project + walls)
        hidden = by_level(run("doctor", "--json"), "FAIL")
        (here / "hotdesk.toml").write_text(project + walls + f"read_only = ['{mine}']\n")
        shown = by_level(run("doctor", "--json"), "ok")

    assert f"project amelia: {agent} is hidden from agents, or they may not run it" in hidden
    assert "or add its folder to [confinement] read_only" in hidden
    assert f"project amelia: agent {agent}" in shown


@pytest.mark.needs("bwrap", "git")
def test_a_program_that_is_hidden_by_a_setting_fails(run: Run, here: Path) -> None:
    (here / "hotdesk.toml").write_text(
        "[projects.amelia]\nrepo = 'none.git'\ncommand = ['git']\n"
        f"[confinement]\nmode = 'bubblewrap'\nhidden = ['{shutil.which('git')}']\n"
    )

    assert "is hidden from agents" in by_level(run("doctor", "--json"), "FAIL")


def test_a_mail_port_that_others_use_fails(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_KEY", "0123456789abcdef")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"listen = '127.0.0.1:{taken.getsockname()[1]}'\n"
        (here / "hotdesk.toml").write_text(MAIL + listen + PROJECT)

        taken_by_others = run("doctor", "--json")
    free = run("doctor", "--json")

    assert "cannot be used: Address already in use -> set [mail] listen" in by_level(
        taken_by_others, "FAIL"
    )
    assert "is free to take mail" in by_level(free, "ok")
    assert "no relay: answers stay in the outbox" in by_level(free, "warn")


def test_a_weaker_confinement_is_a_warning_that_names_what_is_missing(run: Run, here: Path) -> None:
    (here / "hotdesk.toml").write_text(PROJECT + "[confinement]\nmode = 'groups'\n")

    assert "agents are confined by groups only: not hides_files" in by_level(
        run("doctor", "--json"), "warn"
    )


def test_a_damaged_database_fails(run: Run, here: Path) -> None:
    (here / "hotdesk.db").write_bytes(b"no database at all" * 500)

    ran = run("doctor", "--json")

    assert ran.code == 1
    assert "hotdesk.db is damaged or is not a Hotdesk database" in by_level(ran, "FAIL")
