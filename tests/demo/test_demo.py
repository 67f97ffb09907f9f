"""The whole demo as the process that people start: its promises, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hotdesk.desks import Json

pytestmark = pytest.mark.long
Told = dict[str, Json]


class Demo:
    """``hotdesk demo --json`` while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told: list[Told] = []

    def until(self, is_there: Callable[[Told], bool]) -> Told:
        """Read on until it has said this."""
        for line in self._lines():
            if is_there(line):
                return line
        raise AssertionError([line["text"] for line in self.told])

    def end(self) -> int:
        """Read to the end; return the exit status."""
        self.told += self._lines()
        return self.process.wait(10)

    def _lines(self) -> Iterator[Told]:
        assert self.process.stdout
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            yield self.told[-1]


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    """Run the demo, and end it whatever happens."""
    with subprocess.Popen(
        [sys.executable, "-m", "hotdesk", "demo", "--json", *options],
        env={"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Demo(process)
        finally:
            process.terminate()


def processes_of(folder: Path) -> list[str]:
    """The command lines that name a folder, of all processes of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in command:
            found.append(command)
    return found


def dashboard(url: str) -> str:
    """The list of jobs, for a browser that was let in."""
    address, _, invitation = url.partition("#")
    with httpx.Client(trust_env=False) as browser:
        ours = {"Hotdesk-Request": "page"}
        browser.post(address, data={"secret": invitation}, headers=ours).raise_for_status()
        return browser.get(address.replace("/login", "/jobs")).raise_for_status().text


def child_of(pid: int) -> int:
    """The only child of a process."""
    [child] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def test_the_demo_keeps_what_it_promises_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path, "--stay") as running:
        stays = running.until(lambda line: "dashboard" in line or bool(line.get("missed")))
        summary = running.told[-2]
        page = dashboard(str(stays.get("dashboard")))
        running.process.send_signal(signal.SIGINT)
        status = running.end()

    assert status == 0, summary
    assert "Make the header navy" in page
    assert {name: value for name, value in summary.items() if isinstance(value, int)} == {
        "jobs": 4,
        "succeeded": 3,
        "preempted": 1,
        "folded": 1,
        "refused": 1,
        "takeovers": 1,
        "replies": 4,
        "lost": 0,
        "order_violations": 0,
        "overlaps": 0,
    }
    assert summary["missed"] == []
    assert isinstance(summary["seconds"], float)
    assert summary["seconds"] < 60
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_ends_all_that_it_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    with demo(tmp_path) as running:
        running.until(lambda line: line["what"] == "agent")
        before = processes_of(tmp_path)

        running.process.send_signal(number)
        status = running.end()

    assert before != []
    assert status == 130
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_demo_whose_deployment_breaks_says_so_and_fails(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        # Now it waits for answers; at other moments it could be sending a mail.
        running.until(lambda line: line.get("kind") == "JobEnded")

        os.kill(child_of(running.process.pid), signal.SIGKILL)
        status = running.end()

    summary = running.told[-1]
    assert status == 1
    assert summary["missed"] == ["hotdesk up ended by itself, with status -9"]
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_kept_can_be_looked_at(tmp_path: Path) -> None:
    with demo(tmp_path, "--keep") as running:
        running.until(lambda line: line.get("kind") == "JobSubmitted")
        running.process.terminate()
        running.end()
    [folder] = tmp_path.iterdir()

    listed = subprocess.run(
        [sys.executable, "-m", "hotdesk", "--config", folder / "hotdesk.toml", "job", "list"],
        env={"PATH": os.defpath, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "amelia/scott" in listed.stdout
