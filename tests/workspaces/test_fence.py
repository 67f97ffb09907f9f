"""The fence: a worker that lost its desk publishes nothing, whatever the order of events."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from hotdesk.errors import ClaimLost
from hotdesk.workspaces import Confirm, Workspaces
from tests.workspaces.conftest import BRANCH, DESK, NOW, Opens, titles, work
from tests.workspaces.origins import BareOrigin

pytestmark = pytest.mark.anyio


async def test_a_frozen_workers_late_push_is_refused(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    frozen = await open_workspace(1)
    await work(frozen, "stale")

    await workspaces.take_over(DESK, "t1", 2, now=NOW)

    with pytest.raises(ClaimLost):
        await frozen.push(confirm=confirm)
    assert titles(origin) == ["Generation 2 takes over", "by hand"]


async def test_a_frozen_workers_late_push_is_refused_by_the_server_itself(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main")
    frozen = await open_workspace(1)
    await work(frozen, "stale")
    fence = await workspaces.take_over(DESK, "t1", 2, now=NOW)

    # One push, without anything around it that tells workers apart.
    refusal = await frozen.mirror.push(BRANCH, frozen.tip.head, expected=frozen.tip.seen)

    assert "stale info" in refusal
    assert origin.head(BRANCH) == fence


async def test_the_new_owners_work_is_published_after_a_takeover(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    frozen = await open_workspace(1)
    await work(frozen, "stale")
    await workspaces.take_over(DESK, "t1", 2, now=NOW)
    owner = await open_workspace(2)
    await work(owner, "fresh")

    with pytest.raises(ClaimLost):
        await frozen.push(confirm=confirm)
    await owner.push(confirm=confirm)
    with pytest.raises(ClaimLost):
        await frozen.push(confirm=confirm)

    assert origin.read(BRANCH, "work") == "fresh"
    assert titles(origin) == ["Write fresh", "Generation 2 takes over", "by hand"]


def with_a_gate_between_the_halves_of_a_push(
    workspaces: Workspaces, folder: Path
) -> tuple[Workspaces, Path, Path]:
    """Return workspaces whose first push stops half-way, its gate, and a sign that it did.

    The server's own program runs and says where its branches stand. git compares that with
    what it expects and answers; the answer is held back until somebody writes to the gate.
    """
    gate, asked, program = folder / "gate", folder / "asked", folder / "receive-pack"
    os.mkfifo(gate)
    program.write_text(
        "#!/bin/sh\n"
        f'[ -e {asked} ] && exec git-receive-pack "$@"\n'
        # The first bytes of the answer: so git has decided.
        f"{{ dd bs=4 count=1 2>/dev/null > {folder}/first; touch {asked}; read x < {gate}; "
        f'cat {folder}/first -; }} | git-receive-pack "$@"\n'
    )
    program.chmod(0o755)
    slow_git = replace(workspaces.git, config=(("remote.origin.receivepack", str(program)),))
    return replace(workspaces, git=slow_git), gate, asked


async def open_gate(gate: Path) -> None:
    await anyio.to_thread.run_sync(gate.write_text, "go\n")


async def until(path: Path) -> None:
    """Wait until a file is there."""
    with anyio.fail_after(10):
        while not await anyio.Path(path).exists():
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("branch", ["new", "old"])
async def test_a_takeover_between_the_two_halves_of_a_stale_push_refuses_it(
    tmp_path: Path,
    origin: BareOrigin,
    workspaces: Workspaces,
    confirm: Confirm,
    branch: str,
) -> None:
    if branch == "old":
        origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main")
    outcomes = []
    slow, gate, asked = with_a_gate_between_the_halves_of_a_push(workspaces, tmp_path)
    frozen = await slow.open(DESK, "t1", 1, job_id="job-1", now=NOW)
    await work(frozen, "stale")

    async def push() -> None:
        refusal = await frozen.mirror.push(BRANCH, frozen.tip.head, expected=frozen.tip.seen)
        outcomes.append(refusal)
        with pytest.raises(ClaimLost):
            await frozen.push(confirm=confirm)
        outcomes.append("claim lost")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push)
        await until(asked)
        fence = await workspaces.take_over(DESK, "t1", 2, now=NOW)
        await open_gate(gate)

    assert origin.head(BRANCH) == fence
    # Not "stale info", which is git's own look at what the server told it: the server's word.
    assert "remote rejected" in outcomes[0]
    assert outcomes[1] == "claim lost"


async def test_a_takeover_while_the_server_holds_the_stale_commits_refuses_them(
    tmp_path: Path,
    origin: BareOrigin,
    workspaces: Workspaces,
    open_workspace: Opens,
    confirm: Confirm,
) -> None:
    gate, held = tmp_path / "gate", tmp_path / "held"
    os.mkfifo(gate)
    # Only the stale commits are held up, after they have arrived and before the branch is set.
    origin.hook(
        "pre-receive",
        f"read old new ref; git log -1 --format=%B $new | grep -q takes.over && exit 0\n"
        f"touch {held}; read x < {gate}",
    )
    frozen = await open_workspace(1)
    await work(frozen, "stale")
    outcomes = []

    async def push() -> None:
        with pytest.raises(ClaimLost):
            await frozen.push(confirm=confirm)
        outcomes.append("claim lost")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push)
        await until(held)
        fence = await workspaces.take_over(DESK, "t1", 2, now=NOW)
        await open_gate(gate)

    assert outcomes == ["claim lost"]
    assert origin.head(BRANCH) == fence


async def test_a_stale_push_that_wins_against_the_takeover_stays_below_it(
    tmp_path: Path,
    origin: BareOrigin,
    workspaces: Workspaces,
    open_workspace: Opens,
    confirm: Confirm,
) -> None:
    stale = await open_workspace(1)
    commit = await work(stale, "late but in time")
    slow, gate, asked = with_a_gate_between_the_halves_of_a_push(workspaces, tmp_path)
    fences = []

    async def take_over() -> None:
        fences.append(await slow.take_over(DESK, "t1", 2, now=NOW))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take_over)
        await until(asked)
        await stale.push(confirm=confirm)
        await open_gate(gate)

    assert titles(origin) == ["Generation 2 takes over", "Write late but in time", "by hand"]
    assert origin.head(BRANCH) == fences[0]
    assert await workspaces.published(DESK, "t1", "job-1") == commit


async def test_a_takeover_is_done_once_for_a_generation(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    first = await workspaces.take_over(DESK, "t1", 2, now=NOW)
    again = await workspaces.take_over(DESK, "t1", 2, now=NOW)
    owner = await open_workspace(2)
    commit = await work(owner, "fresh")
    await owner.push(confirm=confirm)

    assert first == again
    assert await workspaces.take_over(DESK, "t1", 2, now=NOW) == commit


async def test_a_second_takeover_shuts_out_the_first_as_well(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    first = await open_workspace(1)
    await work(first, "one")
    await workspaces.take_over(DESK, "t1", 2, now=NOW)
    second = await open_workspace(2)
    await work(second, "two")
    await workspaces.take_over(DESK, "t1", 3, now=NOW)

    for stale in (first, second):
        with pytest.raises(ClaimLost):
            await stale.push(confirm=confirm)
    with pytest.raises(ClaimLost):
        await workspaces.take_over(DESK, "t1", 2, now=NOW)

    third = await open_workspace(3)
    await work(third, "three")
    await third.push(confirm=confirm)
    assert titles(origin) == [
        "Write three",
        "Generation 3 takes over",
        "Generation 2 takes over",
        "by hand",
    ]


async def test_a_takeover_is_refused_when_a_later_owner_was_there(
    workspaces: Workspaces,
) -> None:
    await workspaces.take_over(DESK, "t1", 5, now=NOW)

    with pytest.raises(ClaimLost):
        await workspaces.take_over(DESK, "t1", 4, now=NOW)


async def test_a_takeover_of_another_threads_or_desks_branch_fences_only_that(
    workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace(1)
    await work(workspace, "1")

    await workspaces.take_over(DESK, "t2", 2, now=NOW)

    await workspace.push(confirm=confirm)


async def test_a_claim_is_proved_before_each_push(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    workspace = await open_workspace()
    await work(workspace, "1")

    async def lost() -> None:
        raise ClaimLost(DESK.key, 1)

    with pytest.raises(ClaimLost):
        await workspace.push(confirm=lost)

    assert origin.head(BRANCH) == ""


async def test_a_stale_push_is_refused_even_when_a_person_wiped_out_the_takeover(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens
) -> None:
    head = origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main")
    frozen = await open_workspace(1)
    await work(frozen, "stale")
    proofs = []

    async def expired_after_the_first() -> None:
        # The lease held when the push began; the owner changed before the second one.
        proofs.append(1)
        if len(proofs) > 1:
            raise ClaimLost(DESK.key, 1)

    await workspaces.take_over(DESK, "t1", 2, now=NOW)
    rewritten = origin.person_pushes({"y": "1\n"}, branch=BRANCH, start=head)

    with pytest.raises(ClaimLost):
        await frozen.push(confirm=expired_after_the_first)
    assert origin.head(BRANCH) == rewritten


async def test_commits_of_another_hotdesk_that_reached_the_base_do_not_count(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    foreign = "x\n\nHotdesk-Desk: amelia#scott\nHotdesk-Generation: 999"
    origin.person_pushes({"x": "1\n"}, message=foreign)
    origin.person_pushes({"x": "2\n"})

    first = await open_workspace(1)
    await work(first, "1")
    await first.push(confirm=confirm)
    second = await open_workspace(1, job_id="job-2")
    await work(second, "2")
    await second.push(confirm=confirm)

    assert titles(origin)[:2] == ["Write 2", "Write 1"]


async def test_a_later_generation_of_another_desk_on_the_branch_does_not_count(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    foreign = "x\n\nHotdesk-Desk: amelia#zoe\nHotdesk-Generation: 999"
    workspace = await open_workspace(1)
    await work(workspace, "1")
    origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main", message=foreign)

    await workspace.push(confirm=confirm)
    await open_workspace(1)

    assert titles(origin) == ["Write 1", "x", "by hand"]


async def test_a_job_whose_final_commit_is_on_the_branch_is_published(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace(1)
    commit = await work(workspace, "1")
    assert await workspaces.published(DESK, "t1", "job-1") == ""

    await workspace.push(confirm=confirm)
    await workspaces.take_over(DESK, "t1", 2, now=NOW)
    await workspaces.take_over(DESK, "t1", 3, now=NOW)

    assert await workspaces.published(DESK, "t1", "job-1") == commit
    assert await workspaces.published(DESK, "t1", "job-2") == ""
    assert await workspaces.published(DESK, "t2", "job-1") == ""


async def test_a_job_of_which_only_a_part_was_published_is_not(
    workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace(1)
    (workspace.path / "x").write_text("1")
    await workspace.commit("half", now=NOW, is_partial=True)
    await workspace.push(confirm=confirm)

    assert await workspaces.published(DESK, "t1", "job-1") == ""


async def test_a_job_is_published_although_a_person_went_on_from_it(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace(1)
    commit = await work(workspace, "1")
    await workspace.push(confirm=confirm)
    origin.person_pushes({"mine": "1\n"}, branch=BRANCH)

    assert await workspaces.published(DESK, "t1", "job-1") == commit
