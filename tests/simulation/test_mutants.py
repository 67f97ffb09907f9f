"""Each guard that is taken away is missed: the simulation notices it within so many seeds."""

import pytest

from .mutants import MUTANTS, Mutant, seeds_to_detection

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


# A minute each: ``make mutants`` has them, and tests with a real git hold that guard.
PATIENT = {"unfenced"}


@pytest.mark.parametrize(
    "mutant", [each for each in MUTANTS if each.name not in PATIENT], ids=lambda each: each.name
)
def test_a_guard_that_is_gone_is_noticed(mutant: Mutant) -> None:
    found = seeds_to_detection(mutant, focus=mutant.focus)

    assert found is not None
    _, said = found
    assert said
