"""What every page has: assets that are kept, little to load, and nothing that a policy forbids."""

import gzip
import re
from importlib.resources import files

import pytest

from hotdesk.web.assets import Assets
from tests.web.conftest import Web

pytestmark = pytest.mark.anyio

BROWSER = {"Accept": "text/html", "Accept-Encoding": "gzip"}
FIRST_LOAD_MAX = 100_000
# An attribute that runs or draws something, which the content security policy forbids.
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:", re.IGNORECASE
)
ASSETS = re.compile(r'(?:href|src)="(/assets/[^"]+)"')


async def test_a_first_load_is_small_and_the_next_one_smaller(web: Web) -> None:
    page = await web.viewer.get("/jobs", headers=BROWSER)
    assets = ASSETS.findall(page.text)

    loaded = [await web.stranger.get(url, headers=BROWSER) for url in assets]
    size = len(page.content) + sum(int(each.headers["content-length"]) for each in loaded)

    assert {url.partition("?")[0].rpartition(".")[2] for url in assets} == {"css", "js", "svg"}
    assert size < FIRST_LOAD_MAX
    assert all("immutable" in each.headers["cache-control"] for each in loaded)
    assert page.headers["cache-control"] == "no-store"


async def test_an_asset_of_a_former_version_is_not_kept(web: Web) -> None:
    old = await web.stranger.get("/assets/app.css?0123456789abcdef")
    plain = await web.stranger.get("/assets/app.css", headers={"Accept-Encoding": "identity"})

    assert old.headers["cache-control"] == plain.headers["cache-control"] == "no-cache"
    assert old.text == plain.text == files("hotdesk.web").joinpath("assets/app.css").read_text()
    assert old.headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["/assets/", "/assets/nothing.js", "/assets/../app.py", "/assets/%2e%2e/app.py"]
)
async def test_nothing_but_assets_is_among_them(web: Web, path: str) -> None:
    answer = await web.stranger.get(path)

    assert answer.status_code in {401, 404}
    assert "import" not in answer.text


def test_no_template_holds_what_the_policy_forbids() -> None:
    folder = files("hotdesk.web").joinpath("templates")

    found = {
        file.name: INLINE.findall(file.read_text())
        for file in folder.iterdir()
        if INLINE.search(file.read_text())
    }

    assert found == {}


def test_no_template_trusts_what_it_shows() -> None:
    folder = files("hotdesk.web").joinpath("templates")

    trusting = [each.name for each in folder.iterdir() if re.search(r"\|\s*safe", each.read_text())]

    assert trusting == []


def test_the_script_neither_evaluates_nor_asks_others() -> None:
    script = files("hotdesk.web").joinpath("assets/app.js").read_text()

    assert not re.search(
        r"\beval\b|\bFunction\(|setTimeout\(\s*[\"'`]|document\.write|https?://", script
    )


async def test_an_error_is_a_page_for_a_browser_and_says_what_to_do(web: Web) -> None:
    missing = await web.viewer.get("/nothing", headers=BROWSER)
    wrong = await web.viewer.get("/jobs?state=<b>", headers=BROWSER)
    told = await web.viewer.get("/nothing")

    assert (missing.status_code, wrong.status_code, told.status_code) == (404, 422, 404)
    assert "<h1>Not Found</h1>" in missing.text
    assert 'href="/jobs"' in missing.text
    assert "<b>" not in wrong.text
    assert told.headers["content-type"] == "application/problem+json"


async def test_a_page_marks_where_it_stands_and_names_who_looks(web: Web) -> None:
    page = (await web.viewer.get("/desks", headers=BROWSER)).text

    assert page.count('aria-current="page"') == 1
    assert '<a href="/desks" data-go="d" aria-current="page">' in page
    assert "vera, viewer" in page


def test_packed_and_plain_are_the_same() -> None:
    for asset in Assets()._assets.values():
        assert gzip.decompress(asset.packed) == asset.content
