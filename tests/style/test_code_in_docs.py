"""The Python in README and docs runs.

Each block marked ``python`` is a program of its own, run in an empty folder. Two HTML
comments above a block change that::

    <!-- continues -->            the block goes on where the one before it ended
    <!-- not run: <reason> -->    the block is only compiled
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A block of code, with what went before it where it continues another."""

    line: int
    code: str
    is_run: bool


def programs(page: str) -> Iterator[Program]:
    """Yield the programs in the Markdown text *page*; a block and its continuations are one."""
    program: Program | None = None
    remark = ""
    for token in MarkdownIt("commonmark").parse(page):
        if token.type == "fence" and token.map and token.info.split()[:1] == ["python"]:
            is_run = not re.search(r"<!-- not run: .+ -->", remark)
            if "<!-- continues -->" in remark:
                assert program, "there is nothing to continue"
                code = program.code + token.content
                program = Program(line=program.line, code=code, is_run=program.is_run and is_run)
            else:
                if program:
                    yield program
                program = Program(line=token.map[0] + 2, code=token.content, is_run=is_run)
        remark = token.content if token.type == "html_block" else ""
    if program:
        yield program


def run(program: Program, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run *program* as a reader would, with warnings as errors and no settings of ours."""
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": str(folder)}
    script = folder / "program.py"
    script.write_text(program.code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(program, id=f"{page.relative_to(ROOT)}:{program.line}")
        for page in PAGES
        for program in programs(page.read_text(encoding="utf-8"))
    ],
)
def test_the_python_on_a_page_runs_as_it_stands(program: Program, tmp_path: Path) -> None:
    compile(program.code, "page", "exec")

    if program.is_run:
        result = run(program, tmp_path)
        assert result.returncode == 0, result.stderr


def test_a_block_can_continue_the_one_before_it(tmp_path: Path) -> None:
    page = "```python\nx = 1\n```\n\n<!-- continues -->\n```python\nassert x == 1\n```\n"

    (program,) = programs(page)

    assert run(program, tmp_path).returncode == 0


def test_a_block_stands_alone_unless_it_says_that_it_continues(tmp_path: Path) -> None:
    page = "```python\nx = 1\n```\n\nThen:\n\n```python\nassert x == 1\n```\n"

    first, second = programs(page)

    assert run(first, tmp_path).returncode == 0
    assert "NameError" in run(second, tmp_path).stderr


def test_a_block_that_is_not_run_says_why() -> None:
    explained = "<!-- not run: it needs AWS -->\n```python\nx\n```\n"
    unexplained = "<!-- not run: -->\n```python\nx\n```\n"

    assert [program.is_run for program in programs(explained + unexplained)] == [False, True]


def test_a_warning_on_a_page_is_an_error(tmp_path: Path) -> None:
    (program,) = programs("```python\nimport warnings\nwarnings.warn('old')\n```\n")

    assert "UserWarning: old" in run(program, tmp_path).stderr
