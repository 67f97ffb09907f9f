"""Nothing that stands in a repository or in a clone runs in the worker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotdesk.workspaces import Confirm, Origin, OriginUnreachable, Repository, Workspace, Workspaces
from hotdesk.workspaces.snapshot import Snapshot
from tests.workspaces.conftest import DESK, NOW, Opens
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio


HOOKS = (
    "applypatch-msg commit-msg fsmonitor-watchman post-applypatch post-checkout post-commit "
    "post-index-change post-merge post-rewrite pre-applypatch pre-auto-gc pre-commit "
    "pre-merge-commit pre-push pre-rebase prepare-commit-msg proc-receive push-to-checkout "
    "reference-transaction sendemail-validate update"
).split()


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Return a program that leaves ``sprung`` beside it when it runs."""
    program = tmp_path / "trap"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/sprung\ncat\n')
    program.chmod(0o755)
    return program


def lay_traps(git_dir: Path, trap: Path) -> None:
    """Make everything that git can be told to run in *git_dir* run the trap."""
    (git_dir / "hooks").mkdir(exist_ok=True)
    for hook in HOOKS:
        (git_dir / "hooks" / hook).unlink(missing_ok=True)
        (git_dir / "hooks" / hook).symlink_to(trap)
    evil = git_dir / "evil.config"
    evil.write_text(f"[core]\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n")
    with (git_dir / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {trap}\n\tpager = {trap}\n\teditor = {trap}\n"
            f"\talternateRefsCommand = {trap}\n\tgitProxy = {trap}\n\taskPass = {trap}\n"
            f'[filter "evil"]\n\tclean = {trap}\n\tsmudge = {trap}\n\tprocess = {trap}\n'
            f'[diff "evil"]\n\tcommand = {trap}\n\ttextconv = {trap}\n'
            f'[merge "evil"]\n\tdriver = {trap}\n'
            f"[diff]\n\texternal = {trap}\n[credential]\n\thelper = !{trap}\n"
            f"[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgSign = true\n"
            f"[uploadpack]\n\tpackObjectsHook = {trap}\n"
            f'[remote "origin"]\n\turl = ext::{trap}\n\treceivepack = {trap}\n'
            f"\tuploadpack = {trap}\n"
            f'[include]\n\tpath = {evil}\n[includeIf "gitdir:/"]\n\tpath = {evil}\n'
        )


async def go_through(workspace: Workspace, confirm: Confirm) -> None:
    """Do everything that a worker does with a workspace."""
    for text in ("1", "2"):
        (workspace.path / "src/header.css").write_text(text)
        (workspace.path / f"new-{text}").write_text(text)
        assert (await workspace.commit("x", now=NOW)).id
        await workspace.changes()
        await workspace.push(confirm=confirm)


