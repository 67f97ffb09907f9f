"""Whom the real Claude Code speaks to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.agents


@pytest.mark.needs("unshare")
@pytest.mark.skipif(os.getuid() != 0, reason="only root makes a namespace for a network")
def test_nothing_but_loopback_is_asked_for(passable: Path) -> None:
    done = subprocess.run(
        [
            *("unshare", "--net", sys.executable, "-m", "tests.agents.real.alone"),
            str(passable / "room"),
        ],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=18,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    before, after, in_the_end = said["counts"]
    assert said["text"] == "done"
    assert after == before
    # It is noticed if something does want to leave.
    assert in_the_end > after
