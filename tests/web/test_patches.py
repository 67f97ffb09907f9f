"""What jobs changed, read out of real repositories."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, Result
from hotdesk.web import patches as patches_module
from hotdesk.web.patches import Patches
from hotdesk.workspaces import Git, Origin, Repository, Workspaces
from hotdesk.workspaces import patch as patching
from tests.workspaces.origins import BareOrigin

pytestmark = [pytest.mark.anyio, pytest.mark.needs("git")]

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
DESK = Desk("amelia", "scott")
ATTRIBUTES = "* diff=evil\n*.txt -diff\n"


def a_job(commit: str = "", partial_commit: str = "") -> Job:
    return Job(
        id="j",
        desk=DESK,
        thread="t1",
        instruction="blue",
        interrupt=InterruptPolicy.DESK,
        state=JobState.SUCCEEDED,
        order=1,
        place=1,
        send=1,
        attempt=1,
        preemptions=0,
        given_back=0,
        submitted_at=NOW,
        result=Result(commit=commit),
        partial_commit=partial_commit,
    )


@pytest.fixture
def origin(tmp_path: Path) -> BareOrigin:
    made = BareOrigin.make(tmp_path / "origin.git")
    made.person_pushes({"README.md": "hello\n", "notes.txt": "one\n"})
    return made


@pytest.fixture
def workspaces(tmp_path: Path, origin: BareOrigin) -> Workspaces:
    return Workspaces(
        root=tmp_path / "root",
        repositories={"amelia": Repository(origin=Origin.parse(origin.url))},
    )


async def commit(workspaces: Workspaces, files: dict[str, str]) -> str:
    workspace = await workspaces.open(DESK, "t1", 1, job_id="j", now=NOW)
    for name, content in files.items():
        (workspace.path / name).write_text(content)
    return (await workspace.commit("Work", now=NOW)).id


async def test_a_job_shows_the_files_of_its_commit_with_their_lines(
    workspaces: Workspaces,
) -> None:
    made = await commit(workspaces, {"README.md": "hello\nworld\n", "ä.py": "x = 1\n"})

    found = await Patches(workspaces).of(a_job(made))

    assert found is not None
    assert (found.commit, found.is_partial, found.why) == (made, False, "")
    assert found.diff is not None
    assert [(file.path, file.insertions) for file in found.diff.files] == [
        ("README.md", 1),
        ("ä.py", 1),
    ]


async def test_what_a_repository_says_of_diffs_is_not_heeded(workspaces: Workspaces) -> None:
    made = await commit(workspaces, {".gitattributes": ATTRIBUTES, "notes.txt": "one\ntwo\n"})

    found = await Patches(workspaces).of(a_job(made))

    assert found is not None
    assert found.diff is not None
    assert [file.notes for file in found.diff.files] == [("new",), ()]


async def test_a_job_that_was_stopped_shows_its_partial_work(workspaces: Workspaces) -> None:
    made = await commit(workspaces, {"notes.txt": "half\n"})

    found = await Patches(workspaces).of(a_job(partial_commit=made))

    assert found is not None
    assert found.is_partial
    assert found.diff is not None


async def test_a_job_without_a_commit_has_no_changes(workspaces: Workspaces) -> None:
    assert await Patches(workspaces).of(a_job()) is None
    assert await Patches(workspaces).of(a_job("--output=/tmp/x")) is None


async def test_a_commit_that_is_not_on_this_machine_is_told_in_a_sentence(
    workspaces: Workspaces,
) -> None:
    elsewhere = await Patches(workspaces).of(a_job("0" * 40))
    await commit(workspaces, {"notes.txt": "two\n"})
    unknown = await Patches(workspaces).of(a_job("0" * 40))
    nowhere = await Patches().of(a_job("0" * 40))
    gone = await Patches(replace(workspaces, repositories={})).of(a_job("0" * 40))

    assert elsewhere == unknown == nowhere
    assert elsewhere is not None
    assert elsewhere.why.startswith("This machine has no copy")
    assert gone is not None
    assert "amelia" in gone.why


async def test_a_commit_is_read_from_git_once(workspaces: Workspaces) -> None:
    made = await commit(workspaces, {"notes.txt": "two\n"})
    patches = Patches(workspaces)

    first = await patches.of(a_job(made))
    shutil.rmtree(workspaces.root)

    assert await patches.of(a_job(made)) == first
    assert first is not None
    assert first.diff is not None


async def test_a_repository_that_does_not_answer_is_not_waited_for(
    workspaces: Workspaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await commit(workspaces, {"notes.txt": "two\n"})
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(patches_module, "TIME_MAX", timedelta(seconds=0.2))

    with anyio.fail_after(5):
        found = await Patches(replace(workspaces, git=Git(program=str(slow)))).of(a_job(made))

    assert found is not None
    assert "too long to answer" in found.why


async def test_a_patch_that_is_too_long_is_told_in_a_sentence(
    workspaces: Workspaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await commit(workspaces, {"notes.txt": "line\n" * 1000})
    monkeypatch.setattr(patching, "PATCH_BYTES_MAX", 100)

    found = await Patches(workspaces).of(a_job(made))

    assert found is not None
    assert found.diff is None
    assert "more than 100 bytes" in found.why
