"""The tree that will be committed, in a folder of its own: for commands that build it."""

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hotdesk.workspaces import TooMuchToCommit, Workspace, Workspaces
from hotdesk.workspaces import export as exporting
from tests.workspaces.conftest import DESK, NOW, Opens, work
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio
AGENT = 64999
AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user")


async def exported(
    workspaces: Workspaces, workspace: Workspace, folder: Path, uid: int | None = None
) -> Path:
    """Export what the agent left."""
    await workspaces.export(DESK, await workspace.tree(), folder, owner_uid=uid)
    return folder


def names(folder: Path) -> list[str]:
    """All that is in a folder, without the folders."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


async def test_what_is_exported_is_what_is_committed_afterwards(
    workspaces: Workspaces, open_workspace: Opens, tmp_path: Path
) -> None:
    workspace = await open_workspace()
    (workspace.path / "src/header.css").write_text("green\n")
    (workspace.path / "new").write_text("new\n")
    (workspace.path / "run").write_text("#!/bin/sh\n")
    (workspace.path / "run").chmod(0o755)
    (workspace.path / "README.md").unlink()

    tree = await workspace.tree()
    await workspaces.export(DESK, tree, tmp_path / "out")
    commit = await workspace.commit("all of it", now=NOW)

    assert names(tmp_path / "out") == ["new", "run", "src/header.css"]
    assert (tmp_path / "out/src/header.css").read_text() == "green\n"
    assert os.access(tmp_path / "out/run", os.X_OK)
    assert await workspaces.tree(DESK, commit.id) == tree


async def test_asking_for_the_tree_commits_nothing_and_forgets_nothing(
    open_workspace: Opens, confirm: Callable[[], Awaitable[object]], origin: BareOrigin
) -> None:
    workspace = await open_workspace()
    (workspace.path / "one").write_text("1")
    before = workspace.tip
    first = await workspace.tree()
    (workspace.path / "two").write_text("2")

    second = await workspace.tree()

    assert first != second
    assert workspace.tip == before
    await workspace.commit("both", now=NOW)
    await workspace.push(confirm=confirm)
    assert {"one", "two"} < set(origin.names("hotdesk/scott/t1"))


async def test_a_tree_that_nobody_changed_is_that_of_the_commit_that_was_found(
    workspaces: Workspaces, open_workspace: Opens
) -> None:
    workspace = await open_workspace()

    assert await workspace.tree() == await workspaces.tree(DESK, workspace.found)


async def test_ignored_files_and_what_is_in_the_git_folder_are_not_exported(
    workspaces: Workspaces, open_workspace: Opens, tmp_path: Path
) -> None:
    workspace = await open_workspace()
    (workspace.path / ".gitignore").write_text("dist\n")
    (workspace.path / "dist").mkdir()
    (workspace.path / "dist/old.js").write_text("stale")
    (workspace.path / ".git/hooks").mkdir()
    (workspace.path / ".git/hooks/post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (workspace.path / ".git/hooks/post-checkout").chmod(0o755)

    out = await exported(workspaces, workspace, tmp_path / "out")

    assert names(out) == [".gitignore", "README.md", "src/header.css"]
    assert not (tmp_path / "ran").exists()


async def test_no_filter_and_no_attribute_of_the_tree_is_applied(
    workspaces: Workspaces, open_workspace: Opens, tmp_path: Path
) -> None:
    workspace = await open_workspace()
    git("config", "filter.evil.smudge", f"touch {tmp_path}/ran; cat", at=workspace.path)
    (workspace.path / ".gitattributes").write_text(
        "*.txt filter=evil text eol=crlf\nREADME.md export-ignore\n$Id$ ident\n"
    )
    (workspace.path / "page.txt").write_text("a line\n")

    out = await exported(workspaces, workspace, tmp_path / "out")

    assert (out / "page.txt").read_bytes() == b"a line\n"
    assert (out / "README.md").exists()
    assert not (tmp_path / "ran").exists()


@AS_ROOT
async def test_links_stay_links_and_nothing_that_they_name_is_given_away(
    workspaces: Workspaces, open_workspace: Opens, passable: Path
) -> None:
    target = passable / "outside"
    target.mkdir()
    (target / "kept").write_text("mine")
    workspace = await open_workspace()
    (workspace.path / "out").symlink_to(target)
    (workspace.path / "file").symlink_to(target / "kept")
    (workspace.path / "a/b").mkdir(parents=True)
    (workspace.path / "a/b/c").write_text("deep")

    out = await exported(workspaces, workspace, passable / "export", AGENT)

    assert (out / "out").readlink() == target
    assert [path.lstat().st_uid for path in (out, out / "a", out / "a/b/c")] == [AGENT] * 3
    assert [path.stat().st_uid for path in (target, target / "kept")] == [0, 0]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


async def test_a_submodule_is_an_empty_folder(
    workspaces: Workspaces, open_workspace: Opens, origin: BareOrigin, tmp_path: Path
) -> None:
    git(
        "fast-import",
        "--quiet",
        "--force",
        at=origin.path,
        stdin=(
            f"commit refs/heads/main\ncommitter a <a@b> 0 +0000\ndata 0\nfrom {origin.head('main')}"
            f"\nM 160000 {'1' * 40} sub\n\n"
        ).encode(),
    )
    workspace = await open_workspace()

    out = await exported(workspaces, workspace, tmp_path / "out")

    assert (out / "sub").is_dir()
    assert names(out) == ["README.md", "src/header.css"]


async def test_a_tree_that_is_too_large_is_refused_before_it_is_written(
    workspaces: Workspaces,
    open_workspace: Opens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exporting, "EXPORT_BYTES_MAX", 1000)
    workspace = await open_workspace()
    await work(workspace, "x" * 2000)

    with pytest.raises(TooMuchToCommit, match="gitignore"):
        await exported(workspaces, workspace, tmp_path / "out")

    assert not (tmp_path / "out").exists()


async def test_a_folder_that_is_there_already_is_not_written_into(
    workspaces: Workspaces, open_workspace: Opens, tmp_path: Path
) -> None:
    workspace = await open_workspace()
    (tmp_path / "out").mkdir()

    with pytest.raises(Exception, match="File exists"):
        await exported(workspaces, workspace, tmp_path / "out")
