"""Publishing a job's commits: answers that get lost, people on the branch, failing origins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk.backends.folder import FolderArchive
from hotdesk.workspaces import (
    Confirm,
    MergeConflict,
    OriginUnreachable,
    PushRefused,
    Workspaces,
)
from hotdesk.workspaces.layout import kept_ref
from tests.workspaces.conftest import BRANCH, DESK, NOW, Opens, titles, work
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio


async def test_a_push_puts_the_commit_on_the_threads_branch(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    commit = await work(workspace, "1")

    pushed = await workspace.push(confirm=confirm)

    assert pushed == commit == origin.head(BRANCH)


async def test_pushing_again_changes_nothing(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    commit = await work(workspace, "1")
    await workspace.push(confirm=confirm)

    assert await workspace.push(confirm=confirm) == commit == origin.head(BRANCH)


async def test_a_job_without_a_commit_makes_no_branch(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()

    pushed = await workspace.push(confirm=confirm)

    assert pushed == workspace.found
    assert origin.head(BRANCH) == ""


async def test_a_partial_commit_and_the_final_one_are_pushed_one_after_the_other(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    await work(workspace, "1")
    await workspace.push(confirm=confirm)
    second = await work(workspace, "2")

    await workspace.push(confirm=confirm)

    assert origin.head(BRANCH) == second
    assert titles(origin) == ["Write 2", "Write 1", "by hand"]


async def test_a_push_whose_answer_was_lost_is_not_done_twice(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    commit = await work(workspace, "1")
    before = workspace.tip
    await workspace.push(confirm=confirm)
    workspace.tip = before

    assert await workspace.push(confirm=confirm) == commit
    assert titles(origin) == ["Write 1", "by hand"]


async def test_a_push_whose_answer_was_lost_counts_when_a_person_went_on_from_it(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    commit = await work(workspace, "1")
    before = workspace.tip
    await workspace.push(confirm=confirm)
    workspace.tip = before
    head = origin.person_pushes({"mine": "1\n"}, branch=BRANCH)

    assert await workspace.push(confirm=confirm) == commit
    assert origin.head(BRANCH) == head

    # And the next push does not undo what the person did.
    await work(workspace, "2")
    await workspace.push(confirm=confirm)
    assert titles(origin) == ["Write 2", "by hand", "Write 1", "by hand"]


# People on the branch.


async def test_a_job_is_repeated_on_top_of_what_a_person_pushed_meanwhile(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens, confirm: Confirm
) -> None:
    origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main")
    workspace = await open_workspace()
    await work(workspace, "1")
    await work(workspace, "2")
    origin.person_pushes({"mine": "1\n"}, branch=BRANCH)

    pushed = await workspace.push(confirm=confirm)

    assert titles(origin) == ["Write 2", "Write 1", "by hand", "by hand", "by hand"]
    assert origin.names(BRANCH) == ["README.md", "mine", "src/header.css", "work", "x"]
    assert pushed == origin.head(BRANCH) == await workspaces.published(DESK, "t1", "job-1")
    assert git("show", "-s", "--format=%an %at", pushed, at=origin.path) == (
        f"Hotdesk {int(NOW.timestamp())}"
    )


async def test_changes_to_different_lines_of_one_file_are_merged(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    text = "".join(f"line {number}\n" for number in range(20))
    origin.person_pushes({"x": text}, branch=BRANCH, start="main")
    workspace = await open_workspace()
    await work(workspace, text.replace("line 2\n", "ours\n"), "x")
    origin.person_pushes({"x": text.replace("line 17\n", "theirs\n")}, branch=BRANCH)

    await workspace.push(confirm=confirm)

    merged = text.replace("line 2\n", "ours\n").replace("line 17\n", "theirs\n")
    assert origin.read(BRANCH, "x") == merged.strip()


async def test_what_a_person_took_out_of_the_branch_stays_out(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    first = await open_workspace()
    await work(first, "1", "first")
    await first.push(confirm=confirm)
    second = await open_workspace(job_id="job-2")
    await work(second, "2", "second")
    git("update-ref", f"refs/heads/{BRANCH}", "refs/heads/main", at=origin.path)

    await second.push(confirm=confirm)

    assert titles(origin) == ["Write 2", "by hand"]
    assert origin.names(BRANCH) == ["README.md", "second", "src/header.css"]


async def test_what_a_person_took_out_after_a_partial_push_stays_out(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    await work(workspace, "1", "first")
    await workspace.push(confirm=confirm)
    await work(workspace, "2", "second")
    git("update-ref", f"refs/heads/{BRANCH}", "refs/heads/main", at=origin.path)

    await workspace.push(confirm=confirm)

    assert titles(origin) == ["Write 2", "by hand"]


async def test_a_conflict_with_a_person_names_the_files_and_keeps_the_commits(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    origin.person_pushes({"a": "1\n", "b": "1\n"}, branch=BRANCH, start="main")
    workspace = await open_workspace(job_id="job:7")
    (workspace.path / "b").write_text("ours\n")
    commit = await work(workspace, "ours\n", "a")
    head = origin.person_pushes({"a": "theirs\n", "b": "theirs\n"}, branch=BRANCH)

    with pytest.raises(MergeConflict) as caught:
        await workspace.push(confirm=confirm)

    assert caught.value.files == ("a", "b")
    assert not caught.value.is_retryable
    assert origin.head(BRANCH) == head
    kept = git("rev-parse", caught.value.kept, at=workspace.mirror.path)
    assert (caught.value.kept, kept) == ("refs/hotdesk/kept/job%3A7", commit)


async def test_a_branch_that_somebody_deleted_meanwhile_is_made_again(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    origin.person_pushes({"x": "1\n"}, branch=BRANCH, start="main")
    workspace = await open_workspace()
    commit = await work(workspace, "1")
    git("branch", "-D", BRANCH, at=origin.path)

    assert await workspace.push(confirm=confirm) == commit == origin.head(BRANCH)


async def test_a_branch_that_a_person_made_meanwhile_is_built_upon(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    await work(workspace, "1")
    origin.person_pushes({"mine": "1\n"}, branch=BRANCH, start="main")

    await workspace.push(confirm=confirm)

    assert titles(origin) == ["Write 1", "by hand", "by hand"]


async def test_a_workspace_takes_no_commit_after_others_moved_its_branch(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    await work(workspace, "1")
    origin.person_pushes({"mine": "1\n"}, branch=BRANCH, start="main")
    await workspace.push(confirm=confirm)

    with pytest.raises(AssertionError, match="open it again"):
        await work(workspace, "2")

    again = await open_workspace()
    assert (again.path / "mine").exists()
    assert (again.path / "work").exists()


# Origins that do not let us.


async def test_a_push_that_a_rule_of_the_origin_forbids_says_why_and_keeps_the_commits(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    origin.hook("pre-receive", "echo 'commits must be signed' >&2; exit 1")
    workspace = await open_workspace()
    commit = await work(workspace, "1")

    with pytest.raises(PushRefused, match="commits must be signed") as caught:
        await workspace.push(confirm=confirm)

    assert not caught.value.is_retryable
    assert git("rev-parse", caught.value.kept, at=workspace.mirror.path) == commit


async def test_a_takeover_that_a_rule_of_the_origin_forbids_says_why(
    origin: BareOrigin, workspaces: Workspaces
) -> None:
    origin.hook("pre-receive", "echo 'commits must be signed' >&2; exit 1")

    with pytest.raises(PushRefused, match="commits must be signed"):
        await workspaces.take_over(DESK, "t1", 2, now=NOW)


async def test_a_branch_that_moves_all_the_time_is_given_up_after_a_few_pushes(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    workspace = await open_workspace()
    commit = await work(workspace, "1")
    pushes = []

    async def somebody_is_faster() -> None:
        pushes.append(1)
        origin.person_pushes({f"x{len(pushes)}": "1\n"}, branch=BRANCH, start="main")

    with pytest.raises(PushRefused, match="4 times"):
        await workspace.push(confirm=somebody_is_faster)

    assert len(pushes) == 4
    assert git("rev-parse", kept_ref("job-1"), at=workspace.mirror.path) == commit


async def test_a_server_that_dies_in_the_middle_of_a_push_is_no_refusal(
    tmp_path: Path, origin: BareOrigin, workspaces: Workspaces, confirm: Confirm
) -> None:
    program = tmp_path / "receive-pack"
    program.write_text('#!/bin/sh\ngit-receive-pack "$@" < /dev/null\nhead -c 100 > /dev/null\n')
    program.chmod(0o755)
    config = (("remote.origin.receivepack", str(program)),)
    there = replace(workspaces, git=replace(workspaces.git, config=config))
    workspace = await there.open(DESK, "t1", 1, job_id="job-1", now=NOW)
    await work(workspace, "1")

    with pytest.raises(OriginUnreachable):
        await workspace.push(confirm=confirm)


async def test_commits_wait_in_the_mirror_while_the_origin_is_away_and_go_out_later(
    origin: BareOrigin, open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    commit = await work(workspace, "1")
    away = origin.path.rename(origin.path.with_name("away"))

    with pytest.raises(OriginUnreachable) as caught:
        await workspace.push(confirm=confirm)
    assert caught.value.is_given_back
    kept = kept_ref("job-1")
    assert git("rev-parse", kept, at=workspace.mirror.path) == commit

    away.rename(origin.path)
    await workspace.push(confirm=confirm)

    assert origin.head(BRANCH) == commit
    assert git("for-each-ref", kept, at=workspace.mirror.path) == ""


async def test_commits_that_cannot_be_pushed_outlive_the_machine_where_there_is_an_archive(
    tmp_path: Path, origin: BareOrigin, workspaces: Workspaces, confirm: Confirm
) -> None:
    archive = FolderArchive(tmp_path / "archive")
    there = replace(workspaces, archive=archive)
    workspace = await there.open(DESK, "t1", 1, job_id="job:7", now=NOW)
    commit = await work(workspace, "1")
    away = origin.path.rename(origin.path.with_name("away"))

    with pytest.raises(OriginUnreachable):
        await workspace.push(confirm=confirm)

    (key,) = await archive.keys("kept/")
    away.rename(origin.path)
    assert key == f"kept/{DESK.project}/job%3A7.bundle"
    git("fetch", str(tmp_path / "archive" / key), f"{kept_ref('job:7')}:back", at=origin.path)
    assert origin.head("back") == commit


async def test_an_archive_that_fails_does_not_hide_why_commits_were_kept(
    tmp_path: Path, origin: BareOrigin, workspaces: Workspaces, confirm: Confirm
) -> None:
    (tmp_path / "archive").write_text("a file where a folder should be")
    there = replace(workspaces, archive=FolderArchive(tmp_path / "archive"))
    workspace = await there.open(DESK, "t1", 1, job_id="job-1", now=NOW)
    await work(workspace, "1")
    origin.path.rename(origin.path.with_name("away"))

    with pytest.raises(OriginUnreachable):
        await workspace.push(confirm=confirm)
