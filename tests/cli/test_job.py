"""``job``: lists, histories, logs, and what people do to a job."""

from collections.abc import Callable

import pytest

from hotdesk import Context, Job, Result
from tests.cli.conftest import Run, Serve

Send = Callable[..., str]


def test_jobs_are_listed_newest_first_and_by_desk_and_state(run: Run, send: Send) -> None:
    send("one", "--id", "j1")
    send("two", "--id", "j2", desk="other/user")
    run("job", "cancel", "j2")

    def ids(*options: str) -> list[str]:
        return [job["job"] for job in run("job", "list", "--json", *options).records]

    assert ids() == ["j2", "j1"]
    assert ids("--desk", "amelia/scott") == ["j1"]
    assert ids("--state", "cancelled") == ["j2"]
    assert ids("--limit", "1") == ["j2"]


def test_a_list_for_people_has_a_row_for_each_job(run: Run, send: Send) -> None:
    send("make the header blue\nplease", "--id", "j1")

    heading, row = run("job", "list").out.splitlines()

    assert heading.split() == ["JOB", "DESK", "STATE", "AGE", "INSTRUCTION"]
    assert row.split()[:3] == ["j1", "amelia/scott", "queued"]
    assert row.rstrip().endswith("make the header blue please")


def test_an_empty_list_says_what_to_do(run: Run, send: Send) -> None:
    send("one")

    listed = run("job", "list", "--state", "dead")

    assert (listed.code, listed.out) == (0, "")
    assert "Send one with: hotdesk send" in listed.err


def test_a_job_is_shown_with_its_history(run: Run, send: Send, serve: Serve) -> None:
    send("one", "--id", "j1")
    serve()

    shown = run("job", "show", "j1")
    record = run("job", "show", "j1", "--json").record

    assert "state: succeeded" in shown.out
    assert "JobSubmitted" in shown.out
    assert "JobEnded state=succeeded" in shown.out
    assert (record["state"], record["text"], record["worker"]) == ("succeeded", "done: one", "w1")


def test_what_a_job_cost_is_told_to_the_millionth_of_a_dollar(
    run: Run, send: Send, serve: Serve
) -> None:
    async def work(_job: Job, _context: Context) -> Result:
        return Result(text="done", cost_usd=0.0008 + 0.0008 + 0.0008)

    send("one", "--id", "j1")
    serve(work)

    assert '"cost_usd": 0.0024,' in run("job", "list", "--json").out


def test_the_log_of_a_job_is_printed_as_it_was_written(run: Run, send: Send, serve: Serve) -> None:
    send("one", "--id", "j1")
    serve()

    assert run("job", "logs", "j1").out == "working on one\n"
    assert run("job", "logs", "j1", "-f").out == "working on one\n"
    assert run("job", "logs", "j1", "--json").record["text"] == "working on one\n"


def test_watching_shows_states_events_and_output_in_order(
    run: Run, send: Send, serve: Serve
) -> None:
    send("one", "--id", "j1")
    serve()

    records = run("job", "watch", "j1", "--json").records
    watched = run("job", "watch", "j1")

    kinds = [record["type"] for record in records]
    assert kinds[0] == "state"
    assert kinds[-1] == "job"
    assert "log" in kinds
    assert [r["event"] for r in records if r["type"] == "event"][-1] == "JobEnded"
    assert watched.code == 0
    assert "working on one\n" in watched.out
    assert watched.out.endswith("done: one\n")


@pytest.mark.parametrize(("instruction", "code"), [("one", 0), ("fail", 10)])
def test_watching_ends_with_the_exit_code_of_the_job(
    run: Run, send: Send, serve: Serve, instruction: str, code: int
) -> None:
    send(instruction, "--id", "j1")
    serve()

    assert run("job", "watch", "j1").code == code


def test_a_queued_job_is_cancelled_at_once_and_can_be_retried(run: Run, send: Send) -> None:
    send("one", "--id", "j1")

    cancelled = run("job", "cancel", "j1")
    retried = run("job", "retry", "j1", "--json")

    assert cancelled.out == "job j1 is cancelled\n"
    assert retried.record["state"] == "queued"
    assert run("job", "cancel", "j1", "--json").record["state"] == "cancelled"
    assert run("job", "retry", "j1").out == "job j1 is queued again\n"


def test_a_correction_goes_to_the_thread_of_the_job(run: Run, send: Send) -> None:
    send("one", "--id", "j1", "--thread", "t")

    corrected = run("job", "interrupt", "j1", "-m", "two", "--json").record

    assert corrected["thread"] == "t"
    assert corrected["interrupts"] == "j1"
    assert run("job", "list", "--json").records[0]["interrupt"] == "thread"
    assert "continues job j1" in run("job", "interrupt", "j1", "-m", "three").out


@pytest.mark.parametrize("command", ["show", "watch", "logs", "cancel", "retry"])
def test_a_job_that_is_not_there_is_not_found(run: Run, send: Send, command: str) -> None:
    send("one")

    ran = run("job", command, "nope")

    assert (ran.code, ran.out, ran.err) == (3, "", "error: no job 'nope'\n")


def test_what_the_state_of_a_job_forbids_is_not_allowed(run: Run, send: Send, serve: Serve) -> None:
    send("one", "--id", "j1")
    serve()

    assert run("job", "retry", "j1").code == 4
    assert run("job", "cancel", "j1").code == 4
