"""``dead``: many letters at once, and a question before."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import Run, Serve

Send = Callable[..., str]


@pytest.fixture
def letters(send: Send, serve: Serve) -> None:
    """Three dead letters, two of them of one desk."""
    send("fail", "--id", "j1", desk="a/x")
    send("fail", "--id", "j2", "--interrupt", "never", desk="a/x")
    send("fail", "--id", "j3", desk="a/y")
    serve()


@pytest.mark.usefixtures("letters")
def test_dead_letters_are_listed_with_their_errors(run: Run) -> None:
    listed = run("dead", "list", "--desk", "a/x")

    assert sorted(j["job"] for j in run("dead", "list", "--json").records) == ["j1", "j2", "j3"]
    assert "RuntimeError: it is broken" in listed.out
    assert "j3" not in listed.out


@pytest.mark.usefixtures("letters")
def test_one_letter_is_retried_without_a_question(run: Run) -> None:
    retried = run("dead", "retry", "j1", "--json")

    assert retried.record == {"job": "j1", "done": "retry"}
    assert run("job", "show", "j1", "--json").record["state"] == "queued"


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    "arguments", [["retry", "--all"], ["retry", "j1", "j2"], ["discard", "j1"]]
)
def test_many_letters_and_every_removal_need_a_yes(run: Run, arguments: list[str]) -> None:
    asked = run("dead", *arguments)

    assert asked.code == 2
    assert "Nobody is there to answer; repeat it with --yes" in asked.err
    assert len(run("dead", "list", "--json").records) == 3


@pytest.mark.usefixtures("letters")
def test_all_letters_of_a_desk_are_retried_and_no_others(run: Run) -> None:
    retried = run("dead", "retry", "--all", "--desk", "a/x", "--yes")

    assert sorted(retried.out.splitlines()) == ["retry: j1", "retry: j2"]
    assert [job["job"] for job in run("dead", "list", "--json").records] == ["j3"]


@pytest.mark.usefixtures("letters")
def test_discarded_letters_are_gone(run: Run) -> None:
    run("dead", "discard", "--all", "--yes")

    assert run("dead", "list").err == "There are no dead letters.\n"
    assert run("job", "show", "j1").code == 3
    assert run("dead", "retry", "--all", "--yes").err == "There are no dead letters.\n"


def test_what_is_meant_must_be_said(run: Run, send: Send) -> None:
    send("one", "--id", "j1")

    assert "either ids of jobs, or --all" in run("dead", "retry").err
    assert "either ids of jobs, or --all" in run("dead", "retry", "j1", "--all").err
    assert "--desk only narrows --all" in run("dead", "discard", "j1", "--desk", "a/x").err
    assert run("dead", "discard", "j1", "--yes").code == 4
