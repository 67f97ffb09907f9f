"""Agents that swap a file for a link at the very moment at which the worker reads it.

The moment is made certain: the swap happens when the worker has looked at the file, and
before it opens it.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotdesk.runners import sessions
from hotdesk.runners.guidance import guidance
from hotdesk.workspaces.snapshot import Snapshot

SECRET = "the password"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("harmless")
    return tmp_path / "tree"


@pytest.fixture
def swap(tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Swap the file once somebody has looked at it; return what was swapped."""
    look: Callable[..., os.stat_result] = os.stat
    swapped: list[str] = []

    def look_and_lose(path: Any, *arguments: Any, **options: Any) -> os.stat_result:  # noqa: ANN401 - as os.stat has it
        found = look(path, *arguments, **options)
        if path == b"file" and not swapped:
            swapped.append("file")
            (tree / "file").unlink()
            (tree / "file").symlink_to(tree.parent / "secret")
        return found

    monkeypatch.setattr(os, "stat", look_and_lose)
    return swapped


def test_a_file_of_a_workspace_that_turns_into_a_link_is_not_committed(
    tree: Path, swap: list[str]
) -> None:
    stream = io.BytesIO()
    snapshot = Snapshot(root=tree, stream=stream)

    snapshot.read([], [b"file"])

    assert swap == ["file"]
    assert stream.getvalue() == b""
    assert [skipped.path for skipped in snapshot.skipped] == ["file"]


def test_words_for_agents_that_turn_into_a_link_are_not_read(tree: Path, swap: list[str]) -> None:
    told = guidance(tree, ["file"])

    assert swap == ["file"]
    assert told == ""


def test_a_file_of_a_session_that_turned_into_a_link_is_not_kept(tree: Path) -> None:
    (tree / "file").unlink()
    (tree / "file").symlink_to(tree.parent / "secret")
    folder = os.open(tree, os.O_RDONLY)

    # It was listed when it was a file still.
    with pytest.raises(OSError, match="symbolic links"):
        sessions._read(folder, b"file")

    os.close(folder)
