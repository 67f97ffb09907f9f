"""Opening a workspace: where a thread starts, what the agent finds, what stays from before."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from hotdesk.desks import Desk
from hotdesk.errors import ClaimLost, ConfigError, NotFound, Rejected
from hotdesk.workspaces import Confirm, Origin, OriginUnreachable, Repository, Workspaces
from tests.workspaces.conftest import DESK, NOW, Opens
from tests.workspaces.origins import BareOrigin, git, wipe

pytestmark = pytest.mark.anyio

# Tests run as root in containers and as a person on laptops, who can only give to themselves.
AGENT_UID = 65534 if os.geteuid() == 0 else os.geteuid()


def as_agent(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        user=AGENT_UID,
        group=AGENT_UID,
        extra_groups=[],
        env={"PATH": os.defpath, "GIT_CONFIG_GLOBAL": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )


async def test_a_new_thread_starts_at_the_head_of_the_origins_default_branch(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    workspace = await open_workspace()

    assert workspace.branch == "hotdesk/scott/t1"
    assert workspace.found == origin.head("main")
    assert (workspace.path / "src/header.css").read_text() == "red\n"


async def test_a_thread_with_a_branch_goes_on_at_its_head(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    head = origin.person_pushes({"x": "1\n"}, branch="hotdesk/scott/t1", start="main")

    workspace = await open_workspace()

    assert workspace.found == head
    assert (workspace.path / "x").read_text() == "1\n"


async def test_a_new_thread_starts_at_the_configured_base_branch(
    origin: BareOrigin, workspaces: Workspaces
) -> None:
    head = origin.person_pushes({"x": "next\n"}, branch="next", start="main")
    repository = Repository(origin=Origin.parse(origin.url), base="next")

    there = replace(workspaces, repositories={"amelia": repository})
    workspace = await there.open(DESK, "t1", 1, job_id="j", now=NOW)

    assert workspace.found == head


async def test_the_folder_and_the_branch_are_those_of_the_thread_and_the_generation(
    tmp_path: Path, open_workspace: Opens
) -> None:
    first = await open_workspace(1)
    second = await open_workspace(2)
    other = await open_workspace(2, thread="t2")

    clones = tmp_path / "root/amelia/clones/scott"
    assert [first.path, second.path, other.path] == [
        clones / "t1/1",
        clones / "t1/2",
        clones / "t2/2",
    ]


async def test_the_agents_git_finds_a_clean_clone_on_the_threads_branch(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    workspace = await open_workspace()

    assert git("status", "--porcelain", "--branch", at=workspace.path) == "## hotdesk/scott/t1"
    assert git("rev-parse", "HEAD", "origin/main", at=workspace.path).split() == (
        [origin.head("main")] * 2
    )
    git("commit", "--allow-empty", "-m", "the agent can commit", at=workspace.path)
    git("fsck", at=workspace.path)


async def test_files_that_the_repository_ignores_stay_for_the_next_job_and_others_go(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    origin.person_pushes({".gitignore": "built/\n"})
    first = await open_workspace()
    (first.path / "built").mkdir()
    (first.path / "built/cache").write_text("warm")
    (first.path / "stray").mkdir()
    (first.path / "stray/file").write_text("left over")
    (first.path / "README.md").write_text("not committed")
    git("init", "--quiet", "nested", at=first.path)
    git("add", "-A", at=first.path, check=False)

    second = await open_workspace(job_id="job-2")

    assert second.path == first.path
    assert (second.path / "built/cache").read_text() == "warm"
    assert not (second.path / "stray").exists()
    assert not (second.path / "nested").exists()
    assert (second.path / "README.md").read_text() == "hello\n"
    assert git("status", "--porcelain", at=second.path) == ""


async def test_files_that_did_not_change_are_not_written_anew_for_the_next_job(
    open_workspace: Opens, confirm: Confirm
) -> None:
    workspace = await open_workspace(owner_uid=AGENT_UID)

    def written() -> list[tuple[int, int]]:
        files = [workspace.path / "README.md", workspace.path / "src/header.css"]
        return [(found.st_ino, found.st_mtime_ns) for found in map(Path.stat, files)]

    found = written()
    workspace = await open_workspace(job_id="job-2", owner_uid=AGENT_UID)
    assert written() == found

    (workspace.path / "src/header.css").write_text("blue\n")
    changed = written()
    await workspace.commit("x", now=NOW)
    await workspace.push(confirm=confirm)
    await open_workspace(job_id="job-3", owner_uid=AGENT_UID)
    assert written() == changed


async def test_the_next_job_starts_from_what_people_pushed_meanwhile(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    origin.person_pushes({"x": "1\n"}, branch="hotdesk/scott/t1", start="main")
    await open_workspace()

    origin.person_pushes({"x": "2\n", "README.md": None}, branch="hotdesk/scott/t1")
    workspace = await open_workspace(job_id="job-2")

    assert (workspace.path / "x").read_text() == "2\n"
    assert not (workspace.path / "README.md").exists()


async def test_a_branch_that_was_deleted_at_the_origin_starts_again_at_the_base(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    origin.person_pushes({"x": "1\n"}, branch="hotdesk/scott/t1", start="main")
    await open_workspace()
    git("branch", "-D", "hotdesk/scott/t1", at=origin.path)

    workspace = await open_workspace(job_id="job-2")

    assert workspace.found == origin.head("main")
    assert not (workspace.path / "x").exists()


@pytest.mark.parametrize("ruin", ["links", "files", "nothing", "a broken index", "a linked root"])
async def test_a_clone_that_the_agent_ruined_is_whole_again_for_the_next_job(
    tmp_path: Path, open_workspace: Opens, ruin: str
) -> None:
    first = await open_workspace()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("mine")
    git("rm", "-rfq", "--cached", ".", at=first.path)
    wipe(first.path / ".git")
    wipe(first.path / "src")
    match ruin:
        case "links":
            (first.path / ".git").symlink_to(outside)
            (first.path / "src").symlink_to(outside)
        case "files":
            (first.path / ".git").write_text(f"gitdir: {outside}\n")
            (first.path / "src").write_text("file")
        case "nothing":
            wipe(first.path)
        case "a linked root":
            wipe(first.path)
            first.path.symlink_to(outside)
        case "a broken index":
            (first.room.state / "index").write_text("not an index")

    second = await open_workspace(job_id="job-2")

    assert git("status", "--porcelain", at=second.path) == ""
    assert (second.path / "src/header.css").read_text() == "red\n"
    assert [path.name for path in outside.iterdir()] == ["keep"]


async def test_a_clone_belongs_to_the_agents_user_and_what_the_worker_knows_does_not(
    open_workspace: Opens,
) -> None:
    workspace = await open_workspace(owner_uid=AGENT_UID)

    owners = {path.lstat().st_uid for path in [workspace.path, *workspace.path.rglob("*")]}
    assert owners == {AGENT_UID}
    assert {p.stat().st_uid for p in workspace.room.state.rglob("*")} <= {os.geteuid()}
    assert workspace.room.state.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_the_agents_user_can_work_in_the_clone_and_not_beside_it(
    passable: Path, workspaces: Workspaces
) -> None:
    umask = os.umask(0o077)
    there = replace(workspaces, root=passable / "root")
    workspace = await there.open(DESK, "t1", 1, job_id="j", now=NOW, owner_uid=AGENT_UID)
    os.umask(umask)

    here = workspace.path
    worked = as_agent(
        "git status --porcelain && echo 1 > file && git add . && git commit -mx", here
    )
    spied = as_agent(f"cat {workspace.room.index} || ls {workspace.room.project}", here)
    wrote = as_agent(f"touch {workspace.objects}/x || touch {workspace.path.parent}/x", here)

    assert worked.returncode == 0, worked.stderr
    assert spied.returncode != 0
    assert wrote.returncode != 0


async def test_no_name_of_a_person_or_a_thread_closes_the_way_to_a_clone(
    tmp_path: Path, workspaces: Workspaces
) -> None:
    repositories = {"state": workspaces.repositories["amelia"]}
    there = replace(workspaces, repositories=repositories)

    workspace = await there.open(Desk("state", "state"), "state", 1, job_id="j", now=NOW)

    above = [*workspace.path.relative_to(tmp_path).parents][:-1]
    assert [(tmp_path / folder).stat().st_mode & 0o777 for folder in above] == [0o711] * 5
    assert workspace.room.state.parents[2].name == "state"
    assert workspace.room.state.parents[1].stat().st_mode & 0o777 == 0o711


async def test_a_hard_link_to_a_file_of_somebody_else_is_not_given_to_the_agent(
    tmp_path: Path, open_workspace: Opens
) -> None:
    first = await open_workspace(owner_uid=AGENT_UID)
    (tmp_path / "secret").write_text("hello\n")
    (first.path / "README.md").unlink()
    (first.path / "README.md").hardlink_to(tmp_path / "secret")
    # Committing finds the content unchanged, so nothing writes the file anew.
    (first.path / "x").write_text("1")
    await first.commit("x", now=NOW)

    await open_workspace(job_id="job-2", owner_uid=AGENT_UID)

    assert (tmp_path / "secret").stat().st_uid == os.geteuid()
    assert (tmp_path / "secret").read_text() == "hello\n"


async def test_an_origin_that_cannot_be_reached_gives_the_attempt_back(
    tmp_path: Path, workspaces: Workspaces
) -> None:
    repository = Repository(origin=Origin.parse(f"file://{tmp_path}/nowhere.git"))
    nowhere = replace(workspaces, repositories={"amelia": repository})

    with pytest.raises(OriginUnreachable) as caught:
        await nowhere.open(DESK, "t1", 1, job_id="j", now=NOW)

    assert caught.value.is_given_back


async def test_an_origin_without_a_commit_is_named_as_empty(
    tmp_path: Path, workspaces: Workspaces
) -> None:
    empty = BareOrigin.make(tmp_path / "empty.git")
    repository = Repository(origin=Origin.parse(empty.url))

    with pytest.raises(ConfigError, match=r"projects\.amelia\.origin: the repository is empty"):
        await replace(workspaces, repositories={"amelia": repository}).open(
            DESK, "t1", 1, job_id="j", now=NOW
        )


async def test_a_base_branch_that_does_not_exist_is_named(
    origin: BareOrigin, workspaces: Workspaces
) -> None:
    repository = Repository(origin=Origin.parse(origin.url), base="trunk")

    with pytest.raises(ConfigError, match=r"projects\.amelia\.base: .* no branch 'trunk'"):
        await replace(workspaces, repositories={"amelia": repository}).open(
            DESK, "t1", 1, job_id="j", now=NOW
        )


async def test_a_head_of_the_origin_that_names_no_branch_asks_for_a_base(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    git("symbolic-ref", "HEAD", "refs/heads/gone", at=origin.path)

    with pytest.raises(ConfigError, match=r"projects\.amelia\.base"):
        await open_workspace()


async def test_a_worker_whose_desk_has_a_later_generation_cannot_open_its_thread(
    origin: BareOrigin, workspaces: Workspaces, open_workspace: Opens
) -> None:
    await workspaces.take_over(DESK, "t1", 7, now=NOW)

    with pytest.raises(ClaimLost):
        await open_workspace(6)

    assert (await open_workspace(7)).found == origin.head("hotdesk/scott/t1")


async def test_a_project_without_a_repository_is_not_found(workspaces: Workspaces) -> None:
    with pytest.raises(NotFound):
        await replace(workspaces, repositories={}).open(DESK, "t1", 1, job_id="j", now=NOW)


@pytest.mark.parametrize("thread", ["..", "a/b", "A", "", "x.lock", "a..b", "-x", "x\n", "."])
async def test_a_thread_that_cannot_be_a_folder_is_refused(
    tmp_path: Path, open_workspace: Opens, thread: str
) -> None:
    with pytest.raises(Rejected):
        await open_workspace(thread=thread)

    assert not (tmp_path / "root").exists()


async def test_workspaces_of_many_threads_open_at_once_from_one_mirror(
    tmp_path: Path, workspaces: Workspaces
) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(6):

            async def open_one(thread: str) -> None:
                # A value of its own, as another worker process has: only the files are shared.
                await replace(workspaces).open(DESK, thread, 1, job_id="j", now=NOW)

            tasks.start_soon(open_one, f"t{number}")

    assert sorted(path.name for path in (tmp_path / "root/amelia").iterdir()) == (
        ["clones", "mirror.git", "mirror.lock", "state", "trash"]
    )
    assert len([*(tmp_path / "root/amelia/clones/scott").iterdir()]) == 6
