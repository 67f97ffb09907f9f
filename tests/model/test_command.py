"""``python -m hotdesk.model`` says what it found, and its status says whether that is good."""

import json
import shlex

from click.testing import CliRunner, Result

from hotdesk.model.__main__ import main


def model(options: str) -> Result:
    return CliRunner().invoke(main, shlex.split(options))


def test_a_world_that_holds_is_one_line_and_a_success() -> None:
    result = model("--jobs 1 --crashes 1")

    assert result.exit_code == 0
    assert result.output.startswith("holds   world: ")
    assert "--jobs 1 --crashes 1" in result.output


def test_a_broken_promise_is_told_step_by_step_down_to_the_state_it_ends_in() -> None:
    result = model("--mutant owner_trusted")

    assert result.exit_code == 1
    assert result.output.startswith("BROKEN  owner_trusted: nothing left behind")
    assert "    1. the workflow of job 0 announces 0.1\n" in result.output
    assert " DIES" in result.output
    assert "The desk has a l" in result.output


def test_a_mutant_can_be_taken_to_another_world() -> None:
    result = model("--mutant probe_first --jobs 1 --workers 1")

    assert result.exit_code == 0


def test_every_line_of_json_is_one_world() -> None:
    result = model("--jobs 'a b:never' --workers 1 --json")

    (line,) = result.output.splitlines()
    found = json.loads(line)
    assert found["setup"] == "--jobs 'a:desk b:never' --workers 1"
    assert (found["broken"], found["trace"]) == ("", [])
    assert found["states"] > 100


def test_jobs_that_cannot_be_read_are_a_mistake_of_the_caller() -> None:
    result = model("--jobs a:sometimes")

    assert result.exit_code == 2
    assert "'sometimes' is not a policy" in result.output
