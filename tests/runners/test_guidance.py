"""What a repository tells agents: read without leaving it, without waiting, and bounded."""

import os
from pathlib import Path

from hotdesk.runners.guidance import BYTES_MAX, guidance

NAMES = ("first.md", "docs/second.md")


def test_only_a_file_is_read_and_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "first.md")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/second.md").write_text("be kind")

    assert guidance(tmp_path, NAMES) == "be kind"


def test_a_folder_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/second.md").write_text("a secret")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "docs").symlink_to("../elsewhere")

    assert guidance(workspace, NAMES) == ""


def test_a_link_within_the_workspace_is_followed_and_a_ring_is_left(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/second.md").symlink_to("../real.md")
    (tmp_path / "first.md").symlink_to("docs/ring.md")
    (tmp_path / "docs/ring.md").symlink_to("../first.md")
    (tmp_path / "real.md").write_text("be kind")

    assert guidance(tmp_path, NAMES) == "be kind"


def test_what_is_read_is_bounded_and_fits_into_an_argument(tmp_path: Path) -> None:
    (tmp_path / "first.md").write_bytes(b"\xff\0" * BYTES_MAX)

    read = guidance(tmp_path, NAMES)

    assert len(read) == BYTES_MAX // 2
    assert "\0" not in read
