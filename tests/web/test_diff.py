"""Patches of real git, read into files and lines."""

import os
import subprocess
from pathlib import Path
from time import process_time  # noqa: TID251 - what is measured is the reading itself

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.web import diff
from hotdesk.web.diff import (
    BYTES_MAX,
    FILES_MAX,
    ROW_LENGTH_MAX,
    ROWS_MAX,
    ROWS_OF_FILE_MAX,
    Diff,
    RowKind,
    read_diff,
)

pytestmark = pytest.mark.needs("git")


class Tree:
    """A repository whose next commit is what is written into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet")
        self.git("commit", "--quiet", "--allow-empty", "-m", "first")

    def git(self, *arguments: str) -> bytes:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return subprocess.run(
            ["git", "-C", self.folder, *who, *arguments], check=True, capture_output=True
        ).stdout

    def write(self, name: str | bytes, content: bytes) -> None:
        file = self.folder / os.fsdecode(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def diff(self) -> Diff:
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "next")
        return read_diff(self.git("diff-tree", "-p", "--no-renames", "--no-commit-id", "HEAD"))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_each_file_has_its_lines_and_how_many_came_and_went(tree: Tree) -> None:
    tree.write("a.py", b"one\ntwo\nthree\n")
    tree.diff()

    tree.write("a.py", b"one\n-- two\n++ more\nthree\n")
    tree.write("b/new.py", b"x = 1")
    found = tree.diff()

    assert (found.file_count, found.insertions, found.deletions) == (2, 3, 1)
    changed, new = found.files
    assert (changed.path, changed.insertions, changed.deletions) == ("a.py", 2, 1)
    assert [(row.kind, row.text) for row in changed.rows] == [
        (RowKind.HUNK, "@@ -1,3 +1,4 @@"),
        (RowKind.SAME, "one"),
        (RowKind.REMOVED, "two"),
        (RowKind.ADDED, "-- two"),
        (RowKind.ADDED, "++ more"),
        (RowKind.SAME, "three"),
    ]
    assert (new.path, new.notes, new.rows[-1].kind) == ("b/new.py", ("new",), RowKind.NOTE)
    assert [row.sign for row in changed.rows] == ["", "", "\N{MINUS SIGN}", "+", "+", ""]


def test_lines_that_look_like_the_head_of_a_file_are_lines(tree: Tree) -> None:
    content = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\nBinary files a and b differ\n"
    tree.write("a", content)
    tree.diff()

    tree.write("a", content * 2)
    tree.write("b", b"")
    found = tree.diff()

    assert [file.path for file in found.files] == ["a", "b"]
    assert (found.insertions, found.deletions, found.files[0].notes) == (5, 0, ())


def test_what_is_not_text_is_named_without_lines(tree: Tree) -> None:
    tree.write("picture", bytes(range(256)) * 10)

    [file] = tree.diff().files

    assert (file.path, file.notes, file.rows) == ("picture", ("new", "binary"), ())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b/c d", "a b/c d"),
        ("x b/x b/x", "x b/x b/x"),
        ("<b>&", "<b>&"),
        ("tab\tand\nline", r"tab\tand\nline"),
        ('quote"', r"quote\""),
        ("näme", "n\\303\\244me"),
        (b"\xff", r"\377"),
        ("\u202egnp.exe", r"\342\200\256gnp.exe"),
    ],
)
def test_a_file_of_any_name_is_shown_in_one_harmless_line(
    tree: Tree, name: str | bytes, shown: str
) -> None:
    tree.write(name, b"x\n")

    [file] = tree.diff().files

    assert file.path == shown
    assert file.insertions == 1


def test_a_name_that_git_does_not_quote_turns_no_direction() -> None:
    found = read_diff("diff --git a/\u202ex b/\u202ex\n+++ b/x\n@@ -0,0 +1 @@\n+a".encode())

    assert [file.path for file in found.files] == ["⟨U+202E⟩x"]


def test_a_file_that_becomes_a_link_is_one_file(tree: Tree) -> None:
    tree.write("a", b"content\n")
    tree.diff()

    (tree.folder / "a").unlink()
    (tree.folder / "a").symlink_to("elsewhere")
    [file] = tree.diff().files

    assert (file.insertions, file.deletions) == (1, 1)
    assert "new link" in file.notes


def test_controls_in_a_line_are_seen_and_steer_nothing(tree: Tree) -> None:
    tree.write("a", "if x: \u202e return\x1b[2J\u200b\r\n".encode())

    [file] = tree.diff().files

    assert file.rows[-1].text == "if x: ⟨U+202E⟩ return�[2J⟨U+200B⟩"


def test_files_lines_and_lengths_beyond_the_bounds_are_counted_and_not_kept(tree: Tree) -> None:
    for number in range(FILES_MAX + 3):
        tree.write(f"f{number:03}", b"line\n" * (1000 if number < 5 else 3))
    tree.write("a", b"x" * 10_000)
    found = tree.diff()

    assert (found.file_count, len(found.files)) == (FILES_MAX + 4, FILES_MAX)
    assert found.insertions == 5000 + 3 * (FILES_MAX - 2) + 1
    assert sum(len(file.rows) for file in found.files) == ROWS_MAX
    assert max(len(file.rows) for file in found.files) == ROWS_OF_FILE_MAX
    assert [file.is_cut for file in found.files[:3]] == [False, True, True]
    assert found.files[0].rows[1].text == "x" * ROW_LENGTH_MAX + "…"


def test_a_patch_that_is_too_long_is_read_to_the_bound_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = b"diff --git a/x b/x\n+++ b/x\n@@ -0,0 +1 @@\n"
    monkeypatch.setattr(diff, "BYTES_MAX", len(head) + 300)

    within, beyond = read_diff(head + b"+x\n" * 100), read_diff(head + b"+x\n" * 101)

    assert (within.insertions, within.is_cut) == (100, False)
    assert (beyond.insertions, beyond.is_cut) == (100, True)


def test_a_line_of_many_megabytes_is_cut_in_linear_time() -> None:
    patch = b"diff --git a/x b/x\n+++ b/x\n@@ -0,0 +1 @@\n" + b"+" * BYTES_MAX

    started = process_time()
    found = read_diff(patch)

    assert (found.insertions, len(found.files[0].rows)) == (1, 2)
    assert len(found.files[0].rows[1].text) == ROW_LENGTH_MAX + 1
    assert process_time() - started < 1


HEADS = b'diff --git a/x b/x|@@|+|-|\n|\\|\x1b|\xff|\r|"'.split(b"|")


@given(st.binary(max_size=60) | st.lists(st.sampled_from(HEADS), max_size=20).map(b"".join))
def test_whatever_stands_there_is_read_without_an_error(patch: bytes) -> None:
    found = read_diff(b"diff --git a/x b/x\n" + patch)

    assert found.file_count >= 1
    for file in found.files:
        assert not any({"\x1b", "\n", "\r"} & set(row.text) for row in file.rows)
