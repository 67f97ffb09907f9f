"""The website of the demo is a real repository, and what is said of it comes from its origin."""

from pathlib import Path

import pytest

from hotdesk.demo.site import PAGES, Site
from hotdesk.workspaces.git import Place

pytestmark = pytest.mark.anyio


async def test_the_origin_has_the_pages_on_its_base_and_no_thread(tmp_path: Path) -> None:
    site = Site(tmp_path / "demo")

    await site.build()

    assert {name: await site.page("main", name) for name in PAGES} == PAGES
    assert await site.branches() == []


async def test_a_branch_shows_its_commits_beyond_the_base_with_their_trailers(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    await site.build()
    at = Place(git_dir=site.copy / ".git", work_tree=site.copy)
    people = {f"GIT_{a}_{b}": "ann" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
    text = "Blue\n\nHotdesk-Job: j1\nHotdesk-Generation: 3\nHotdesk-Partial: true\n"
    for message in ("By hand", text):
        words = ("commit", "--quiet", "--allow-empty", "-m", message)
        await site.git.run(*words, at=at, environment=people)

    await site.git.run("push", "--quiet", "origin", "HEAD:refs/heads/hotdesk/scott/t1", at=at)

    [branch] = await site.branches()
    assert branch.name == "hotdesk/scott/t1"
    stamps = [(stamp.job, stamp.generation, stamp.is_partial) for _, stamp in branch.commits]
    assert stamps == [("j1", 3, True), ("", 0, False)]
