"""docs/security.md names for each attack the test that would notice it; each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/security.md"
NAMED = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")
DEFINED = re.compile(r"^ *(?:async )?def (test_\w+)\(", re.MULTILINE)


def defined(file: str) -> list[str]:
    path = ROOT / file
    return DEFINED.findall(path.read_text()) if path.exists() else []


def test_every_test_that_the_page_names_exists() -> None:
    named = NAMED.findall(PAGE.read_text())

    assert len(named) > 50
    assert [(name, file) for name, file in named if name not in defined(file)] == []


def test_every_attack_on_the_page_names_a_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.count(" | ") == 2]
    attacks = [row for row in rows if "---" not in row and not row.endswith(("| test |", "|  |"))]

    assert [row for row in attacks if not NAMED.search(row)] == []


def test_every_attack_that_is_tried_here_stands_on_the_page() -> None:
    named = {name for name, _ in NAMED.findall(PAGE.read_text())}
    tried = {
        name
        for file in ("test_agents.py", "test_races.py", "test_repositories.py")
        for name in defined(f"tests/attacks/{file}")
    }

    assert tried - named == set()
