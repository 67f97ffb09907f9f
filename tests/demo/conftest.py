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


def variables(folder: Path, **job: object) -> dict[str, str]:
    """Write the job file into *folder*; return what tells the agent of it."""
    job_file = folder / "job.json"
    told = {"id": "j1", "desk": "amelia/scott", "folded": [], "partial_commit": ""}
    job_file.write_text(json.dumps(told | job))
    return {"HOTDESK_JOB_FILE": str(job_file), "HOTDESK_RESULT_FILE": str(folder / "result.txt")}


@pytest.fixture
def ask(site: Path, tmp_path: Path) -> Ask:
    """Give the agent an instruction, and the interrupted ones before it; wait for its end."""

    def ask(
        instruction: str,
        *,
        folded: Sequence[str] = (),
        options: Sequence[str] = (),
        commit: str = "",
    ) -> subprocess.CompletedProcess[str]:
        before = [{"job_id": "j0", "instruction": each} for each in folded]
        return subprocess.run(
            [*AGENT, *options],
            cwd=site,
            env=variables(tmp_path, folded=before, partial_commit=commit),
            input=instruction,
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )

    return ask
