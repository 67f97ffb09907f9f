"""The session folder of a thread: packed after an attempt, unpacked before the next one."""

import os
import shutil
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hotdesk.backends.folder import FolderArchive
from hotdesk.desks import Claim, Desk
from hotdesk.errors import AttemptFailed, Unavailable
from hotdesk.runners import sessions
from hotdesk.runners.sessions import FOLDER, Sessions

pytestmark = pytest.mark.anyio


class Unreachable(FolderArchive):
    """An archive that does not answer."""

    async def keys(self, prefix: str) -> list[str]:
        """Fail."""
        raise Unavailable(f"no answer for {prefix}")


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


@pytest.fixture
def homes(tmp_path: Path) -> "Homes":
    return Homes(tmp_path)


class Homes:
    """Homes of attempts, each of a worker with an empty disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def new(self) -> Path:
        """A home that nobody has lived in."""
        self._number += 1
        home = self._folder / f"home{self._number}"
        home.mkdir()
        return home


def claim(generation: int = 1, desk: str = "amelia/scott") -> Claim:
    return Claim(desk=Desk.parse(desk), generation=generation, worker_id="w1")


def worker(archive: FolderArchive) -> Sessions:
    """What a worker on a machine of its own has."""
    return Sessions(archive, owner_uid=None)


async def test_another_worker_finds_what_an_agent_has_left(
    archive: FolderArchive, homes: Homes
) -> None:
    home, first, second = homes.new(), worker(archive), worker(archive)
    await first.unpack(claim(1), "t1", home)
    session = home / FOLDER
    (session / "deep" / "er").mkdir(parents=True)
    (session / "deep" / "er" / "talk.jsonl").write_bytes(b"\x00hello")
    (session / "tool").write_text("#!/bin/sh\n")
    (session / "tool").chmod(0o755)
    (session / os.fsdecode(b"not \xff utf-8")).write_text("x")
    assert await first.pack(claim(1), "t1", home) == ""

    other = homes.new()
    problem = (await second.unpack(claim(2), "t1", other)).problem

    found = other / FOLDER
    assert problem == ""
    assert (found / "deep" / "er" / "talk.jsonl").read_bytes() == b"\x00hello"
    assert os.access(found / "tool", os.X_OK)
    assert (found / os.fsdecode(b"not \xff utf-8")).read_text() == "x"


async def test_threads_and_desks_have_sessions_of_their_own(
    archive: FolderArchive, homes: Homes
) -> None:
    home, mine = homes.new(), worker(archive)
    await mine.unpack(claim(), "t1", home)
    (home / FOLDER / "mine").touch()
    await mine.pack(claim(), "t1", home)

    others = [homes.new(), homes.new()]
    await mine.unpack(claim(), "t10", others[0])
    await mine.unpack(claim(desk="amelia/ana"), "t1", others[1])

    assert [list((each / FOLDER).iterdir()) for each in others] == [[], []]


async def test_a_worker_that_was_taken_over_in_its_sleep_overwrites_nothing(
    archive: FolderArchive, homes: Homes
) -> None:
    stale, fresh, last = homes.new(), homes.new(), homes.new()
    sleeper, owner = worker(archive), worker(archive)
    await sleeper.unpack(claim(1), "t1", stale)
    await owner.unpack(claim(2), "t1", fresh)
    (fresh / FOLDER / "by").write_text("owner")
    await owner.pack(claim(2), "t1", fresh)
    (stale / FOLDER / "by").write_text("sleeper")
    await sleeper.pack(claim(1), "t1", stale)

    await worker(archive).unpack(claim(3), "t1", last)

    assert (last / FOLDER / "by").read_text() == "owner"


async def test_only_the_latest_session_is_kept(archive: FolderArchive, homes: Homes) -> None:
    for generation in range(1, 4):
        home, mine = homes.new(), worker(archive)
        await mine.unpack(claim(generation), "t1", home)
        (home / FOLDER / str(generation)).touch()
        await mine.pack(claim(generation), "t1", home)

    assert len(await archive.keys("sessions/")) == 1


async def test_a_session_that_is_used_stays_as_new_as_its_last_generation(
    archive: FolderArchive, homes: Homes
) -> None:
    home, mine = homes.new(), worker(archive)
    await mine.unpack(claim(1), "t1", home)
    (home / FOLDER / "x").touch()
    await mine.pack(claim(1), "t1", home)
    before = await archive.keys("")

    other = homes.new()
    await mine.unpack(claim(2), "t1", other)
    await mine.pack(claim(2), "t1", other)

    assert len(before) == 1
    assert await archive.keys("") > before


async def test_nothing_is_written_for_agents_that_keep_nothing_or_changed_nothing(
    archive: FolderArchive, homes: Homes, tmp_path: Path
) -> None:
    mine = worker(archive)
    empty = homes.new()
    await mine.unpack(claim(1), "t1", empty)
    await mine.pack(claim(1), "t1", empty)
    nothing = await archive.keys("")
    first, second = homes.new(), homes.new()
    await mine.unpack(claim(1), "t1", first)
    (first / FOLDER / "x").touch()
    await mine.pack(claim(1), "t1", first)
    (key,) = await archive.keys("")
    os.utime(tmp_path / "archive" / key, (0, 0))
    await mine.unpack(claim(1), "t1", second)

    await mine.pack(claim(1), "t1", second)

    assert nothing == []
    assert (tmp_path / "archive" / key).stat().st_mtime == 0


async def test_links_devices_and_pipes_are_left_out(archive: FolderArchive, homes: Homes) -> None:
    home, mine = homes.new(), worker(archive)
    await mine.unpack(claim(), "t1", home)
    (home / FOLDER / "shadow").symlink_to("/etc/shadow")
    (home / FOLDER / "etc").symlink_to("/etc")
    os.mkfifo(home / FOLDER / "pipe")
    (home / FOLDER / "kept").touch()
    await mine.pack(claim(), "t1", home)

    other = homes.new()
    await mine.unpack(claim(2), "t1", other)

    assert [path.name for path in (other / FOLDER).iterdir()] == ["kept"]


async def test_a_session_folder_that_was_replaced_by_a_link_is_not_followed(
    archive: FolderArchive, homes: Homes
) -> None:
    home, mine = homes.new(), worker(archive)
    await mine.unpack(claim(), "t1", home)
    (home / FOLDER).rmdir()
    (home / FOLDER).symlink_to("/etc")

    problem = await mine.pack(claim(), "t1", home)

    assert "was not kept" in problem
    assert await archive.keys("") == []


async def test_what_is_too_much_is_not_kept_and_said(
    archive: FolderArchive, homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "FILES_MAX", 3)
    monkeypatch.setattr(sessions, "BYTES_MAX", 20_000)
    monkeypatch.setattr(sessions, "DEPTH_MAX", 2)
    problems = []
    for number, (names, size) in enumerate(
        [(["a", "b", "c", "d"], 0), (["a", "b"], 15_000), (["a/b/c/d"], 0)]
    ):
        home, mine = homes.new(), worker(archive)
        await mine.unpack(claim(number + 1), "t1", home)
        for name in names:
            (home / FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (home / FOLDER / name).write_bytes(b"x" * size)
        problems.append(await mine.pack(claim(number + 1), "t1", home))

    assert [("files" in p, "MiB" in p, "deep" in p) for p in problems] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert await archive.keys("") == []


async def test_a_session_that_cannot_be_read_does_not_keep_the_agent_from_working(
    archive: FolderArchive, homes: Homes
) -> None:
    await archive.put("sessions/amelia/scott/t1/0000000000000000001.tar.gz", b"not gzip")
    home = homes.new()

    problem = (await worker(archive).unpack(claim(2), "t1", home)).problem

    assert "begins without its session" in problem
    assert (home / FOLDER).is_dir()


async def test_an_archive_that_does_not_answer_gives_the_attempt_back(
    tmp_path: Path, homes: Homes
) -> None:
    with pytest.raises(AttemptFailed) as caught:
        await worker(Unreachable(tmp_path)).unpack(claim(), "t1", homes.new())

    assert caught.value.is_given_back


async def test_what_nobody_has_kept_for_long_is_removed_from_a_folder(
    archive: FolderArchive, tmp_path: Path
) -> None:
    await archive.put("sessions/a/b/t1/1", b"old")
    os.utime(tmp_path / "archive/sessions/a/b/t1/1", (0, 0))
    await archive.put("sessions/a/b/t2/1", b"new")

    removed = await archive.remove_before(datetime(2020, 1, 1, tzinfo=UTC))

    assert removed == 1
    assert await archive.keys("") == ["sessions/a/b/t2/1"]
    assert not (tmp_path / "archive/sessions/a/b/t1").exists()


async def test_an_archive_that_is_not_there_yet_is_empty(
    archive: FolderArchive, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "archive", ignore_errors=True)

    assert await archive.keys("sessions/") == []
    assert await archive.get("sessions/x") is None
    assert await archive.remove_before(datetime(2020, 1, 1, tzinfo=UTC)) == 0
    await archive.remove("sessions/x")


def files_in(home: Path) -> list[str]:
    folder = home / FOLDER
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


async def test_a_note_travels_with_a_session_and_no_agent_can_write_it(
    archive: FolderArchive, homes: Homes
) -> None:
    home, other = homes.new(), homes.new()
    mine = worker(archive)
    await mine.unpack(claim(), "t1", home)
    (home / FOLDER / sessions.NOTE).write_text("written by the agent")

    await mine.pack(claim(), "t1", home, note=b"ours")
    found = await worker(archive).unpack(claim(2), "t1", other)

    assert found.note == b"ours"
    assert list((other / FOLDER).iterdir()) == []


async def test_only_the_folders_that_are_kept_are_packed_and_unpacked(
    archive: FolderArchive, homes: Homes
) -> None:
    home, mine, everything = homes.new(), homes.new(), homes.new()
    first = worker(archive)
    await first.unpack(claim(), "t1", home)
    for name in ("a/b/kept", "a/b/c/kept", "a/left", "left", "ab/left", "a/bc/left"):
        path = home / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for number in range(3):
        (home / FOLDER / "ab" / str(number)).touch()

    await first.pack(claim(), "t1", home, kept=["a/b"])
    await worker(archive).unpack(claim(2), "t1", everything)
    await worker(archive).unpack(claim(3), "t1", mine, kept=["a/b/c"])

    assert files_in(everything) == ["a/b/c/kept", "a/b/kept"]
    assert files_in(mine) == ["a/b/c/kept"]


async def test_what_is_not_kept_does_not_count_against_the_bounds(
    archive: FolderArchive, homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "FILES_MAX", 2)
    home = homes.new()
    mine = worker(archive)
    await mine.unpack(claim(), "t1", home)
    for number in range(5):
        (home / FOLDER / str(number)).touch()
        (home / FOLDER / f"folder{number}").mkdir()
    (home / FOLDER / "memory").mkdir()

    assert await mine.pack(claim(), "t1", home, kept=["memory"]) == ""
    assert "more than 2 files" in await mine.pack(claim(), "t1", home)


async def test_what_is_not_kept_is_passed_over_within_a_bound(
    archive: FolderArchive, homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ENTRIES_MAX", 10)
    home, mine = homes.new(), worker(archive)
    await mine.unpack(claim(), "t1", home)
    (home / FOLDER / "memory").mkdir()
    for number in range(6):
        os.mkfifo(home / FOLDER / f"pipe{number}")
        os.mkfifo(home / FOLDER / "memory" / f"pipe{number}")

    assert "more than 10 entries" in await mine.pack(claim(), "t1", home, kept=["memory"])
    monkeypatch.setattr(sessions, "ENTRIES_MAX", 13)
    assert await mine.pack(claim(), "t1", home, kept=["memory"]) == ""


async def test_a_folder_of_very_many_files_is_not_listed_to_its_end(
    archive: FolderArchive, homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "FILES_MAX", 10)
    home, mine = homes.new(), worker(archive)
    await mine.unpack(claim(), "t1", home)
    for number in range(3000):
        (home / FOLDER / f"{number}{'x' * 200}").touch()

    tracemalloc.start()
    problem = await mine.pack(claim(), "t1", home)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "more than 10 files" in problem
    assert most < 300_000
