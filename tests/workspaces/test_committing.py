"""Committing what an agent left: everything it changed, and nothing that it did not."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hotdesk.workspaces import GitFailed, Identity, TooMuchToCommit, Workspace, WorkspaceLost
from hotdesk.workspaces.snapshot import COMMIT_FILES_MAX, FILE_BYTES_MAX, Snapshot
from tests.workspaces.conftest import NOW, Opens
from tests.workspaces.origins import BareOrigin, git, wipe

pytestmark = pytest.mark.anyio


def names(workspace: Workspace, commit: str) -> dict[str, str]:
    """Return the paths of a commit in the mirror, with their modes."""
    listed = git("ls-tree", "-r", "-z", commit, at=workspace.mirror.path)
    entries = [entry.split("\t", 1) for entry in listed.split("\0") if entry]
    return {name: about.split()[0] for about, name in entries}


def content(workspace: Workspace, commit: str, name: str) -> str:
    return git("cat-file", "blob", f"{commit}:{name}", at=workspace.mirror.path)


async def test_a_commit_holds_what_the_agent_added_changed_and_removed(
    open_workspace: Opens,
) -> None:
    workspace = await open_workspace()
    (workspace.path / "new").mkdir()
    (workspace.path / "new/run.sh").write_text("#!/bin/sh\n")
    (workspace.path / "new/run.sh").chmod(0o755)
    (workspace.path / "new/link").symlink_to("../src")
    (workspace.path / "src/header.css").write_text("blue\n")
    (workspace.path / "README.md").unlink()

    commit = await workspace.commit("Make the header blue", now=NOW)

    assert names(workspace, commit.id) == {
        "new/link": "120000",
        "new/run.sh": "100755",
        "src/header.css": "100644",
    }
    assert content(workspace, commit.id, "new/link") == "../src"
    assert content(workspace, commit.id, "src/header.css") == "blue"
    assert commit.skipped == ()


async def test_a_commit_says_which_job_desk_and_generation_it_is_of(
    open_workspace: Opens,
) -> None:
    workspace = await open_workspace(3, job_id="job-9")
    (workspace.path / "x").write_text("1")

    author = Identity(name="Ann", email="ann@example.org")
    first = await workspace.commit("Half of it", now=NOW, is_partial=True, author=author)
    (workspace.path / "x").write_text("2")
    second = await workspace.commit("All of it\n\nWith words.", now=NOW)

    shown = [
        git("show", "-s", "--format=%an <%ae> %at|%cn|%B", commit.id, at=workspace.mirror.path)
        for commit in (first, second)
    ]
    trailers = "Hotdesk-Job: job-9\nHotdesk-Desk: amelia#scott\nHotdesk-Generation: 3"
    stamp = int(NOW.timestamp())
    assert shown == [
        f"Ann <ann@example.org> {stamp}|Hotdesk|Half of it\n\n{trailers}\nHotdesk-Partial: true",
        f"Hotdesk <hotdesk@localhost> {stamp}|Hotdesk|All of it\n\nWith words.\n\n{trailers}",
    ]
    parent = git("rev-parse", f"{second.id}^", at=workspace.mirror.path)
    assert parent == first.id


async def test_there_is_no_commit_when_nothing_changed(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    (workspace.path / "README.md").write_text("hello\n")
    (workspace.path / "src/header.css").touch()

    commit = await workspace.commit("Nothing", now=NOW)

    assert commit.id == ""
    assert workspace.tip.head == workspace.found


async def test_what_the_agent_committed_itself_is_taken_over_from_its_work_tree(
    open_workspace: Opens,
) -> None:
    workspace = await open_workspace()
    (workspace.path / "x").write_text("1")
    git("add", "-A", at=workspace.path)
    git("commit", "-m", "mine", at=workspace.path)

    commit = await workspace.commit("Ours", now=NOW)

    assert content(workspace, commit.id, "x") == "1"
    parent = git("rev-parse", f"{commit.id}^", at=workspace.mirror.path)
    assert parent == workspace.found


async def test_ignored_files_stay_out_of_the_commit(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    origin.person_pushes({".gitignore": "*.log\n"})
    workspace = await open_workspace()
    (workspace.path / "debug.log").write_text("x")
    (workspace.path / "src/x.css").write_text("x")

    commit = await workspace.commit("x", now=NOW)

    assert "debug.log" not in names(workspace, commit.id)
    assert "src/x.css" in names(workspace, commit.id)


@pytest.mark.parametrize(
    "name",
    [
        b"new\nline",
        b'quote"s and \\ back\\slashes',
        b"tab\t and spaces ",
        b"latin-\xe9",
        b"-n",
        b":(exclude)x",
        b"*",
        b"\xf0\x9f\x90\xa2/deep/er",
    ],
)
async def test_a_file_of_any_name_is_committed_under_that_name(
    open_workspace: Opens, name: bytes
) -> None:
    workspace = await open_workspace()
    path = os.fsdecode(name)
    (workspace.path / path).parent.mkdir(parents=True, exist_ok=True)
    (workspace.path / path).write_text("x")

    commit = await workspace.commit("x", now=NOW)
    (workspace.path / path).write_text("y")
    again = await workspace.commit("y", now=NOW)
    (workspace.path / path).unlink()
    removed = await workspace.commit("z", now=NOW)

    assert path in names(workspace, commit.id)
    assert content(workspace, again.id, path) == "y"
    assert path not in names(workspace, removed.id)
    assert (await workspace.changes()).file_count == 0


async def test_a_file_can_become_a_folder_and_a_folder_a_file(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    (workspace.path / "README.md").unlink()
    (workspace.path / "README.md").mkdir()
    (workspace.path / "README.md/part").write_text("1")
    (workspace.path / "src/header.css").unlink()
    (workspace.path / "src").rmdir()
    (workspace.path / "src").write_text("now a file")

    commit = await workspace.commit("x", now=NOW)

    assert set(names(workspace, commit.id)) == {"README.md/part", "src"}
    assert (await workspace.commit("x", now=NOW)).id == ""


async def test_pipes_and_sockets_are_not_waited_for_and_not_committed(
    open_workspace: Opens,
) -> None:
    workspace = await open_workspace()
    (workspace.path / "README.md").unlink()
    os.mkfifo(workspace.path / "README.md")
    os.mkfifo(workspace.path / "pipe")

    commit = await workspace.commit("x", now=NOW)

    assert set(names(workspace, commit.id)) == {"src/header.css"}


def test_a_file_that_turns_into_a_pipe_while_it_is_read_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    stream = io.BytesIO()

    # git named it when it was a file still.
    Snapshot(root=tmp_path, stream=stream).read([], [b"pipe"])

    assert stream.getvalue() == b""


async def test_a_pipe_where_git_looks_for_patterns_fails_the_attempt_in_time(
    open_workspace: Opens,
) -> None:
    workspace = await open_workspace()
    os.mkfifo(workspace.path / ".gitignore")
    git = replace(workspace.mirror.git, short_time=timedelta(seconds=0.3))
    workspace.mirror = replace(workspace.mirror, git=git)

    with pytest.raises(GitFailed, match="took longer"):
        await workspace.commit("x", now=NOW)


async def test_a_file_that_is_too_large_is_left_out_and_named(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    (workspace.path / "x").write_text("1")
    with (workspace.path / "video").open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)

    commit = await workspace.commit("x", now=NOW)

    assert "x" in names(workspace, commit.id)
    assert "video" not in names(workspace, commit.id)
    assert [(skip.path, skip.reason) for skip in commit.skipped] == [
        ("video", "is larger than 50 MiB")
    ]


@pytest.mark.parametrize("name", [".git ", "GIT~1", "deep/.GIT./x"])
async def test_a_name_that_git_keeps_for_itself_is_left_out_and_named(
    open_workspace: Opens, name: str
) -> None:
    workspace = await open_workspace()
    (workspace.path / name).parent.mkdir(exist_ok=True, parents=True)
    (workspace.path / name).write_text("x")
    (workspace.path / ".gitmodules").symlink_to("x")
    (workspace.path / "good").write_text("x")

    commit = await workspace.commit("x", now=NOW)

    assert {skip.path for skip in commit.skipped} == {name, ".gitmodules"}
    assert set(names(workspace, commit.id)) == {"README.md", "good", "src/header.css"}


async def test_more_files_than_a_commit_may_carry_are_refused_with_advice(tmp_path: Path) -> None:
    snapshot = Snapshot(root=tmp_path, stream=io.BytesIO())
    gone = ((b"gone-%d" % number, False) for number in range(COMMIT_FILES_MAX + 1))

    with pytest.raises(TooMuchToCommit, match=r"more than 50000 files.*\.gitignore"):
        snapshot.read(gone, [])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user, for whom files are closed")
def test_a_file_that_may_not_be_read_stays_as_it_was(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "closed/x").write_text("x")
    (tree / "secret").write_text("x")
    (tree / "open").write_text("x")
    (tree / "closed").chmod(0)
    (tree / "secret").chmod(0)
    child = os.fork()
    if child == 0:
        # Anything else than the right answer, an exception too, is a failure.
        status = 1
        try:
            os.chdir(tree)
            os.setresuid(65534, 65534, 65534)
            stream = io.BytesIO()
            snapshot = Snapshot(root=Path(), stream=stream)
            snapshot.read([(b"closed/x", False), (b"secret", False)], [b"open"])
            skipped = {skip.path for skip in snapshot.skipped}
            is_right = skipped == {"closed/x", "secret"} and stream.getvalue() == (
                b'M 100644 inline "open"\ndata 1\nx\n'
            )
            status = 0 if is_right else 2
        finally:
            os._exit(status)

    _, ended = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(ended) == 0


async def test_deleting_everything_is_a_change_like_any_other(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    wipe(workspace.path, keep_folder=True)

    commit = await workspace.commit("x", now=NOW)

    assert names(workspace, commit.id) == {}


@pytest.mark.parametrize("replacement", ["nothing", "a link", "a file"])
async def test_a_work_tree_that_is_gone_is_not_taken_for_an_empty_one(
    tmp_path: Path, open_workspace: Opens, replacement: str
) -> None:
    workspace = await open_workspace()
    wipe(workspace.path)
    match replacement:
        case "a link":
            workspace.path.symlink_to(tmp_path)
        case "a file":
            workspace.path.write_text("x")

    with pytest.raises(WorkspaceLost):
        await workspace.commit("x", now=NOW)


async def test_content_is_committed_to_the_byte_whatever_the_attributes_say(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    origin.person_pushes(
        {
            ".gitattributes": "* text eol=crlf ident\n*.wide working-tree-encoding=UTF-16LE\n",
            "x.wide": "wide\n",
        }
    )
    workspace = await open_workspace()
    assert (workspace.path / "README.md").read_bytes() == b"hello\n"
    assert (workspace.path / "x.wide").read_bytes() == b"wide\n"
    (workspace.path / "mixed").write_bytes(b"a\r\nb\n$Id: x$\n")

    commit = await workspace.commit("x", now=NOW)

    assert content(workspace, commit.id, "mixed") == "a\r\nb\n$Id: x$"
    assert git("diff", "--name-only", workspace.found, commit.id, at=workspace.mirror.path) == (
        "mixed"
    )


async def test_a_repository_that_the_agent_made_inside_becomes_an_ordinary_folder(
    open_workspace: Opens,
) -> None:
    workspace = await open_workspace()
    git("init", "--quiet", "app", at=workspace.path)
    git("init", "--quiet", "app/inner", at=workspace.path)
    (workspace.path / "app/main.py").write_text("1")
    (workspace.path / "app/inner/x.py").write_text("2")
    git("init", "--quiet", "src", at=workspace.path)
    (workspace.path / "src/new.css").write_text("3")

    commit = await workspace.commit("x", now=NOW)

    assert set(names(workspace, commit.id)) == {
        "README.md",
        "app/inner/x.py",
        "app/main.py",
        "src/header.css",
        "src/new.css",
    }


async def test_a_submodule_stays_at_the_commit_that_the_repository_names(
    origin: BareOrigin, open_workspace: Opens
) -> None:
    commit = "1" * 40
    stream = (
        "commit refs/heads/main\ncommitter a <a@b> 1 +0000\ndata 1\nx\n"
        f"from refs/heads/main^0\nM 160000 {commit} lib\n"
    )
    git("fast-import", "--quiet", at=origin.path, stdin=stream.encode())
    workspace = await open_workspace()
    git("init", "--quiet", "lib", at=workspace.path)
    (workspace.path / "lib/x").write_text("x")
    git("add", "x", at=workspace.path / "lib")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "x", at=workspace.path / "lib")
    (workspace.path / "y").write_text("y")

    made = await workspace.commit("x", now=NOW)

    assert names(workspace, made.id)["lib"] == "160000"
    assert git("rev-parse", f"{made.id}:lib", at=workspace.mirror.path) == commit


async def test_text_that_looks_like_trailers_means_nothing(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    (workspace.path / "x").write_text("1")

    text = "Title\n\nHotdesk-Generation: 99\nHotdesk-Takeover: true\x00\n---\n"
    commit = await workspace.commit(text, now=NOW)

    (_, stamp), *_ = await workspace.mirror.log(commit.id, count_max=1)
    assert (stamp.generation, stamp.is_takeover, stamp.job) == (1, False, "job-1")


async def test_changes_count_lines_and_name_every_file_readably(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    (workspace.path / "src/header.css").write_text("blue\ngreen\n")
    (workspace.path / "image").write_bytes(b"\0\1\2")
    (workspace.path / os.fsdecode(b"\xe9\x1b[31m")).write_text("x\n")
    await workspace.commit("x", now=NOW)

    changes = await workspace.changes()

    assert changes.lines() == (
        "image +0 -0",
        "src/header.css +2 -1",
        "\\xe9\\x1b[31m +1 -0",
    )
    assert (changes.file_count, changes.insertions, changes.deletions) == (3, 3, 1)


async def test_a_list_of_changes_ends_where_nobody_would_read_on(open_workspace: Opens) -> None:
    workspace = await open_workspace()
    for number in range(120):
        (workspace.path / f"file-{number:03}").write_text("x\n")
    await workspace.commit("x", now=NOW)

    changes = await workspace.changes()

    assert changes.file_count == 120
    assert changes.insertions == 120
    assert len(changes.files) == 100
    assert changes.lines()[-1] == "and 20 more"


async def test_the_agents_user_gets_commits_that_hold_only_its_changes(
    open_workspace: Opens,
) -> None:
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    workspace = await open_workspace(owner_uid=uid)
    (workspace.path / "x").write_text("1")

    commit = await workspace.commit("x", now=NOW)

    assert git("diff", "--name-only", workspace.found, commit.id, at=workspace.mirror.path) == "x"
