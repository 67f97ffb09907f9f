"""Attachments that are kept in a bucket reach the agent as files of its home."""

from pathlib import Path

import pytest

from hotdesk.backends.folder import FolderArchive
from hotdesk.errors import AttemptFailed, Unavailable
from hotdesk.runners.attachments import fetch

pytestmark = pytest.mark.anyio


class Unreachable(FolderArchive):
    """An archive that does not answer."""

    async def get(self, key: str) -> bytes | None:
        """Fail."""
        raise Unavailable(f"no answer for {key}")


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def read(path: str, home: Path) -> bytes:
    """What is in a file of the home."""
    assert Path(path).is_relative_to(home)
    return Path(path).read_bytes()


async def test_attachments_of_one_name_are_two_files(archive: FolderArchive, home: Path) -> None:
    await archive.put("attachments/a1/logo.png", b"one")
    await archive.put("attachments/b2/logo.png", b"two")

    paths = await fetch(
        archive,
        ["s3://b/attachments/a1/logo.png", "/kept/here.txt", "s3://b/attachments/b2/logo.png"],
        home,
        owner_uid=None,
    )

    assert paths[1] == "/kept/here.txt"
    assert [read(each, home) for each in (paths[0], paths[2])] == [b"one", b"two"]


async def test_one_that_retention_has_removed_is_left_out(
    archive: FolderArchive, home: Path
) -> None:
    assert await fetch(archive, ["s3://b/attachments/a1/x"], home, owner_uid=None) == ()


@pytest.mark.parametrize(
    "hostile",
    ["s3://b/sessions/a/b/t1/1", "s3://b/attachments/..", "s3://b", "s3://b/attachments/"],
)
async def test_nothing_but_attachments_is_fetched(tmp_path: Path, home: Path, hostile: str) -> None:
    assert await fetch(Unreachable(tmp_path), [hostile], home, owner_uid=None) == ()


async def test_an_archive_that_does_not_answer_gives_the_attempt_back(
    tmp_path: Path, home: Path
) -> None:
    with pytest.raises(AttemptFailed) as caught:
        await fetch(Unreachable(tmp_path), ["s3://b/attachments/a1/x"], home, owner_uid=None)

    assert caught.value.is_given_back
