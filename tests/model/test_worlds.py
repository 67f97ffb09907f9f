"""The protocol keeps its promises in every small world, and each mutant breaks one."""

import pytest

from hotdesk.model.protocol import Protocol
from hotdesk.model.search import Search
from hotdesk.model.worlds import MUTANTS, SMALL, World

pytestmark = pytest.mark.model


@pytest.mark.parametrize("world", SMALL, ids=lambda world: world.name)
def test_every_promise_holds_whatever_happens_in_a_small_world(world: World) -> None:
    verdict = Search(world.protocol(world.setup)).run()

    assert not verdict.broken, "\n".join((verdict.broken, *verdict.trace))


@pytest.mark.parametrize("world", MUTANTS, ids=lambda world: world.name)
def test_a_mutant_breaks_a_promise_that_holds_without_it(world: World) -> None:
    mutant = Search(world.protocol(world.setup)).run()
    right = Search(Protocol(world.setup)).run()

    assert mutant.broken
    assert not right.broken
