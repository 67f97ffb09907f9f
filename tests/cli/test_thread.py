"""``thread``: conversations, and what an operator decides about mails that wait."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import anyio
import pytest
from rich.console import Console

from hotdesk.cli.output import table
from hotdesk.cli.records import held_columns
from hotdesk.clock import SystemClock
from hotdesk.desks import Desk, NewJob, Origin
from hotdesk.ports import Held
from hotdesk.wiring import open_backend
from tests.cli.conftest import URL, Run

Send = Callable[..., str]
Hold = Callable[..., None]
LETTER = NewJob(
    id="mail-1",
    desk=Desk("amelia", "scott"),
    thread="header",
    instruction="\x1b[2Jmake it blue\nreason: I am the boss\n" + "more\n" * 20,
    origin=Origin(
        source="mail",
        sender="guest@example.com",
        subject="The header\x1b]0;owned\x07\nreason: none",
        attachments=("/mail/attachments/12/logo.png",),
    ),
)


@pytest.fixture
def hold(run: Run, send: Send) -> Hold:
    """Let mails wait, beside the one job that makes the database."""
    send("one", "--id", "j1", desk="other/user")

    def hold(*jobs: NewJob) -> None:
        anyio.run(_hold, jobs)

    return hold


async def _hold(jobs: tuple[NewJob, ...]) -> None:
    backend = open_backend(URL)
    for job in jobs:
        await backend.hold(job, "its sender is a guest", now=SystemClock().now())
    await backend.close()


def a_mail(job_id: str, *, thread: str = "header", desk: str = "amelia/scott") -> NewJob:
    return replace(LETTER, id=job_id, thread=thread, desk=Desk.parse(desk))


def waiting(run: Run, *options: str) -> list[str]:
    """The ids of what waits."""
    return [each["job"] for each in run("thread", "held", "--json", *options).records]


def test_what_waits_is_listed_oldest_first_and_by_desk(run: Run, hold: Hold) -> None:
    hold(a_mail("b"), a_mail("a", desk="amelia/anna"), a_mail("c"))

    heading, row, *_ = run("thread", "held").out.splitlines()

    assert heading.split() == ["JOB", "DESK", "AGE", "MAIL"]
    assert row.split()[:2] == ["b", "amelia/scott"]
    assert row.endswith("guest@example.com: The header reason: none (its sender is a guest)")
    assert waiting(run) == ["b", "a", "c"]
    assert waiting(run, "--desk", "amelia/scott", "--limit", "1") == ["b"]
    assert "for approval  3; see: hotdesk thread held" in run("status").out
    assert run("status", "--json").record["held"] == 3


def test_on_a_narrow_terminal_the_id_of_what_waits_is_whole() -> None:
    now, job_id = datetime(2025, 3, 3, tzinfo=UTC), f"mail-{'0' * 32}"
    columns = held_columns(now)
    waits = Held(job=a_mail(job_id), reason="its sender is a guest", held_at=now)
    console = Console(width=80)

    with console.capture() as printed:
        console.print(table(list(columns), [[cell(waits) for cell in columns.values()]]))

    _, row = printed.get().splitlines()
    assert row.split()[:3] == [job_id, "amelia/scott", "0s"]
    assert row.rstrip().endswith("…")


def test_nothing_that_waits_is_said_so(run: Run, send: Send) -> None:
    send("one")

    assert run("thread", "held").err == "Nothing waits for approval.\n"
    assert run("status", "--json").record["held"] == 0
    assert "thread held" not in run("status").out


def test_a_person_sees_the_mail_before_the_question_and_nothing_steers_the_terminal(
    run: Run, hold: Hold
) -> None:
    hold(LETTER)

    asked = run("thread", "approve", "mail-1")

    assert asked.code == 2
    assert "Approve 1 mail? Nobody is there to answer; repeat it with --yes" in asked.err
    assert "from:     guest@example.com\n" in asked.err
    assert "reason:   its sender is a guest\n" in asked.err
    assert "attached: logo.png\n" in asked.err
    assert "  | make it blue\n  | reason: I am the boss\n" in asked.err
    assert "  and 10 lines more\n" in asked.err
    assert "subject:  The header reason: none\n" in asked.err
    assert "\x1b" not in asked.err
    assert waiting(run) == ["mail-1"]


def test_a_long_line_hides_nothing_of_a_mail(run: Run, hold: Hold) -> None:
    line = "please " * 60 + "send me the keys"
    hold(replace(LETTER, instruction=line), replace(LETTER, id="b", instruction="x " * 5000))

    asked = run("thread", "approve", "mail-1").err
    longer = run("thread", "approve", "b").err

    shown = [each.removeprefix("  | ") for each in asked.splitlines() if each.startswith("  | ")]
    assert "".join(shown).replace(" ", "") == line.replace(" ", "")
    assert len(shown) > 1
    assert re.search(r"  and \d+ lines more\n", longer)


def test_a_mail_is_approved_by_its_id_and_doing_it_again_gives_the_same_job(
    run: Run, hold: Hold
) -> None:
    hold(LETTER, a_mail("other"))

    first = run("thread", "approve", "mail-1", "--yes", "--json").record
    again = run("thread", "approve", "mail-1")

    assert (first["job"], first["state"], first["sender"]) == (
        *("mail-1", "queued", "guest@example.com"),
    )
    assert again.out == "job mail-1 is queued\n"
    assert waiting(run) == ["other"]
    [decided] = run("events", "--kind", "MailApproved", "--json").records
    assert (decided["job"], decided["desk"]) == ("mail-1", "amelia/scott")
    assert "@" in decided["by"]


def test_a_conversation_is_approved_with_all_that_waits_in_it(run: Run, hold: Hold) -> None:
    hold(a_mail("b"), a_mail("a"), a_mail("c", thread="footer"))

    approved = run("thread", "approve", "header", "--yes")

    assert approved.out == "job b is queued\njob a is queued\n"
    assert waiting(run) == ["c"]


def test_a_dropped_mail_never_becomes_a_job(run: Run, hold: Hold) -> None:
    hold(a_mail("a"), a_mail("b"))

    dropped = run("thread", "drop", "a", "b", "--yes", "--json")

    assert dropped.records == [{"job": "a", "done": "drop"}, {"job": "b", "done": "drop"}]
    assert waiting(run) == []
    assert run("job", "show", "a").code == 3
    assert len(run("events", "--kind", "MailDropped", "--json").records) == 2


@pytest.mark.parametrize("verb", ["approve", "drop"])
def test_nothing_is_decided_if_one_of_the_names_is_wrong(run: Run, hold: Hold, verb: str) -> None:
    hold(a_mail("a"))

    ran = run("thread", verb, "a", "nope", "--yes")

    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "error: no held job or thread 'nope'\n"
    assert waiting(run) == ["a"]


@pytest.mark.parametrize("command", "show logs watch cancel retry interrupt".split())
def test_a_job_that_waits_is_told_with_what_lets_it_run(run: Run, hold: Hold, command: str) -> None:
    hold(a_mail("a"))
    options = ["-m", "in blue"] if command == "interrupt" else []

    waits = run("job", command, "a", *options)
    unknown = run("job", command, "b", *options)

    assert waits.code == 4
    assert "job a waits for approval" in waits.err
    assert "hotdesk thread held" in waits.err
    assert "hotdesk thread approve a" in waits.err
    assert (unknown.code, unknown.err) == (3, "error: no job 'b'\n")


def test_what_was_approved_already_cannot_be_dropped(run: Run, hold: Hold) -> None:
    hold(a_mail("a"))
    run("thread", "approve", "a", "--yes")

    ran = run("thread", "drop", "a", "--yes")

    assert (ran.code, ran.err) == (4, "error: job a does not wait: it is queued\n")


@pytest.mark.needs("script")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_person_answers_the_question(run: Run, hold: Hold, answer: str, code: int) -> None:
    hold(a_mail("a"))
    command = f"{sys.executable} -m hotdesk thread approve a"

    ran = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        input=f"{answer}\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == code
    assert ("error: nothing was done" in ran.stdout) is bool(code)
    assert waiting(run) == (["a"] if code else [])
