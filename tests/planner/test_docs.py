"""What docs/placement.md shows is what its commands print."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run, here, run

__all__ = ["here", "run"]

PAGE = Path(__file__).parents[2] / "docs" / "placement.md"
SHOWN = re.compile(r"<!-- plan -->\n```\n\$ hotdesk (plan [^\n]*)\n(.*?)```\n", re.DOTALL)


@pytest.mark.parametrize("shown", SHOWN.findall(PAGE.read_text("utf-8")), ids=lambda s: str(s[0]))
def test_a_command_of_the_page_prints_what_stands_below_it(
    run: Run, shown: tuple[str, str]
) -> None:
    command, expected = shown

    ran = run(*shlex.split(command))

    assert _even(ran.out) == _even(expected)


def _even(text: str) -> list[str]:
    """The lines without the spaces at their ends."""
    return [line.rstrip() for line in text.strip().splitlines()]
