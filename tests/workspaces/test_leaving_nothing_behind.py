"""What is left of a clone when nobody needs it: no process, no folder, nothing outside harmed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from hotdesk.desks import Desk
from hotdesk.workspaces import Workspaces, processes, removal
from tests.workspaces.conftest import DESK, NOW, Opens

pytestmark = pytest.mark.anyio

Started = list["subprocess.Popen[bytes]"]


@pytest.fixture
def started() -> Iterator[Started]:
    """Collect processes that are ended with the test."""
    found: Started = []
    yield found
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def start(started: Started, script: str) -> subprocess.Popen[bytes]:
    """Start a shell in a session of its own, as a runner does."""
    process = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    started.append(process)
    return process


async def lines(path: Path, count: int) -> list[int]:
    with anyio.fail_after(10):
        while True:
            found = await anyio.Path(path).read_text() if await anyio.Path(path).exists() else ""
            if len(found.splitlines()) >= count:
                return [int(line) for line in found.splitlines()]
            await anyio.lowlevel.checkpoint()


# Processes.


async def test_what_a_former_owner_left_running_is_ended_with_its_whole_family(
    tmp_path: Path, workspaces: Workspaces, open_workspace: Opens, started: Started
) -> None:
    pids = tmp_path / "pids"
    old = await open_workspace(1)
    agent = start(
        started,
        # A child in the group, and a tool's shell in a session of its own with a child.
        f"echo $$ >> {pids}; sleep 100 & echo $! >> {pids}; "
        f"setsid sh -c 'echo $$ >> {pids}; sleep 100 & echo $! >> {pids}; wait' & wait",
    )
    family = await lines(pids, 4)
    await old.note_process(agent.pid)

    assert await workspaces.end_processes(DESK, 2) == ()

    running = await anyio.to_thread.run_sync(processes._processes)
    assert not set(family) & set(running)
    assert not list(old.room.processes.iterdir())


async def test_processes_of_this_generation_and_of_other_desks_go_on(
    workspaces: Workspaces, open_workspace: Opens, started: Started
) -> None:
    mine = await open_workspace(2)
    other = await workspaces.open(Desk("amelia", "zoe"), "t1", 1, job_id="j", now=NOW)
    agents = [start(started, "sleep 100"), start(started, "sleep 100")]
    await mine.note_process(agents[0].pid)
    await other.note_process(agents[1].pid)

    await workspaces.end_processes(DESK, 2)

    assert [agent.poll() for agent in agents] == [None, None]


async def test_a_number_that_belongs_to_another_process_by_now_is_not_signalled(
    workspaces: Workspaces, open_workspace: Opens, started: Started
) -> None:
    old = await open_workspace(1)
    stranger = start(started, "sleep 100")
    await old.note_process(stranger.pid)
    note = old.room.processes / str(stranger.pid)
    # The same number, of a process that started at another time.
    note.write_text("1" + note.read_text())

    await workspaces.end_processes(DESK, 2)

    assert stranger.poll() is None
    assert not note.exists()


async def test_an_old_note_of_the_same_number_does_not_hide_a_process(
    workspaces: Workspaces, open_workspace: Opens, started: Started
) -> None:
    old = [await open_workspace(1, thread=thread) for thread in ("t1", "t2", "t3")]
    agent = start(started, "sleep 100")
    for workspace in old:
        await workspace.note_process(agent.pid)
    for workspace in (old[0], old[2]):
        note = workspace.room.processes / str(agent.pid)
        note.write_text("1" + note.read_text())

    await workspaces.end_processes(DESK, 2)

    assert agent.wait(5) == -signal.SIGKILL


async def test_what_was_noted_in_another_container_is_left_alone(
    workspaces: Workspaces, open_workspace: Opens, started: Started
) -> None:
    old = await open_workspace(1)
    stranger = start(started, "sleep 100")
    await old.note_process(stranger.pid)
    note = old.room.processes / str(stranger.pid)
    note.write_text(note.read_text().replace("pid:[", "pid:[9"))

    await workspaces.end_processes(DESK, 2)

    assert stranger.poll() is None
    assert note.exists()


async def test_a_process_that_has_ended_is_not_noted(
    open_workspace: Opens, started: Started
) -> None:
    workspace = await open_workspace()
    process = start(started, "exit 0")
    await anyio.to_thread.run_sync(process.wait)

    await workspace.note_process(process.pid)

    assert not list(workspace.room.processes.iterdir())


async def test_a_stopped_process_is_ended_as_well(
    workspaces: Workspaces, open_workspace: Opens, started: Started
) -> None:
    old = await open_workspace(1)
    agent = start(started, "sleep 100")
    await old.note_process(agent.pid)
    agent.send_signal(signal.SIGSTOP)

    assert await workspaces.end_processes(DESK, 2) == ()
    assert agent.wait(5) == -signal.SIGKILL


async def test_an_agent_that_still_runs_is_ended_before_its_clone_is_opened_again(
    open_workspace: Opens, started: Started
) -> None:
    workspace = await open_workspace()
    agent = start(started, "sleep 100")
    await workspace.note_process(agent.pid)

    await open_workspace(job_id="job-2")

    assert agent.wait(5) == -signal.SIGKILL


def test_systems_without_proc_are_asked_for_the_same_through_ps() -> None:
    mine = os.getpid()

    by_ps, by_proc = processes._from_ps()[mine], processes._from_proc()[mine]

    assert (by_ps.parent, by_ps.group) == (by_proc.parent, by_proc.group)
    assert by_ps.started
    assert not by_ps.is_zombie


# Folders.


async def test_folders_of_earlier_generations_are_removed_and_of_others_not(
    tmp_path: Path, workspaces: Workspaces, open_workspace: Opens
) -> None:
    for generation, thread in [(1, "t1"), (2, "t1"), (3, "t1"), (1, "t2")]:
        await open_workspace(generation, thread=thread)
    await workspaces.open(Desk("amelia", "zoe"), "t1", 1, job_id="j", now=NOW)

    assert await workspaces.remove_old(DESK, 3) == 3

    for kind in ("clones", "state"):
        left = sorted((tmp_path / "root/amelia" / kind).glob("*/*/*"))
        assert [str(path).partition(kind)[2] for path in left] == ["/scott/t1/3", "/zoe/t1/1"]
    assert not (tmp_path / "root/amelia/clones/scott/t2").exists()
    assert not list((tmp_path / "root/amelia/trash").iterdir())


async def test_what_was_not_used_for_long_is_tidied_away_a_few_at_a_time(
    workspaces: Workspaces, open_workspace: Opens
) -> None:
    rooms = [(await open_workspace(1, thread=f"t{number}")).room for number in range(4)]
    served = await workspaces.open(Desk("amelia", "zoe"), "t1", 5, job_id="j", now=NOW)
    later = NOW + timedelta(days=8)
    fresh = await workspaces.open(DESK, "fresh", 1, job_id="j", now=later)

    async def tidy() -> int:
        since = NOW + timedelta(days=1)
        return await workspaces.tidy(
            unused_since=since, keep={("amelia#zoe", 5)}, now=later, rooms_max=3
        )

    assert [await tidy(), await tidy(), await tidy()] == [3, 1, 0]
    assert not any(room.clone.exists() or room.state.exists() for room in rooms)
    assert served.path.exists()
    assert fresh.path.exists()


async def test_opening_a_thread_again_keeps_it_from_being_tidied_away(
    workspaces: Workspaces, open_workspace: Opens
) -> None:
    workspace = await open_workspace()
    await workspaces.open(DESK, "t1", 1, job_id="j", now=NOW + timedelta(days=5))

    removed = await workspaces.tidy(unused_since=NOW + timedelta(days=1), keep=(), now=NOW)

    assert removed == 0
    assert workspace.path.exists()


async def test_what_a_crash_left_in_the_trash_is_emptied(
    tmp_path: Path, workspaces: Workspaces, open_workspace: Opens
) -> None:
    await open_workspace()
    trash = tmp_path / "root/amelia/trash"
    (trash / "left/deep").mkdir(parents=True)
    (trash / "file").write_text("x")

    await workspaces.tidy(unused_since=NOW, keep=(), now=NOW)

    assert not list(trash.iterdir())


def make_heap(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "root").mkdir()
    (tmp_path / "trash").mkdir()
    return tmp_path / "root", tmp_path / "trash"


def test_links_are_removed_and_what_they_point_to_is_not(tmp_path: Path) -> None:
    root, trash = make_heap(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("x")
    (root / "clone").mkdir()
    (root / "clone/link").symlink_to(outside)
    (root / "link").symlink_to(outside)

    assert removal.remove(root, b"clone", trash)
    assert removal.remove(root, b"link", trash)

    assert [path.name for path in outside.iterdir()] == ["keep"]
    assert not list(root.iterdir())


def test_a_path_that_leads_through_a_link_is_not_followed(tmp_path: Path) -> None:
    root, trash = make_heap(tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/keep").write_text("x")
    (root / "link").symlink_to(tmp_path / "outside")

    removal.remove(root, b"link/keep", trash)

    assert (tmp_path / "outside/keep").exists()


def test_folders_of_any_depth_are_removed(tmp_path: Path) -> None:
    root, trash = make_heap(tmp_path)
    # Deeper than a path may be long, and than Python calls itself.
    folder = os.open(root, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("a" * 4, dir_fd=folder)
        inner = os.open("a" * 4, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)

    assert removal.remove(root, b"aaaa", trash)

    assert not list(trash.iterdir())


def test_what_an_agent_closed_to_everybody_is_removed_all_the_same(passable: Path) -> None:
    root, trash = make_heap(passable)
    for path in (root, trash):
        path.chmod(0o777)

    ended = _as_somebody_else(lambda: _close_and_remove(root, trash))

    assert ended == 0
    assert not list(root.iterdir())
    assert not list(trash.iterdir())


def _close_and_remove(root: Path, trash: Path) -> bool:
    os.chdir(root)
    (Path("clone") / "closed/inner").mkdir(parents=True)
    (Path("clone") / "closed/inner/file").write_text("x")
    Path("clone/closed/inner").chmod(0)
    Path("clone/closed").chmod(0o500)
    Path("clone").chmod(0)
    os.chdir("/")
    return removal.remove(root, b"clone", trash)


def _as_somebody_else(action: object) -> int:
    """Call *action* in a child that is no longer root; return 0 if it returned True."""
    assert callable(action)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            status = 0 if action() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_removing_what_somebody_still_writes_into_ends_and_harms_nobody(tmp_path: Path) -> None:
    root, trash = make_heap(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("x")
    (root / "clone/inner").mkdir(parents=True)

    folder = os.open(root / "clone/inner", os.O_RDONLY)

    def write() -> None:
        """Go on writing through an open folder, as a process does that works there."""
        for number in range(300):
            try:
                os.symlink(outside, f"link{number}", dir_fd=folder)
                os.mkdir(f"dir{number}", dir_fd=folder)
            except OSError:
                break
        os.close(folder)

    writer = threading.Thread(target=write)
    writer.start()
    removal.remove(root, b"clone", trash)
    writer.join()

    assert removal.empty(trash)
    assert not (root / "clone").exists()
    assert [path.name for path in outside.iterdir()] == ["keep"]
