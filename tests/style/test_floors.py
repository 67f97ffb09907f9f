"""The contracts of import-linter in pyproject.toml refuse what they are there to refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).parents[2] / "pyproject.toml"

# A house with a window on each rule: everything here is allowed.
HOUSE = {
    "__init__.py": "",
    "errors.py": "",
    "desks.py": "from hotdesk import errors",
    "config.py": "import pydantic",
    "wiring.py": "from hotdesk import config\nfrom hotdesk.backends.sqlite import file",
    "backends/__init__.py": "",
    "backends/sqlite/__init__.py": "",
    "backends/sqlite/file.py": "import sqlite3\nfrom hotdesk import desks",
    "backends/aws/__init__.py": "",
    "backends/aws/queues.py": "import boto3, botocore",
}


def lint(folder: Path, house: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run import-linter, as `make check` does, on a package made of *house*."""
    for name, code in house.items():
        module = folder / "hotdesk" / name
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(code, encoding="utf-8")
    # The script is run through a one-liner, because the folder it is run in must come first
    # on the path of modules: the real package is installed as well.
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
            "--config",
            CONFIGURATION,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_house_whose_imports_point_down_is_accepted(tmp_path: Path) -> None:
    result = lint(tmp_path, HOUSE)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "code", "complaint"),
    [
        ("errors.py", "import hotdesk.desks", "hotdesk.errors -> hotdesk.desks"),
        ("attic.py", "", "hotdesk.attic"),
        ("wiring.py", "import boto3", "hotdesk.wiring -> boto3"),
        ("desks.py", "import sqlite3", "hotdesk.desks -> sqlite3"),
        ("backends/aws/queues.py", "import sqlite3", "hotdesk.backends.aws.queues -> sqlite3"),
        ("desks.py", "import pydantic", "hotdesk.desks -> pydantic"),
    ],
)
def test_an_import_that_a_floor_forbids_is_refused(
    tmp_path: Path, module: str, code: str, complaint: str
) -> None:
    result = lint(tmp_path, HOUSE | {module: code})

    assert result.returncode != 0
    assert complaint in result.stdout
