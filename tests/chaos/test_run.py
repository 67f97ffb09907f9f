"""A short run of chaos: real processes and real faults, and nothing of it is left."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos import processes
from chaos.check import Kind

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
SECONDS_MAX = 540


@contextmanager
def chaos(*options: str) -> Iterator[subprocess.Popen[str]]:
    """A run that has ended when the block has."""
    command = [sys.executable, "-m", "chaos", "--json", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.terminate()
            run.wait(SECONDS_MAX)


def lines(run: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """What it says, line by line."""
    assert run.stdout is not None
    for line in run.stdout:
        yield json.loads(line)


@pytest.mark.timeout(SECONDS_MAX)
def test_a_short_run_breaks_no_promise() -> None:
    with chaos("--time", "10s", "--seed", "7") as run:
        *told, report = lines(run)

    assert report["violations"] == [], told
    assert run.wait() == 0
    assert not any(report[kind] for kind in Kind)
    assert report["jobs"] > 0
    assert report["answers"] > 0
    assert report["faults"]["kill -9 of a worker"] > 0
    assert report["faults"]["SIGSTOP of a worker"] > 0
    assert not Path(report["folder"]).exists()


def test_a_run_that_is_told_to_end_leaves_no_process_and_no_disk() -> None:
    with chaos("--time", "5m", "--seed", "7") as run:
        said = lines(run)
        folder = Path(next(said)["text"].rpartition(" ")[2])
        assert any("takes mail" in line["text"] for line in said)
        assert processes.workers(folder)

        run.send_signal(signal.SIGINT)

        assert run.wait(60) == 128 + signal.SIGINT
    assert [*processes.of_run(folder)] == []
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    assert not folder.exists()
