"""The check behind `make docs`: which links of a Markdown page lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.links import anchors, broken_links

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with a page to link to."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/claims.md").write_text("# The claim\n## Who `owns` a desk?\n")
    return tmp_path


@pytest.mark.parametrize(
    "link",
    [
        "docs/claims.md",
        "docs",
        "docs/claims.md#the-claim",
        "docs/claims.md#who-owns-a-desk",
        "#here",
        "https://example.org/nowhere",
        "mailto:amelia@example.org",
    ],
)
def test_a_link_that_leads_somewhere_is_not_reported(root: Path, link: str) -> None:
    page = root / "README.md"
    page.write_text(f"# Here\n\n[a link]({link})\n")

    assert list(broken_links(root, [page])) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[x](docs/lease.md)", "docs/lease.md: no such file"),
        ("![x](docs/pool.png)", "docs/pool.png: no such file"),
        ("[x][1]\n\n[1]: docs/lease.md", "docs/lease.md: no such file"),
        ("| a |\n| - |\n| [x](lease.md) |", "lease.md: no such file"),
        ("[x](docs/claims.md#the-lease)", "docs/claims.md#the-lease: no such heading"),
        ("[x](#nowhere)", "#nowhere: no such heading"),
        ("[x](/docs/claims.md)", "/docs/claims.md: leads out of the repository"),
        ("[x](../secrets.md)", "../secrets.md: leads out of the repository"),
    ],
)
def test_a_link_that_leads_nowhere_is_reported_with_its_place(
    root: Path, text: str, wrong: str
) -> None:
    page = root / "README.md"
    page.write_text(f"# Here\n\n{text}\n")

    found = list(broken_links(root, [page]))

    assert len(found) == 1
    assert found[0].startswith("README.md:")
    assert found[0].endswith(wrong)


def test_links_inside_code_are_examples_and_not_followed(root: Path) -> None:
    page = root / "README.md"
    page.write_text("`[x](nowhere.md)`\n\n```\n[x](nowhere.md)\n```\n")

    assert list(broken_links(root, [page])) == []


def test_headings_of_one_name_get_anchors_of_their_own() -> None:
    page = '# Use\n## Use\n## Don\'t *panic*, `job_id`!\n<a name="old-name"></a>\n'

    assert anchors(page) == {"use", "use-1", "dont-panic-job_id", "old-name"}