async def test_what_the_agent_put_into_its_git_folder_never_runs(
    tmp_path: Path, open_workspace: Opens, trap: Path, confirm: Confirm
) -> None:
    workspace = await open_workspace()
    (workspace.path / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    lay_traps(workspace.path / ".git", trap)

    await go_through(workspace, confirm)
    await open_workspace(job_id="job-2")

    assert not (tmp_path / "sprung").exists()


async def test_the_traps_of_these_tests_do_work(
    tmp_path: Path, open_workspace: Opens, trap: Path
) -> None:
    workspace = await open_workspace()
    (workspace.path / ".gitattributes").write_text("* filter=evil\n")
    lay_traps(workspace.path / ".git", trap)

    git("status", at=workspace.path, check=False)
    git("add", "-A", at=workspace.path, check=False)

    sprung = (tmp_path / "sprung").read_text()
    assert "post-index-change" in sprung
    assert len(sprung.splitlines()) > 3


async def test_a_repository_inside_the_work_tree_is_not_asked_anything(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens, trap: Path, confirm: Confirm
) -> None:
    stream = (
        "commit refs/heads/main\ncommitter a <a@b> 1 +0000\ndata 1\nx\n"
        f"from refs/heads/main^0\nM 160000 {'1' * 40} lib\n"
    )
    git("fast-import", "--quiet", at=origin.path, stdin=stream.encode())
    workspace = await open_workspace()
    for folder in ("lib", "own"):
        git("init", "--quiet", folder, at=workspace.path)
        (workspace.path / folder / "x").write_text("x")
        (workspace.path / folder / ".gitattributes").write_text("* filter=evil\n")
        git("add", "-A", at=workspace.path / folder)
        git(
            "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-mx", at=workspace.path / folder
        )
        (workspace.path / folder / "x").write_text("changed")
        lay_traps(workspace.path / folder / ".git", trap)

    await go_through(workspace, confirm)
    (workspace.path / ".gitmodules").write_text(
        '[submodule "lib"]\n\tpath = lib\n\turl = ext::sh\n\tupdate = !touch x\n'
    )
    await open_workspace(job_id="job-2")

    assert not (tmp_path / "sprung").exists()


async def test_attributes_and_modules_that_the_origin_ships_run_nothing(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens, trap: Path, confirm: Confirm
) -> None:
    origin.person_pushes(
        {
            ".gitattributes": "* filter=evil diff=evil merge=evil\n",
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch\n',
            ".gitconfig": f"[core]\n\tfsmonitor = {trap}\n",
        }
    )
    workspace = await open_workspace()
    # A person moves the branch as well, so that trees are merged.
    origin.person_pushes({"other": "1\n"}, branch="hotdesk/scott/t1", start="main")

    (workspace.path / "x").write_text("1")
    await workspace.commit("x", now=NOW)
    await workspace.push(confirm=confirm)

    assert origin.names("hotdesk/scott/t1").count("other") == 1
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kind", ["a link to a git folder", "a file that names one", "bare"])
async def test_a_git_folder_elsewhere_that_the_agent_points_to_is_not_used(
    tmp_path: Path, open_workspace: Opens, trap: Path, confirm: Confirm, kind: str
) -> None:
    workspace = await open_workspace()
    evil = tmp_path / "evil"
    git("init", "--quiet", evil, at=tmp_path)
    lay_traps(evil / ".git", trap)
    (workspace.path / ".git").rename(tmp_path / "was.git")
    match kind:
        case "a link to a git folder":
            (workspace.path / ".git").symlink_to(evil / ".git")
        case "a file that names one":
            (workspace.path / ".git").write_text(f"gitdir: {evil / '.git'}\n")
        case "bare":
            # A work tree that is itself a bare repository.
            for name in ("HEAD", "config", "hooks", "objects", "refs"):
                (evil / ".git" / name).rename(workspace.path / name)

    await go_through(workspace, confirm)
    await open_workspace(job_id="job-2")

    assert not (tmp_path / "sprung").exists()


async def test_what_a_link_in_the_work_tree_points_to_is_not_published(
    tmp_path: Path, open_workspace: Opens
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "header.css").write_text("the password")
    workspace = await open_workspace()
    (workspace.path / "src/header.css").unlink()
    (workspace.path / "src").rmdir()
    (workspace.path / "src").symlink_to(secrets)
    (workspace.path / "README.md").unlink()
    (workspace.path / "README.md").symlink_to(secrets / "header.css")

    commit = await workspace.commit("x", now=NOW)

    listed = git(
        "ls-tree", "-r", "--format=%(objectmode) %(path)", commit.id, at=workspace.mirror.path
    )
    assert listed.splitlines() == ["120000 README.md", "120000 src"]
    everything = git("cat-file", "--batch-all-objects", "--batch", at=workspace.mirror.path)
    assert "the password" not in everything


async def test_a_folder_that_turns_into_a_link_while_it_is_read_is_not_followed(
    tmp_path: Path,
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "file").write_text("the password")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "folder").symlink_to(secrets)
    with (tmp_path / "stream").open("w+b") as stream:
        snapshot = Snapshot(root=tree, stream=stream)

        # git named it when `folder` was a folder still.
        snapshot.read([], [b"folder/file"])

        stream.seek(0)
        assert stream.read() == b""
    assert [skip.path for skip in snapshot.skipped] == ["folder/file"]


async def test_settings_of_the_machine_and_of_the_user_are_not_read(
    tmp_path: Path,
    workspaces: Workspaces,
    trap: Path,
    confirm: Confirm,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[core]\n\tfsmonitor = {trap}\n\thooksPath = {home}\n[fetch]\n\tprune = {trap}\n"
    )
    for hook in HOOKS:
        (home / hook).symlink_to(trap)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap))
    monkeypatch.setenv("GIT_DIR", os.devnull)

    workspace = await workspaces.open(DESK, "t1", 1, job_id="job-1", now=NOW)
    await go_through(workspace, confirm)

    assert not (tmp_path / "sprung").exists()


async def test_a_protocol_that_is_not_allowed_is_not_spoken(
    tmp_path: Path, origin: BareOrigin, trap: Path
) -> None:
    there = Workspaces(
        root=tmp_path / "root",
        repositories={"amelia": Repository(origin=Origin(url=f"ext::{trap}"))},
    )

    with pytest.raises(OriginUnreachable, match="not allowed"):
        await there.open(DESK, "t1", 1, job_id="j", now=NOW)

    assert not (tmp_path / "sprung").exists()
