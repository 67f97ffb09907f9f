"""The website of the demo, and the demo agent as the process that it is."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hotdesk.demo import agent
from hotdesk.demo.site import PAGES

AGENT = (sys.executable, "-I", agent.__file__)
Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the pages."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, content in PAGES.items():
        (folder / name).write_text(content)
    return folder


@pytest.fixture
def ask(site: Path, tmp_path: Path) -> Ask:
    """Give the agent an instruction, and the interrupted ones before it; wait for its end."""

    def ask(
        instruction: str, *, folded: Sequence[str] = (), options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        job_file = tmp_path / "job.json"
        job_file.write_text(
            json.dumps(
                {
                    "job": "j1",
                    "desk": "amelia/scott",
                    "generation": 1,
                    "folded": [{"instruction": each} for each in folded],
                }
            )
        )
        return subprocess.run(
            [*AGENT, *options],
            cwd=site,
            env={"HOTDESK_JOB_FILE": str(job_file)},
            input=instruction,
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )

    return ask
