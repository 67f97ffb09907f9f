"""``up`` with real processes: one deployment, its log, and that nothing survives it."""

import os
import select
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hotdesk.config import Config
from hotdesk.confinement import Findings, Mode, Refusal, find_confinement
from hotdesk.errors import ConfigError
from hotdesk.wiring.agents import confinement_of
from tests.cli.conftest import Run
from tests.cli.program import Program

Start = Callable[..., Program]

# A handler that does not heed interrupts, and says so once it is busy.
DEAF = """\
import signal, sys, anyio

async def handle(job, context):
    {before}
    print("deaf", file=sys.stderr, flush=True)
    with anyio.CancelScope(shield={shield}):
        await anyio.sleep(60)
"""
PROJECT = "[projects.a]\nrepo = 'a'\ncommand = ['a']\n"
AGENT = """\
#!/bin/sh
read instruction
echo "$instruction" > wish.txt
echo "I wrote it down."
"""


def git(*arguments: str, at: Path) -> str:
    identity = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.org"}
    committer = {"GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.org"}
    return subprocess.run(
        ["git", *arguments],
        cwd=at,
        env={"PATH": os.defpath, "HOME": str(at), **identity, **committer},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit."""
    path = tmp_path / "origin.git"
    git("init", "-q", "--bare", "-b", "main", str(path), at=tmp_path)
    git("clone", "-q", str(path), "clone", at=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "begin", at=tmp_path / "clone")
    git("push", "-q", "origin", "HEAD:main", at=tmp_path / "clone")
    return path


def test_a_deployment_serves_jobs_logs_what_happens_and_drains_at_sigterm(
    start: Start, run: Run
) -> None:
    up = start("up", "--handler", "tasks:handle")
    told = up.event("up")
    code, out, _ = start("send", "--desk", "a/b", "-m", "hello", "--wait").finish()
    ended = up.event("job_ended")

    status, _, log = up.signal(signal.SIGTERM).finish()

    assert (code, out) == (0, "done: hello\n")
    assert told["pid"] == up.pid
    assert (told["handler"], told["workers"]) == ("tasks:handle", "2-4")
    assert (ended["desk"], ended["state"], ended["level"]) == ("a/b", "succeeded", "info")
    assert status == 0
    assert '"event": "worker_stopped"' in log
    assert log.splitlines()[-1].endswith('"event": "down"}')
    assert run("worker", "list", "--json").records == []


def test_a_second_deployment_on_one_database_is_refused(start: Start, here: Path) -> None:
    up = start("up", "--handler", "tasks:handle")
    up.event("up")

    code, out, err = start("up", "--handler", "tasks:handle").finish()
    other, _, _ = start(
        *("up", "--handler", "tasks:handle", "--backend", "sqlite:///other.db", "--timeout", "1")
    ).finish()

    assert (code, out) == (4, "")
    assert err.startswith(f"error: another hotdesk up (process {up.pid}) runs on hotdesk.db")
    assert other == 124


def test_nothing_survives_a_deployment_that_is_killed(start: Start, run: Run) -> None:
    up = start("up", "--handler", "tasks:handle")
    up.event("up")
    start("send", "--desk", "a/b", "-m", "hello", "--wait").finish()
    up.event("job_ended")
    workers = run("worker", "list", "--json").records
    watched = [os.pidfd_open(worker["pid"]) for worker in workers]

    up.signal(signal.SIGKILL).finish()

    assert workers
    for descriptor in watched:
        assert select.select([descriptor], [], [], 10)[0]
        os.close(descriptor)
    assert "up" in start("up", "--handler", "tasks:handle").event("up")["event"]


def test_a_second_signal_stops_workers_that_take_their_time(start: Start, here: Path) -> None:
    (here / "slow.py").write_text(DEAF.format(before="", shield=False))
    up = start("up", "--handler", "slow:handle")
    up.event("up")
    start("send", "--desk", "a/b", "-m", "x").finish()
    up.until("deaf")

    up.signal(signal.SIGTERM).event("leaving")
    code, _, log = up.signal(signal.SIGTERM).finish()

    assert code == 0
    assert "stopping the workers" in log


def test_a_third_signal_kills_workers_that_neither_drain_nor_stop(start: Start, here: Path) -> None:
    ignore = "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGINT)]"
    (here / "stubborn.py").write_text(DEAF.format(before=ignore, shield=True))
    up = start("up", "--handler", "stubborn:handle")
    up.event("up")
    start("send", "--desk", "a/b", "-m", "x").finish()
    up.until("deaf")

    up.signal(signal.SIGTERM).event("leaving")
    up.signal(signal.SIGTERM).event("leaving")
    code, _, _ = up.signal(signal.SIGTERM).finish()

    assert code == 0


@pytest.mark.needs("git", "bwrap")
def test_an_agent_of_a_project_works_confined_and_its_work_is_pushed(
    start: Start, here: Path, origin: Path
) -> None:
    agent = here / "agent.sh"
    agent.write_text(AGENT)
    agent.chmod(stat.S_IRWXU | stat.S_IROTH | stat.S_IXOTH)
    (here / "hotdesk.toml").write_text(
        f"[projects.amelia]\nrepo = '{origin}'\ncommand = ['/bin/sh', '{agent}']\n"
        f"[confinement]\nread_only = ['{agent}']\n[pool]\nmin_workers = 1\n"
    )
    up = start("up")
    up.event("up")

    code, out, err = start(
        *("send", "--desk", "amelia/scott", "-m", "blue", "--thread", "t", "--wait")
    ).finish()

    assert (code, out) == (0, "I wrote it down.\n"), err
    assert git("show", "hotdesk/scott/t:wish.txt", at=origin) == "blue\n"
    assert up.signal(signal.SIGTERM).finish()[0] == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "projects: there is nothing to serve"),
        ("[projects.a]\nrepo = 'a'\ncommand = ['a']\ntoken = 'env:NONE'", "env:NONE: there is no"),
        (
            "[projects.a]\nrepo = 'a'\ncommand = ['a']\ntoken = 'file:secret'",
            "only for a repository",
        ),
        ("worker = { handler = 'none:none' }", "none:none cannot be imported"),
    ],
)
def test_what_cannot_work_is_named_before_anything_starts(
    start: Start, here: Path, text: str, complaint: str
) -> None:
    (here / "secret").write_text("hunter2")
    (here / "hotdesk.toml").write_text(text)

    code, _, err = start("up").finish()

    assert code == 2
    assert err.startswith("error: ")
    assert complaint in err
    assert not (here / "hotdesk.db").exists()


@pytest.mark.parametrize(
    ("key", "complaint"),
    [("short", "mail.key: has fewer than 16 bytes"), ("k" * 16, "mail.listen: cannot be used")],
)
def test_mail_that_cannot_be_taken_is_named(
    start: Start, here: Path, key: str, complaint: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (here / "hotdesk.toml").write_text(
            "[projects.a]\nrepo = 'a.git'\ncommand = ['a']\n[confinement]\nmode = 'groups'\n"
            f"[mail]\ndomain = 'd.example'\nkey = 'env:MAIL_KEY'\nlisten = '127.0.0.1:{port}'\n"
        )

        code, _, err = start("up", MAIL_KEY=key).finish()

    assert code == 2
    assert complaint in err


def test_without_bubblewrap_a_weaker_confinement_must_be_chosen() -> None:
    groups = find_confinement().of(Mode.GROUPS)
    refused = (Refusal(mode=Mode.BUBBLEWRAP, reason="bwrap not installed"),)
    findings = Findings(usable=(groups,), refused=refused)
    chosen = Config.model_validate({"confinement": {"mode": "groups"}})

    with pytest.raises(ConfigError, match=r"bwrap not installed \(install bubblewrap, or choose"):
        confinement_of(Config(), findings)

    assert confinement_of(chosen, findings) is groups
