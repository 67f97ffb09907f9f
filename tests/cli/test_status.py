"""``status``, ``top`` and ``worker list``: everything at a glance."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Serve
from tests.cli.program import Program

Send = Callable[..., str]
Start = Callable[..., Program]


def test_the_status_names_who_waits_and_why(run: Run, send: Send, serve: Serve) -> None:
    send("fail", desk="a/x")
    serve()
    send("one", desk="a/y")
    send("two", desk="a/z")
    run("desk", "pause", "a/z")

    record = run("status", "--json").record
    shown = run("status").out

    assert (record["pending"], record["running"], record["dead"]) == (2, 0, 1)
    why = {each["desk"]: each["why"] for each in record["waiting"]}
    assert why["a/y"] == "no worker is running"
    assert "none; start: hotdesk up" in shown
    assert "1; see: hotdesk dead list" in shown


def test_a_busy_worker_is_shown_with_its_job(start: Start, run: Run) -> None:
    worker = start("worker", "run", "--handler", "tasks:handle", "--id", "w1")
    worker.until("serving")
    start("send", "--desk", "a/b", "-m", "long", "--id", "j1", "--wait").until("is running")

    run("send", "--desk", "a/b", "-m", "next", "--id", "j2", "--interrupt", "never")

    status = run("status").out
    record = run("status", "--json").record
    listed = run("worker", "list", "--json").record

    assert "1 (1 busy)" in status
    assert "1 queued, 1 running" in status
    assert "behind job j1" in status
    assert (record["ended_in_hour"], record["failed_in_day"], record["is_counted"]) == (0, 0, True)
    assert 0 <= record["wait_p50_seconds"] <= record["wait_p95_seconds"]
    assert (listed["worker"], listed["pid"]) == ("w1", worker.pid)
    assert (listed["state"], listed["desk"], listed["job"]) == ("busy", "a/b", "j1")
    assert run("worker", "list").out.splitlines()[1].split()[:5] == [
        *("w1", str(worker.pid), "busy", "a/b", "j1")
    ]


def test_no_worker_is_said_with_the_way_to_start_some(run: Run, send: Send) -> None:
    send("one")

    assert "Start some with: hotdesk up" in run("worker", "list").err


def test_top_writes_an_object_for_each_change(run: Run, send: Send) -> None:
    send("one")

    ran = run("top", "--json", "--timeout", "0.5")

    assert ran.code == 124
    assert ran.records[0]["pending"] == 1


def test_top_without_a_terminal_says_what_to_use(run: Run, send: Send) -> None:
    send("one")

    assert "use --json, or: hotdesk status" in run("top").err


@pytest.mark.needs("script")
def test_top_draws_on_a_terminal_until_it_is_told_to_stop(here: Path, run: Run, send: Send) -> None:

    send("one", desk="amelia/scott")
    command = f"TERM=xterm {sys.executable} -m hotdesk top --timeout 1"

    ran = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 124
    assert "no worker is running" in ran.stdout
    assert "\x1b[?1049l" in ran.stdout


@pytest.mark.needs("script")
@pytest.mark.parametrize(
    ("before", "options", "is_coloured"),
    [("", "", True), ("NO_COLOR=1", "", False), ("", "--no-color", False)],
)
def test_states_are_coloured_on_a_terminal_unless_somebody_minds(
    run: Run,
    send: Send,
    before: str,
    options: str,
    is_coloured: bool,  # noqa: FBT001 - a parameter
) -> None:
    send("one")
    command = f"TERM=xterm {before} {sys.executable} -m hotdesk {options} job list"

    ran = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=True
    )

    assert ("\x1b[36mqueued" in ran.stdout) == is_coloured
    assert "queued" in ran.stdout
