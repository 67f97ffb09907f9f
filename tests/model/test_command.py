"""``python -m hotdesk.model`` says what it found, and its status says whether that is good."""

import json
import shlex

from click.testing import CliRunner, Result

from hotdesk.model.__main__ import main
from hotdesk.model.worlds import MUTANTS


def model(options: str) -> Result:
    return CliRunner().invoke(main, shlex.split(options))


def test_a_world_that_holds_is_one_line_and_a_success() -> None:
    result = model("--jobs 1 --crashes 1")

    assert result.exit_code == 0
    assert result.output.startswith("holds   world: ")
    assert "--jobs 1 --crashes 1" in result.output


def test_a_broken_promise_is_told_step_by_step_down_to_the_state_it_ends_in() -> None:
    result = model("--mutant ttl_trusted")

    assert result.exit_code == 1
    assert result.output.startswith("BROKEN  ttl_trusted: no lost wake-up")
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
    assert found["setup"] == "--jobs 'a b:never' --workers 1"
    assert (found["broken"], found["trace"], found["is_cut"]) == ("", [], False)
    assert found["states"] > 100
    assert found["depth"] > 10


def test_jobs_that_cannot_be_read_are_a_mistake_of_the_caller() -> None:
    result = model("--jobs a:sometimes")

    assert result.exit_code == 2
    assert "'sometimes' is not a policy" in result.output


def test_a_world_with_more_states_than_allowed_is_refused_and_no_success() -> None:
    result = model("--jobs 2 --crashes 1 --states-max 100")

    assert result.exit_code == 1
    assert result.output.startswith("UNKNOWN world: too large, cut short: ")


def test_json_says_of_a_mutant_how_many_states_and_steps_it_took_to_find_it() -> None:
    result = model("--mutant no_margin --json")

    found = json.loads(result.output)
    assert (found["world"], found["setup"]) == ("no_margin", "--jobs 1 --clocks 1")
    assert found["states"] > found["steps"] == len(found["trace"]) > 5
    assert found["broken"].startswith("one holder")


def test_the_table_has_a_row_for_each_mutant_and_says_which_was_not_found() -> None:
    result = model("--mutants --states-max 200")

    heading, *rows = result.stdout.splitlines()
    assert heading.split()[:4] == ["mutant", "states", "steps", "world"]
    assert [row.split()[0] for row in rows] == [world.name for world in MUTANTS]
    assert {row.split()[0] for row in rows if "NOT FOUND" in row} >= {"settle_unfenced"}
    assert {row.split()[0] for row in rows if "lost wake-up" in row} >= {"check_then_send"}
    assert result.exit_code == 1
