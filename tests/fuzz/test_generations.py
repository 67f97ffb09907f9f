"""A generation that somebody made up: it locks nobody out, and the fence does without it."""

from __future__ import annotations

import pytest

from hotdesk.backends.sqlite.claiming import GENERATION_MET_MAX
from hotdesk.errors import ClaimLost
from hotdesk.workspaces import Confirm, Workspaces
from hotdesk.workspaces.commits import Stamp
from tests.workspaces.conftest import (
    BRANCH,
    DESK,
    NOW,
    Opens,
    confirm,
    open_workspace,
    origin,
    titles,
    work,
    workspaces,
)
from tests.workspaces.origins import BareOrigin

__all__ = ["confirm", "open_workspace", "origin", "workspaces"]

pytestmark = pytest.mark.anyio

MADE_UP = 10**15
LATEST_READ = MADE_UP - 1


def said(generation: int) -> str:
    """Return the message of a commit that says it is the desk's, of that generation."""
    return f"x\n\nHotdesk-Desk: {DESK.key}\nHotdesk-Generation: {generation}"


@pytest.mark.parametrize("generation", [MADE_UP, 10**18])
async def test_a_generation_beyond_any_record_locks_no_desk_out_of_its_branch(
    generation: int,
    origin: BareOrigin,
    workspaces: Workspaces,
    open_workspace: Opens,
    confirm: Confirm,
) -> None:
    origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main", message=said(generation))

    await workspaces.take_over(DESK, "t1", 2, now=NOW)
    owner = await open_workspace(2)
    await work(owner, "fresh")
    await owner.push(confirm=confirm)

    assert titles(origin)[:3] == ["Write fresh", "Generation 2 takes over", "x"]


async def test_the_record_goes_on_behind_every_generation_that_is_read(
    origin: BareOrigin,
    open_workspace: Opens,
) -> None:
    origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main", message=said(LATEST_READ))

    with pytest.raises(ClaimLost) as lost:
        await open_workspace(1)

    # So the desk's next claim is later, and is not turned away a second time.
    assert lost.value.seen == LATEST_READ
    assert LATEST_READ < GENERATION_MET_MAX
    assert Stamp.read(said(LATEST_READ + 1).split("\n")).generation == 0
    await open_workspace(LATEST_READ + 1)


async def test_a_desk_beyond_the_generations_that_are_read_is_fenced_all_the_same(
    origin: BareOrigin,
    workspaces: Workspaces,
    open_workspace: Opens,
) -> None:
    # The next owner's generation was guessed: its takeover must not take that for its own.
    origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main", message=said(MADE_UP + 1))
    frozen = await open_workspace(MADE_UP)
    await work(frozen, "stale")
    proofs = []

    async def expired_after_the_first() -> None:
        proofs.append(1)
        if len(proofs) > 1:
            raise ClaimLost(DESK.key, MADE_UP)

    fence = await workspaces.take_over(DESK, "t1", MADE_UP + 1, now=NOW)

    with pytest.raises(ClaimLost):
        await frozen.push(confirm=expired_after_the_first)
    assert origin.head(BRANCH) == fence
