"""The benchmarks measure what they say, and leave nothing."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import measure
from benchmarks.figures import Figure, summed_up
from benchmarks.machine import Machine, Place
from benchmarks.reference import PRAGMAS, reference
from benchmarks.sizes import QUICK
from hotdesk.backends.sqlite.file import DatabaseFile
from hotdesk.clock import SystemClock

pytestmark = pytest.mark.anyio
TINY = replace(
    QUICK,
    jobs=100,
    desks=10,
    known=(10, 2000),
    at_once=320,
    latencies=3,
    takeovers=1,
    replacements=1,
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[DatabaseFile]:
    """A database of Hotdesk."""
    opened = DatabaseFile(tmp_path / "hotdesk.db", SystemClock())
    yield opened
    opened.close()


def left_in(folder: Path) -> list[Path]:
    """What there is in a folder."""
    return [*folder.iterdir()]


@pytest.mark.long
async def test_a_small_run_measures_everything_and_cleans_up(tmp_path: Path) -> None:
    report = await measure([Place.at(tmp_path)], TINY, repeats=1)

    read = json.loads(report.as_json())
    lines = {line["name"]: line for line in read["places"][0]["lines"]}
    assert lines["submit to handler start, worker free, p50"]["value"]["median"] > 0
    assert lines["interrupt to context.interrupted, p99"]["samples"] == TINY.latencies
    assert lines["drain by 2 workers, 2,000 desks"]["ratio"]["median"] > 0
    assert lines["enqueue one by one by 16 tasks at once"]["samples"] == TINY.at_once
    assert lines["kill -9 to handler start, worker free, longest"]["value"]["median"] > 0
    assert left_in(tmp_path) == []


def test_a_run_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--dir", str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        # A line for what begins; its processes and files are there, or soon will be.
        assert b"known desks" in run.stderr.readline()
        while not any(tmp_path.rglob("w-*")):
            assert run.poll() is None, "it ended by itself"

        run.terminate()

        assert run.wait(10) == 128 + signal.SIGTERM
    assert left_in(tmp_path) == []


def test_the_reference_has_the_pragmas_of_our_database(tmp_path: Path, file: DatabaseFile) -> None:
    with reference(tmp_path) as bare:
        for name in [*PRAGMAS, "page_size", "locking_mode"]:
            ours = file._connection.execute(f"PRAGMA {name}").fetchone()[0]

            assert bare.connection.execute(f"PRAGMA {name}").fetchone()[0] == ours


def test_a_ratio_is_of_a_value_and_the_reference_of_the_same_repeat() -> None:
    repeats = [
        Figure(name="drain", value=value, unit="jobs/s", samples=10, reference=bare, ratio_min=0.3)
        for value, bare in ((50.0, 100.0), (20.0, 100.0), (90.0, 300.0))
    ]

    [line] = summed_up(repeats)

    assert line.ratio is not None
    assert (line.ratio.least, line.ratio.median, line.ratio.greatest) == (0.2, 0.3, 0.5)
    assert (line.samples, line.is_met) == (30, True)


def test_an_aim_that_the_median_misses_is_not_met() -> None:
    repeats = [
        Figure(name="start", value=value, unit="ms", samples=1, value_max=2.0)
        for value in (1.0, 2.1, 3.0)
    ]

    assert [line.is_met for line in summed_up(repeats)] == [False]


def test_the_machine_is_named_with_its_versions_and_the_commit() -> None:
    machine = Machine.this()

    assert machine.cores > 0
    assert all([machine.kernel, machine.python, machine.sqlite, machine.commit])


def test_the_file_system_of_a_folder_is_named(tmp_path: Path) -> None:
    assert Place.at(tmp_path).file_system != "unknown"
    assert Place.at(Path("/proc")).file_system == "proc"
