"""How git is run: bounded, ended with everything it started, and telling no secret."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk.errors import ConfigError
from hotdesk.workspaces import VERSION_MIN, Git, GitFailed, Origin, OriginUnreachable, redact
from hotdesk.workspaces.git import Place

pytestmark = pytest.mark.anyio

NOWHERE = Place(git_dir=Path(os.devnull))


@pytest.fixture
def fake_git(tmp_path: Path) -> Callable[[str], Git]:
    """Make a git of which only the behaviour as a process matters."""

    def make(script: str) -> Git:
        program = tmp_path / "git"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return Git(program=str(program))

    return make


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not merely waiting for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def pids(path: Path, count: int) -> list[int]:
    """Wait until *count* processes have written their numbers."""
    with anyio.fail_after(10):
        while True:
            found = await anyio.Path(path).read_text() if await anyio.Path(path).exists() else ""
            if len(found.splitlines()) == count:
                return [int(line) for line in found.splitlines()]
            await anyio.lowlevel.checkpoint()


async def gone(*processes: int) -> None:
    with anyio.fail_after(10):
        while any(is_running(pid) for pid in processes):
            await anyio.lowlevel.checkpoint()


async def test_the_git_of_this_machine_is_new_enough() -> None:
    assert await Git().version() >= VERSION_MIN


async def test_git_sees_only_the_environment_that_is_made_for_it(
    fake_git: Callable[[str], Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    monkeypatch.setenv("GIT_SSH", "evil")

    said = await fake_git("env").run("x", at=NOWHERE)

    names = {line.partition("=")[0] for line in said.text.splitlines()}
    assert not {"API_KEY", "GIT_SSH", "HOME"} & names
    assert {"GIT_TERMINAL_PROMPT", "GIT_ALLOW_PROTOCOL", "GIT_DIR"} <= names


async def test_a_call_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, fake_git: Callable[[str], Git]
) -> None:
    git = fake_git(f"(echo $$; sh -c 'echo $$; exec sleep 100' & wait) >> {tmp_path}/pids; true")

    with pytest.raises(GitFailed, match=r"longer than 0\.5 s") as caught:
        await replace(git, short_time=timedelta(seconds=0.5)).run("x", at=NOWHERE)

    assert caught.value.status is None
    await gone(*await pids(tmp_path / "pids", 2))


async def test_an_origin_that_takes_too_long_is_unreachable(
    fake_git: Callable[[str], Git],
) -> None:
    git = replace(fake_git("sleep 100"), long_time=timedelta(seconds=0.2))

    with pytest.raises(OriginUnreachable, match=r"longer than 0\.2 s"):
        await git.run("fetch", at=NOWHERE, is_remote=True)


async def test_a_cancelled_call_leaves_no_process(
    tmp_path: Path, fake_git: Callable[[str], Git]
) -> None:
    git = fake_git(f"echo $$ >> {tmp_path}/pids; sleep 100 & echo $! >> {tmp_path}/pids; wait")

    async def run() -> None:
        await git.run("x", at=NOWHERE)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        started = await pids(tmp_path / "pids", 2)
        tasks.cancel_scope.cancel()

    await gone(*started)


async def test_a_call_that_says_too_much_is_stopped(fake_git: Callable[[str], Git]) -> None:
    with pytest.raises(GitFailed, match="more than 1000 bytes"):
        await fake_git("yes").run("x", at=NOWHERE, bytes_max=1000)


async def test_only_the_last_words_of_a_failure_are_kept(fake_git: Callable[[str], Git]) -> None:
    git = fake_git("i=0; while [ $i -lt 50 ]; do echo line $i >&2; i=$((i+1)); done; exit 3")

    with pytest.raises(GitFailed) as caught:
        await git.run("status", at=NOWHERE)

    assert caught.value.status == 3
    assert caught.value.last_lines.splitlines() == [f"line {number}" for number in range(42, 50)]


async def test_a_failure_does_not_repeat_the_credentials_that_git_says(
    fake_git: Callable[[str], Git],
) -> None:
    git = fake_git("echo \"fatal: unable to access 'https://me:s3cret@x/'\" >&2; exit 128")

    for is_remote in (False, True):
        with pytest.raises((GitFailed, OriginUnreachable)) as caught:
            await git.run("fetch", at=NOWHERE, is_remote=is_remote)
        assert "https://***@x/" in str(caught.value)


async def test_a_process_that_does_not_read_what_it_is_given_is_no_failure(
    fake_git: Callable[[str], Git],
) -> None:
    said = await fake_git("exit 0").run("x", at=NOWHERE, stdin=b"x" * 10_000_000)

    assert said.status == 0


async def test_a_machine_without_git_says_so() -> None:
    with pytest.raises(GitFailed, match="no-such-git does not start"):
        await Git(program="no-such-git").version()


@pytest.mark.parametrize(
    "words",
    [
        "fatal: unable to access 'https://x/': Could not resolve host: x",
        "fatal: Authentication failed for 'https://x/'",
        "fatal: could not read Username for 'https://x': terminal prompts disabled",
        "git@x: Permission denied (publickey).",
        "Host key verification failed.",
        "remote: Repository not found.\nfatal: repository 'https://x/' not found",
        "ERROR: Repository not found.",
        "fatal: the remote end hung up unexpectedly",
        "fatal: transport 'ext' not allowed",
    ],
)
async def test_what_stands_between_us_and_the_origin_is_told_from_other_failures(
    fake_git: Callable[[str], Git], words: str
) -> None:
    git = fake_git(f'echo "{words}" >&2; exit 128')

    with pytest.raises(OriginUnreachable):
        await git.run("fetch", at=NOWHERE, is_remote=True)
    with pytest.raises(GitFailed):
        await git.run("fsck", at=NOWHERE)


async def test_a_damaged_mirror_is_not_taken_for_an_origin_that_is_away(
    fake_git: Callable[[str], Git],
) -> None:
    git = fake_git('echo "fatal: bad object refs/remotes/origin/main" >&2; exit 128')

    with pytest.raises(GitFailed):
        await git.run("fetch", at=NOWHERE, is_remote=True)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("https://u:secret@host/x.git", "https://***@host/x.git"),
        ("to HTTP://secret@host: no", "to HTTP://***@host: no"),
        ("ssh://u:secret@host/x and ssh://h/y", "ssh://***@host/x and ssh://h/y"),
        ("git@github.com:x/y", "git@github.com:x/y"),
        ("a\x1b[2Jb\x07", "a [2Jb "),
    ],
)
def test_credentials_and_control_characters_are_taken_out_of_what_git_says(
    said: str, told: str
) -> None:
    assert redact(said) == told


def test_credentials_in_an_address_become_a_header_for_that_host_only() -> None:
    origin = Origin.parse("https://me%40x:s%2Fcret@git.example.org:8443/a/b.git")

    assert origin.url == "https://git.example.org:8443/a/b.git"
    assert origin.config() == [
        ("remote.origin.url", "https://git.example.org:8443/a/b.git"),
        (
            "http.https://git.example.org:8443/.extraHeader",
            # "me@x:s/cret", encoded.
            "Authorization: Basic bWVAeDpzL2NyZXQ=",
        ),
        ("http.https://git.example.org:8443/.followRedirects", "false"),
    ]
    assert "cret" not in repr(origin)


@pytest.mark.parametrize("url", ["", "-uevil", "https://x\ny", "https://[x", "a\x00b"])
def test_an_address_that_git_could_not_use_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Origin.parse(url)

    assert not url or url not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["git@host:a/b.git", "/srv/a b.git", "file:///srv/x", "ssh://g@h/x"]
)
def test_an_address_without_a_password_stays_as_it_is(url: str) -> None:
    assert Origin.parse(url).config() == [("remote.origin.url", url)]
