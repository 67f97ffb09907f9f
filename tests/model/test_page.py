"""The page about the model names what there is, and its table is what the search finds."""

from pathlib import Path

import pytest

from hotdesk.model.search import Search, Verdict
from hotdesk.model.setup import Fault
from hotdesk.model.worlds import LARGE, MUTANTS, SMALL, World

PAGE = (Path(__file__).parents[2] / "docs" / "model.md").read_text()


def row(world: World, verdict: Verdict) -> str:
    promise = verdict.broken or "none"
    wrong = world.shows.removesuffix(".")
    return (
        f"| `{world.name}` | {wrong} | `{world.setup}` | {verdict.states} | "
        f"{len(verdict.trace)} | {promise} |"
    )


def test_every_fault_is_explained() -> None:
    missing = [fault.option for fault in Fault if f"| `{fault.option}` |" not in PAGE]

    assert not missing


def test_every_world_is_listed_with_its_setup() -> None:
    rows = [f"| {world.name} | `{world.setup}` |" for world in SMALL + LARGE]

    assert not [row for row in rows if row not in PAGE]


@pytest.mark.model
def test_the_table_of_mutants_is_what_the_search_finds() -> None:
    rows = [row(world, Search(world.protocol(world.setup)).run()) for world in MUTANTS]

    written = [line for line in PAGE.splitlines() if line.startswith("| `") and "--jobs" in line]
    assert written == rows, "\n".join(rows)
