"""``desk`` and ``thread``: looking at them, and asking for what people may ask."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import Run, Serve

Send = Callable[..., str]


def test_desks_are_listed_with_what_they_do(run: Run, send: Send, serve: Serve) -> None:
    send("one", desk="a/done")
    serve()
    send("two", desk="a/waits")

    by_desk = {desk["desk"]: desk for desk in run("desk", "list", "--json").records}

    assert by_desk["a/done"]["state"] == "idle"
    assert (by_desk["a/waits"]["state"], by_desk["a/waits"]["pending"]) == ("waiting", 1)
    assert [d["desk"] for d in run("desk", "list", "--waiting", "--json").records] == ["a/waits"]
    assert run("desk", "list").out.split()[:3] == ["DESK", "STATE", "PENDING"]


def test_a_desk_is_shown_with_its_queue_in_order(run: Run, send: Send) -> None:
    send("one", "--id", "j1")
    send("two", "--id", "j2")

    record = run("desk", "show", "amelia/scott", "--json").record
    shown = run("desk", "show", "amelia/scott").out

    assert [job["job"] for job in record["queue"]] == ["j1", "j2"]
    assert shown.index("j1") < shown.index("j2")


def test_a_paused_desk_is_not_served_until_it_is_resumed(
    run: Run, send: Send, serve: Serve
) -> None:
    send("one", "--id", "j1", desk="a/paused")
    send("two", "--id", "j2", desk="a/other")

    paused = run("desk", "pause", "a/paused", "--json").record
    run("job", "cancel", "j1")
    resumed = run("desk", "resume", "a/paused")

    assert (paused["state"], paused["is_paused"]) == ("paused", True)
    assert resumed.out == "desk a/paused is served again\n"
    assert not run("desk", "show", "a/paused", "--json").record["is_paused"]
    assert run("desk", "release", "a/paused", "--json").record["desk"] == "a/paused"


@pytest.mark.parametrize("command", ["show", "pause", "resume", "release"])
def test_a_desk_without_jobs_is_not_found(run: Run, send: Send, command: str) -> None:
    send("one")

    ran = run("desk", command, "a/none")

    assert (ran.code, ran.err) == (3, "error: no desk 'a/none'\n")
    assert run("desk", command, "none").code == 2


def test_threads_are_listed_and_shown_oldest_job_first(run: Run, send: Send) -> None:
    send("one", "--id", "j1", "--thread", "t")
    send("two", "--id", "j2", "--thread", "t")
    send("three", "--thread", "u", desk="other/user")

    listed = run("thread", "list", "--desk", "amelia/scott", "--json").record
    shown = run("thread", "show", "amelia/scott", "t", "--json").records

    assert (listed["thread"], listed["jobs"], listed["last_job"]) == ("t", 2, "j2")
    assert [job["job"] for job in shown] == ["j1", "j2"]
    assert run("thread", "list").out.split()[:3] == ["DESK", "THREAD", "JOBS"]
    assert run("thread", "show", "amelia/scott", "none").code == 3
