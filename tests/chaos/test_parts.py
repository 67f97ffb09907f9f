"""What a run of chaos breaks is really broken, and whole again afterwards."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import anyio
import pytest

from chaos import processes
from chaos.clocks import WallClock, library
from chaos.disk import Disk, small_disk
from chaos.origins import Origins
from chaos.relay import Mood, MoodyRelay
from chaos.trace import Line, Trace, runs_of
from hotdesk.demo.mails import Person, send
from tests.missing import is_missing

pytestmark = pytest.mark.anyio
SOON = 10
LINE = (
    b'{"what":"start","at":1.5,"job":"j","desk":"a/b","thread":"t","attempt":1,"generation":2,'
    b'"folded":["i"]}\n'
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk, where it can be mounted."""
    with small_disk(tmp_path / "disk") as found:
        if found.cannot_be_filled:
            pytest.skip(found.cannot_be_filled)
        yield found


def test_a_full_disk_takes_no_byte_more_until_it_is_free(disk: Disk) -> None:
    disk.fill()

    with pytest.raises(OSError, match="No space"):
        (disk.folder / "one").write_bytes(b"x" * 5000)
    disk.free()
    (disk.folder / "one").write_bytes(b"x" * 5000)


def test_a_small_disk_is_gone_behind_its_block_although_a_file_of_it_is_open(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        file = (disk.folder / "open").open("w")

    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    file.close()


def test_a_wrong_clock_is_wrong_while_time_passes_as_ever(tmp_path: Path) -> None:
    preload = library()
    if preload is None:
        is_missing("libfaketime", remedy="`make test` installs it, or says how")
    clock = WallClock(tmp_path / "clock", preload)
    clock.prepare()
    clock.set(-5000)
    program = "import time; time.sleep(0.01); print(time.time(), time.monotonic())"

    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**clock.environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=SOON,
    )

    wall, monotonic = map(float, said.stdout.split())
    assert wall == pytest.approx(clock.file.stat().st_mtime - 5000, abs=SOON)
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert monotonic == pytest.approx(uptime, abs=SOON)


def a_mail() -> EmailMessage:
    return Person(name="Ana", address="ana@a.example").writes("b@b.example", "Done.", subject="Re")


@pytest.mark.parametrize(("mood", "kept"), [(Mood.WELL, 1), (Mood.BUSY, 0), (Mood.RUDE, 1)])
async def test_the_relay_is_in_a_mood(mood: Mood, kept: int) -> None:
    relay = MoodyRelay()
    relay.mood = mood
    is_taken = False
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(relay.run)
        try:
            is_taken = (await send(a_mail(), port)).is_taken
        except aiosmtplib.SMTPServerDisconnected:
            assert mood is Mood.RUDE
        tasks.cancel_scope.cancel()

    assert is_taken is (mood is Mood.WELL)
    assert len(relay.letters) == kept


async def test_a_hidden_origin_is_back_when_it_is_shown(tmp_path: Path) -> None:
    origins = Origins(tmp_path)
    await origins.make("amelia")

    origins.hide("amelia")
    assert not origins.path("amelia").exists()
    origins.show("amelia")
    origins.show("amelia")

    assert await origins.branches("amelia") == []
    assert origins.path("amelia").is_dir()


async def test_what_agents_say_is_a_run_and_what_others_say_is_none(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace")
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(trace.run)
        for said in (LINE + LINE.replace(b"1.5", b"2.5"), b"GET / HTTP/1.1\n", b"[]\n", LINE[:20]):
            async with await anyio.connect_tcp("127.0.0.1", port) as stranger:
                await stranger.send(said)
                await stranger.send_eof()
                with pytest.raises(anyio.EndOfStream):
                    await stranger.receive()
        tasks.cancel_scope.cancel()

    [run] = runs_of(trace.lines)
    assert (run.started, run.last, run.generation, run.folded) == (1.5, 2.5, 2, ("i",))
    assert trace.has_moved_on("j", 1)
    assert not trace.has_moved_on("j", 2)
    assert not trace.talking


def test_a_line_without_its_folded_jobs_is_none() -> None:
    with pytest.raises(ValueError, match="not a line"):
        Line.read(1, b'{"what": "start"}')


def test_processes_are_found_by_the_folder_of_their_run_alone(tmp_path: Path) -> None:
    # The kernel shows no command line for a moment after a program was started.
    code = "print('here', flush=True); input()"
    command = [sys.executable, "-c", code, str(tmp_path), "worker", "--id", "w1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"here\n"

        [found] = processes.workers(tmp_path)

        assert (found.pid, found.worker_id) == (ours.pid, "w1")
        assert processes.workers(tmp_path / "other") == []
        found.kill()
        assert ours.wait(SOON) == -signal.SIGKILL
