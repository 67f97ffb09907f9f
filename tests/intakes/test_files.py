from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hotdesk.intakes.files import MailFiles
from hotdesk.mail.letter import Attachment

NOW = datetime(2025, 3, 3, 10, 11, tzinfo=UTC)
PICTURE = Attachment(name="a.png", content_type="image/png", content=b"PNG")


@pytest.fixture
def files(tmp_path: Path) -> MailFiles:
    return MailFiles(tmp_path / "mail")


def test_the_same_content_is_one_file_however_often_it_is_written(files: MailFiles) -> None:
    contents = files.contents(b"mail", [PICTURE, PICTURE])

    first = files.write(contents, now=NOW)
    again = files.write(contents, now=NOW)

    assert [path.read_bytes() for path in first] == [b"mail", b"PNG"]
    assert again == []


def test_what_is_written_was_synced_before_it_got_its_name(
    files: MailFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)

    (path,) = files.write(files.contents(b"mail", []), now=NOW)

    # Each new folder is synced into the one above it; the file comes before its folder.
    folders = [str(folder) for folder in list(path.parents)[:4]]
    assert synced[:3] == folders[:0:-1]
    assert Path(synced[3]).parent == path.parent
    assert synced[3] != str(path)
    assert synced[4] == str(path.parent)


def test_a_file_that_was_there_is_synced_too_before_anyone_relies_on_it(
    files: MailFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = files.contents(b"mail", [])
    files.write(contents, now=NOW)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    files.write(contents, now=NOW)

    assert synced


def test_a_failed_delivery_does_not_take_the_files_of_another(files: MailFiles) -> None:
    contents = files.contents(b"mail", [PICTURE])
    with files.hold(contents):
        written = files.write(contents, now=NOW)
        with files.hold(contents):
            files.remove(written)
            assert all(path.exists() for path in contents)
        files.remove(written)

    assert not any(path.exists() for path in contents)
    assert not any(path.parent.exists() for path in contents)


def test_files_are_removed_when_nobody_delivered_them_for_long(files: MailFiles) -> None:
    (old,) = files.write(files.contents(b"old", []), now=NOW)
    (again,) = files.write(files.contents(b"again", []), now=NOW)
    later = NOW + timedelta(days=30)
    files.write(files.contents(b"again", []), now=later)

    removed = files.remove_before(later - timedelta(days=1))

    assert removed == 1
    assert not old.exists()
    assert again.exists()


def test_only_their_owner_can_look_into_the_folders(files: MailFiles) -> None:
    (path,) = files.write(files.contents(b"mail", []), now=NOW)

    assert all(folder.stat().st_mode & 0o077 == 0 for folder in list(path.parents)[:3])
