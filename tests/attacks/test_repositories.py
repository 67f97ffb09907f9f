"""Repositories that attack whoever checks them out.

Hooks, filters and the like are tested with the workspaces; docs/security.md has the table.
"""

from contextlib import suppress
from pathlib import Path

import pytest

from hotdesk.workspaces import Confirm, GitFailed
from tests.workspaces.conftest import NOW, Opens
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio


def found(folder: Path, name: str) -> list[Path]:
    return [*folder.rglob(name)]


def entry(mode: str, name: bytes, object_id: str) -> bytes:
    return mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)


def plant(origin: BareOrigin, *entries: tuple[str, bytes, str]) -> None:
    """Put a commit on ``main`` whose tree no git would make: each entry is mode, name, id."""
    person = "a <a@b> 1700000000 +0000"
    text = f"tree {tree(origin, *entries)}\nauthor {person}\ncommitter {person}\n\nx\n"
    command = ["hash-object", "-w", "--stdin", "-t", "commit"]
    commit = git(*command, at=origin.path, stdin=text.encode())
    git("update-ref", "refs/heads/main", commit, at=origin.path)


def blob(origin: BareOrigin, text: str) -> str:
    return git("hash-object", "-w", "--stdin", at=origin.path, stdin=text.encode())


def tree(origin: BareOrigin, *entries: tuple[str, bytes, str]) -> str:
    data = b"".join(entry(*each) for each in entries)
    command = ["hash-object", "-w", "--stdin", "--literally", "-t", "tree"]
    return git(*command, at=origin.path, stdin=data)


@pytest.mark.parametrize(
    "name",
    [
        *(b".git", b".GIT", b".Git", b"git~1", b".git.", b".git ", b".git::$INDEX_ALLOCATION"),
        *(b"..", b".", b"a/../../outside"),
    ],
)
async def test_a_tree_that_names_what_is_not_its_own_is_not_checked_out(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens, name: bytes
) -> None:
    hook = blob(origin, f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    hooks = tree(origin, ("100755", b"post-checkout", hook))
    plant(origin, ("40000", name, tree(origin, ("40000", b"hooks", hooks))))

    with pytest.raises(GitFailed):
        await open_workspace()

    assert not found(tmp_path, "post-checkout")
    assert not (tmp_path / "sprung").exists()


async def test_a_link_and_a_file_below_it_in_one_tree_lead_nowhere(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link, text = blob(origin, str(outside)), blob(origin, "written")
    # Two entries of one name: a link out of the tree, and a folder with a file in it.
    plant(
        origin,
        ("120000", b"a", link),
        ("40000", b"a", tree(origin, ("100644", b"file", text))),
    )

    with suppress(GitFailed):
        await open_workspace()

    assert [*outside.iterdir()] == []


async def test_a_link_that_becomes_a_folder_in_a_later_commit_is_not_written_through(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    origin.person_pushes({"a": str(outside), "b": "../../../outside"}, mode="120000")
    first = await open_workspace()
    links = [str((first.path / name).readlink()) for name in ("a", "b")]
    origin.person_pushes({"a": None, "b": None})
    origin.person_pushes({"a/file": "written", "b/file": "written"})

    second = await open_workspace(job_id="job-2")

    assert links == [str(outside), "../../../outside"]
    assert (second.path / "a/file").read_text() == "written"
    assert [*outside.iterdir()] == []


@pytest.mark.parametrize("name", ["--upload-pack=touch sprung", "-rf", "--help", "-c", "--"])
async def test_a_file_that_is_named_like_an_option_is_a_file(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens, confirm: Confirm, name: str
) -> None:
    origin.person_pushes({name: "1\n", f"{name}/x" if name == "--" else "x": "1\n"})
    workspace = await open_workspace()
    present = (workspace.path / name).exists()
    (workspace.path / "y").write_text("1")
    await workspace.commit("x", now=NOW)
    await workspace.changes()
    await workspace.push(confirm=confirm)

    await open_workspace(job_id="job-2")

    assert present
    assert "y" in origin.names("hotdesk/scott/t1")
    assert not found(tmp_path, "sprung")


async def test_no_submodule_is_fetched_from_wherever_a_repository_says(
    tmp_path: Path, origin: BareOrigin, open_workspace: Opens
) -> None:
    other = BareOrigin.make(tmp_path / "other.git")
    secret = other.person_pushes({"secret": "of another project"})
    modules = "".join(
        f'[submodule "{name}"]\n\tpath = {name}\n\turl = {url}\n\tupdate = !touch sprung\n'
        for name, url in (("a", "../other.git"), ("b", f"ext::sh -c 'touch {tmp_path}/sprung'"))
    )
    modules += '[submodule "../../x"]\n\tpath = c\n\turl = -u./x\n'
    plant(
        origin,
        ("100644", b".gitmodules", blob(origin, modules)),
        *(("160000", name, secret) for name in (b"a", b"b", b"c")),
    )

    workspace = await open_workspace()

    assert found(workspace.path, "secret") == []
    assert not found(tmp_path, "sprung")
