"""Looking for a conversation in a folder that an agent could fill with anything."""

import json
import os
from pathlib import Path

import pytest

from hotdesk.agents import memory
from hotdesk.agents.codex import Codex
from hotdesk.agents.gemini import Gemini
from hotdesk.agents.memory import find, lines

ID = "01234567-89ab-4def-8123-456789abcdef"


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


def bytes_read() -> int:
    """What this process has read by now, from wherever."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar:")).split()[1])


@pytest.mark.parametrize("is_one", [True, False])
def test_of_10_000_files_that_fit_one_alone_is_read(tmp_path: Path, *, is_one: bool) -> None:
    first = tmp_path / "0"
    first.write_bytes(b"x" * 1_000_000)
    for number in range(1, 10_000):
        if is_one:
            (tmp_path / f"{number}").hardlink_to(first)
        else:
            (tmp_path / f"{number}").touch()
            os.truncate(tmp_path / f"{number}", 1_000_000 - number)
    before = bytes_read()

    found = find(tmp_path, "*")

    assert found is not None
    assert found[1] == b"x" * 1_000_000
    assert bytes_read() - before < 2_000_000


def test_of_a_file_with_holes_no_more_is_read_than_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.truncate(tmp_path / "file", 2**40)

    found = find(tmp_path, "*")

    assert found is not None
    assert len(found[1]) == memory.BYTES_MAX


def test_what_is_no_file_hides_none(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    # Most file systems say that a folder has a size.
    (tmp_path / "a-folder" / "inner").mkdir(parents=True)

    assert find(tmp_path, "a-*") == (tmp_path / "a-file", b"")


def test_a_file_that_has_turned_into_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(pipe, b"whatever")
    folder = os.open(tmp_path, os.O_RDONLY)

    with pytest.raises(FileNotFoundError):
        memory._content(folder, Path("pipe"))
    os.close(folder)
    os.close(pipe)


def test_lines_are_those_with_one_of_the_words_and_one_that_is_too_long_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "LINE_BYTES_MAX", 5)

    content = b'a\nxaz\nb\n\nc\nbyyyyy\nq\\"\n.'
    assert [*lines(content, "a", "b", 'q"')] == [b"a\n", b"xaz\n", b"b\n", b"", b'q\\"\n']
    assert [*lines(b"bb", "a", "b")] == [b"bb"]
    assert [*lines(b"c\nb", "a", ".")] == []
    assert [*lines(b"", "a")] == []


def test_only_so_many_lines_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LINES_MAX", 2)

    assert [*lines(b"x\na\nx\nb\na\n", "a", "b")] == [b"a\n", b"b\n"]


def test_lines_that_nobody_looks_for_take_no_time() -> None:
    content = b"\n" * memory.BYTES_MAX
    begin = os.times().user

    assert [*lines(content, "a", "b")] == []
    assert os.times().user - begin < 2


@pytest.mark.parametrize(("mebibytes", "is_known"), [(3, True), (5, False)])
def test_a_prompt_in_a_line_that_is_too_long_counts_as_unknown(
    tmp_path: Path, mebibytes: int, *, is_known: bool
) -> None:
    words = f"[hotdesk job j1] {'x' * mebibytes * 2**20}"
    chats, rollouts = tmp_path / ".gemini/tmp/7/chats", tmp_path / "sessions/2026/11/22"
    asked: dict[Path, list[dict[str, object]]] = {
        chats / f"session-1-{ID[:8]}.jsonl": [
            {"sessionId": ID},
            {"type": "user", "content": [{"text": words}]},
        ],
        rollouts / f"rollout-1-{ID}.jsonl": [
            {"payload": {"type": "message", "role": "user", "content": [{"text": words}]}},
        ],
    }
    for path, events in asked.items():
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(json.dumps(event) for event in events))

    assert Gemini().remembers(tmp_path, ID, "[hotdesk job j1]") is is_known
    assert Codex().remembers(tmp_path, ID, "[hotdesk job j1]") is is_known


def test_gemini_knows_nothing_for_certain_behind_a_line_that_is_too_long(tmp_path: Path) -> None:
    chats = tmp_path / ".gemini/tmp/7/chats"
    chats.mkdir(parents=True)
    events = [
        {"sessionId": ID},
        {"type": "user", "content": [{"text": "[j1]"}]},
        {"$set": {"messages": [{"type": "gemini", "content": "x" * 5 * 2**20}]}},
        {"type": "user", "content": [{"text": "[j2]"}]},
    ]
    (chats / f"session-1-{ID[:8]}.jsonl").write_text("\n".join(map(json.dumps, events)))

    assert not Gemini().remembers(tmp_path, ID, "[j1]")
    assert Gemini().remembers(tmp_path, ID, "[j2]")
