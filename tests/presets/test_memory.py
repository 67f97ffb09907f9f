"""Looking for a conversation in a folder that an agent could fill with anything."""

import os
from pathlib import Path

import pytest

from hotdesk.agents import memory
from hotdesk.agents.memory import find


def test_of_several_files_the_largest_is_found(tmp_path: Path) -> None:
    for name, content in (("a-1", "short"), ("a-2", "much longer"), ("b-3", "the longest of all")):
        (tmp_path / "x" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "x" / name).write_text(content)

    assert find(tmp_path, "*", "a-*") == (tmp_path / "x/a-2", b"much longer")


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    assert find(tmp_path / "none", "*") is None
    assert find(tmp_path, "x", "*") is None
    assert find(tmp_path, "bad\0name") is None


def test_no_link_is_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("of somebody else")
    session = tmp_path / "session"
    session.mkdir()
    (session / "folder").symlink_to(secret)
    (session / "link").symlink_to(secret / "file")

    assert find(session, "folder", "file") is None
    assert find(session, "*", "file") is None
    assert find(session, "link") is None


def test_a_pipe_or_a_folder_is_no_conversation(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()

    assert find(tmp_path, "*") is None
    assert find(tmp_path, "pipe") is None


def test_no_more_of_a_file_is_read_than_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "BYTES_MAX", 100)
    (tmp_path / "file").write_bytes(b"x" * 1000)

    assert find(tmp_path, "file") == (tmp_path / "file", b"x" * 100)


def test_only_so_many_names_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        (tmp_path / f"{number}").write_text("x")
    (tmp_path / "a").write_text("x")

    monkeypatch.setattr(memory, "ENTRIES_MAX", 31)
    assert find(tmp_path, "[a]") == (tmp_path / "a", b"x")
    monkeypatch.setattr(memory, "ENTRIES_MAX", 0)
    assert find(tmp_path, "[a]") is None
