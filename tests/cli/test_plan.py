"""``plan``: a traffic in, a placement out."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from tests.cli.conftest import Run, Serve

SMALL = ("--projects", "5", "--users", "2", "--days", "3")
TRACE = "at,desk,seconds,correction\n0,a/b,60,\n30,a/b,60,yes\n7200,a/c,60,\n"


def test_placements_are_compared_and_one_is_recommended_with_its_settings(run: Run) -> None:
    ran = run("plan", *SMALL, "--office-hours", "--bursts")

    assert ran.code == 0
    for told in ("jobs at 10 desks in 3.0 days", "dedicated, always on", "Take ", "[pool]"):
        assert told in ran.out
    assert "linger_seconds = 300" in ran.out


def test_programs_get_each_placement_and_the_recommendation(run: Run) -> None:
    *placements, answer = run("plan", *SMALL, "--pool", "1:2", "--pool", "0:2", "--json").records

    assert [each["placement"] for each in placements] == [
        *("dedicated, always on", "dedicated, 0 to 1"),
        *("warm pool, 1 to 2", "on demand, 0 to 2"),
    ]
    (chosen,) = [each for each in placements if each["is_recommended"]]
    assert chosen["placement"] == answer["recommended"]
    assert placements[0]["delay_seconds"] == {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    assert placements[2]["settings"] == {"min_workers": 1, "max_workers": 2}
    assert len(placements[0]["delay_p95_by_hour"]) == 24


def test_how_sure_the_figures_are_comes_with_several_seeds(run: Run) -> None:
    once = run("plan", *SMALL, "--pool", "1:1", "--json").records[2]
    often = run("plan", *SMALL, "--pool", "1:1", "--seeds", "3", "--json").records[2]

    assert once["cost_month_half_interval_usd"] == 0
    assert often["cost_month_half_interval_usd"] > 0


def test_a_trace_is_played_as_it_is(run: Run, here: Path) -> None:
    (here / "trace.csv").write_text(TRACE)

    *placements, answer = run("plan", "--trace", "trace.csv", "--json").records

    assert (answer["jobs"], answer["desks"]) == (3, 2)
    assert placements[0]["cold_starts"] == 0
    assert placements[1]["cold_starts"] == 2


def test_a_sweep_answers_for_each_value(run: Run) -> None:
    answers = run("plan", *SMALL, "--pool", "1:3", "--sweep", "promise=0,30,900", "--json").records

    assert [each["promise"] for each in answers] == [0, 30, 900]
    costs = [each["cost_month_usd"] for each in answers]
    assert costs == sorted(costs, reverse=True)
    assert answers[0]["placement"] == "dedicated, always on"

    ran = run("plan", *SMALL, "--sweep", "cold-start=1,100")
    assert ran.out.startswith("COLD-START")
    assert len(ran.out.splitlines()) == 3


def test_prices_of_the_configuration_count(run: Run, here: Path) -> None:
    (here / "hotdesk.toml").write_text("[prices]\nserver_month = 7\n")

    placements = run("plan", *SMALL, "--where", "server", "--pool", "1:1", "--json").records

    assert placements[2]["cost_month_usd"] == 7


def test_a_mistake_in_a_trace_is_told_with_its_row(run: Run, here: Path) -> None:
    (here / "trace.csv").write_text(TRACE + "9,a/b,1,\n")

    ran = run("plan", "--trace", "trace.csv")

    assert ran.code == 2
    assert ran.err.startswith("error: trace.csv: row 5: it is older than the row before it")


def test_what_the_deployment_did_is_played_and_kept(run: Run, serve: Serve, here: Path) -> None:
    for instruction in ("one", "two"):
        run("send", "--desk", "amelia/scott", "-m", instruction)
    serve()

    ran = run("plan", "--recorded", "1", "--save", "trace.csv", "--json")

    assert ran.records[-1]["jobs"] == 2
    head, *rows = (here / "trace.csv").read_text().splitlines()
    assert head == "at,desk,seconds,correction"
    assert [row.split(",")[1] for row in rows] == ["amelia/scott", "amelia/scott"]
    again = run("plan", "--recorded", "1", "--save", "trace.csv")
    assert (again.code, "cannot be written: File exists" in again.err) == (2, True)


def test_where_nothing_ran_there_is_nothing_to_play(run: Run, here: Path) -> None:
    run("send", "--desk", "amelia/scott", "-m", "waits")

    ran = run("plan", "--recorded", "7", "--save", "trace.csv")

    assert ran.code == 2
    assert "no job ran here in the last 7 days; describe a traffic" in ran.err
    assert "left out: 1 job that" in ran.err
    assert not (here / "trace.csv").exists()


def test_the_picture_is_drawn_as_its_name_says(run: Run, here: Path) -> None:
    for name in ("plan.svg", "plan.png"):
        assert run("plan", *SMALL, "--picture", name).code == 0

    texts = ET.parse(here / "plan.svg").getroot().tag  # noqa: S314 - our own
    assert texts.endswith("svg")
    with Image.open(here / "plan.png") as picture:
        assert picture.size == (1540, 700)
    refused = run("plan", *SMALL, "--picture", "plan.pdf")
    assert "a picture ends in .svg or .png" in refused.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--pool", "4:2"], "'4:2' has more at least than at most"),
        (["--pool", "0:0"], "is no size; write the least and the most, as 2:4"),
        (["--pool", "few"], "is no size; write the least and the most, as 2:4"),
        (["--price", "gold", "1"], "prices.gold: there is no such price"),
        (["--trace", "none.csv"], "none.csv: the trace cannot be read"),
        (["--trace", "none.csv", "--recorded", "1"], "two traffics; give one of them"),
        (["--sweep", "days=1,2"], "'days' cannot be swept; use one of projects, users"),
        (["--sweep", "promise"], "name 1 to 20 values, as promise=1,2,3"),
        (["--sweep", "promise=1,-2"], "-2"),
        (["--sweep", "users=1.5"], "'1.5' is not a valid integer"),
        (["--save", "t.csv"], "--save keeps what was --recorded"),
        (["--jobs-per-user-day", "0.0000001"], "describe"),
    ],
)
def test_what_cannot_be_planned_says_why(run: Run, options: list[str], told: str) -> None:
    ran = run("plan", *options)

    assert ran.code in (1, 2)
    assert told in ran.err
