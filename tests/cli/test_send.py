"""``send``: what is submitted, what is printed, and how waiting for it ends."""

import io
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.program import Program

Start = Callable[..., Program]


def test_a_job_is_printed_with_its_place(run: Run) -> None:
    first = run("send", "--desk", "amelia/scott", "-m", "one", "--json").record
    second = run("send", "--desk", "amelia/scott", "-m", "two", "--thread", "t", "--json").record

    assert list(first) == ["job", "desk", "thread", "state", "position"]
    assert (first["desk"], first["state"], first["position"]) == ("amelia/scott", "queued", 0)
    assert (second["thread"], second["position"]) == ("t", 1)


def test_a_person_is_told_the_same_and_that_nobody_works(run: Run) -> None:
    sent = run("send", "--desk", "amelia/scott", "-m", "one", "--id", "j1")

    assert sent.out == "job j1 of amelia/scott is queued, position 0\n"
    assert "no worker is running: start Hotdesk with: hotdesk up" in sent.err


def test_a_database_that_is_made_is_named(run: Run, here: Path) -> None:
    first = run("send", "--desk", "a/b", "-m", "one", "--json")
    second = run("send", "--desk", "a/b", "-m", "two")

    assert f"made a new database: {here / 'hotdesk.db'}\n" in first.err
    assert "made a new database" not in second.err


def test_a_desk_that_cannot_be_makes_no_database(run: Run, here: Path) -> None:
    run("send", "--desk", "amelia", "-m", "x")

    assert list(here.iterdir()) == []


def test_the_same_id_again_changes_nothing(run: Run) -> None:
    first = run("send", "--desk", "a/b", "-m", "one", "--id", "j1", "--json")
    again = run("send", "--desk", "a/b", "-m", "two", "--id", "j1", "--json")

    assert first.record == again.record
    assert [job["instruction"] for job in run("job", "list", "--json").records] == ["one"]


def test_an_instruction_can_come_from_a_file_or_from_standard_input(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "wish.txt").write_text("from a file: ä\n")
    run("send", "--desk", "a/b", "--file", "wish.txt")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from stdin")))
    run("send", "--desk", "a/b", "--file", "-")

    sent = [job["instruction"] for job in run("job", "list", "--json").records]
    assert sent == ["from stdin", "from a file: ä\n"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--desk a/b", "say what should be done, with either -m or --file"),
        ("--desk a/b -m x --file y", "with either -m or --file"),
        ("-m x", "Missing option '--desk'"),
        ("--desk a -m x", "is not of the form project/user"),
        ("--desk A/b -m x", "project 'A' is not a name"),
        ("--desk ../x -m x", "project '..' is not a name"),
        ("--desk a/b -m x --thread A#b", "thread 'A#b' is not a name"),
        ("--desk a/b -m x --id ../x", "job id '../x' is not usable"),
        ("--desk a/b -m x --interrupt always", "'always' is not one of 'desk', 'thread', 'never'"),
        ("--desk a/b --file none.txt", "none.txt cannot be read: No such file"),
        ("--desk a/b --file .", ". cannot be read: Is a directory"),
        ("--desk a/b --file binary", "binary is not a text in UTF-8"),
        ("--desk a/b --file empty", "the instruction is empty"),
        ("--desk a/b -m x --timeout -1", "-1.0 is not in the range"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(
    run: Run, here: Path, arguments: str, complaint: str
) -> None:
    run("send", "--desk", "a/b", "-m", "there is a database")
    (here / "binary").write_bytes(b"\xff\xfe\xff")
    (here / "empty").write_text(" \n")

    sent = run("send", *arguments.split())

    assert (sent.code, sent.out) == (2, "")
    assert sent.err.startswith("error: ")
    assert complaint in sent.err


def test_a_desk_of_an_unknown_project_is_refused_where_projects_are_configured(
    run: Run, here: Path
) -> None:
    (here / "hotdesk.toml").write_text(
        "[projects.amelia]\nrepo = 'a.git'\ncommand = ['a']\ninterrupt = 'never'\n"
    )

    refused = run("send", "--desk", "amelie/scott", "-m", "x")
    run("send", "--desk", "amelia/scott", "-m", "x")

    assert refused.code == 2
    assert refused.err.endswith("error: there is no project 'amelie' here; configured: amelia\n")
    assert run("job", "list", "--json").record["interrupt"] == "never"


def test_waiting_ends_with_the_answer_and_its_exit_code(start: Start) -> None:
    start("worker", "run", "--handler", "tasks:handle").until("serving")

    code, out, err = start("send", "--desk", "a/b", "-m", "hello", "--wait").finish()

    assert (code, out) == (0, "done: hello\n")
    assert err.endswith("is succeeded\n")


def test_a_job_that_dies_ends_waiting_with_10(start: Start) -> None:
    start("worker", "run", "--handler", "tasks:handle", HOTDESK_LIMITS__ATTEMPTS_MAX="1").until(
        "serving"
    )

    code, out, _ = start("send", "--desk", "a/b", "-m", "fail", "--wait", "--json").finish()

    assert code == 10
    assert '"state": "dead"' in out
    assert "RuntimeError: it is broken" in out


def test_a_cancelled_job_ends_waiting_with_11(start: Start, run: Run) -> None:
    waiting = start("send", "--desk", "a/b", "-m", "x", "--id", "j1", "--wait")
    waiting.until("is queued")

    run("job", "cancel", "j1")

    assert waiting.finish()[0] == 11


def test_a_preempted_job_ends_waiting_with_12(start: Start) -> None:
    start("worker", "run", "--handler", "tasks:handle").until("serving")
    waiting = start("send", "--desk", "a/b", "-m", "long", "--id", "j1", "--wait")
    waiting.until("is running")

    start("job", "interrupt", "j1", "-m", "shorter").finish()

    assert waiting.finish()[0] == 12


def test_waiting_gives_up_after_the_timeout_and_the_job_goes_on(run: Run) -> None:
    waited = run("send", "--desk", "a/b", "-m", "x", "--wait", "--timeout", "0.2")

    assert (waited.code, waited.out) == (124, "")
    assert "the time given with --timeout is over" in waited.err
    assert run("job", "list", "--json").record["state"] == "queued"


def test_ctrl_c_ends_waiting_with_130_and_the_job_goes_on(start: Start, run: Run) -> None:
    waiting = start("send", "--desk", "a/b", "-m", "x", "--wait")
    waiting.until("is queued")

    code, out, err = waiting.signal(signal.SIGINT).finish()

    assert (code, out, err.strip()) == (130, "", "")
    assert run("job", "list", "--json").record["state"] == "queued"
