"""The page's prices are what its program prints."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_tables_of_costs_are_those_of_the_program() -> None:
    program = [sys.executable, "tools/aws_costs.py"]

    printed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    page = (ROOT / "docs/aws.md").read_text("utf-8")
    assert f"<!-- tools/aws_costs.py -->\n{printed}<!-- end -->\n" in page
