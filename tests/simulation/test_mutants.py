"""Each guard that is taken away is missed: the simulation notices it within so many seeds."""

import pytest

from .mutants import MUTANTS, Mutant, seeds_to_detection

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_a_guard_that_is_gone_is_noticed(mutant: Mutant) -> None:
    found = seeds_to_detection(mutant, focus=mutant.focus)

    assert found is not None
    _, said = found
    assert said
