"""The lists of desks and of jobs, as pages."""

import httpx
import pytest

from tests.web.conftest import Web

pytestmark = pytest.mark.anyio

EVIL = "<script>alert(1)</script>"


async def test_a_job_stands_in_the_list_with_its_instruction_escaped(web: Web) -> None:
    await web.client.submit("bakery/ana", EVIL, id="j1")

    page = await web.viewer.get("/jobs")

    assert page.status_code == 200
    assert EVIL not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert 'href="/jobs/j1"' in page.text


async def test_filters_of_the_address_are_kept_in_the_page(web: Web) -> None:
    await web.client.submit("bakery/ana", "one", id="j1")
    await web.client.submit("bakery/ben", "two", id="j2")

    page = await web.viewer.get("/jobs?desk=bakery/ben&state=queued")

    assert 'href="/jobs/j2"' in page.text
    assert 'href="/jobs/j1"' not in page.text
    assert 'value="bakery/ben"' in page.text
    assert '<option value="queued" selected>' in page.text


@pytest.mark.parametrize(
    "url", ["/jobs?state=odd", "/jobs?desk=a", "/jobs?page=2", "/jobs?desk=a/b&desk=c/d"]
)
async def test_a_filter_that_is_none_is_refused(web: Web, url: str) -> None:
    answer = await web.viewer.get(url)

    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["/jobs", "/desks"])
async def test_pages_of_a_list_follow_each_other_to_its_end(web: Web, path: str) -> None:
    names = [f"u{number}" for number in range(60)]
    await web.client.submit_many(
        [web.client.new_job(f"bakery/{name}", "do", id=name) for name in names]
    )

    first = await web.viewer.get(path)
    second = await web.viewer.get(_older(first))

    links = [f'href="{path}/{name}"' for name in names]
    if path == "/desks":
        links = [f'href="/desks/bakery/{name}"' for name in names]
    seen = [link for page in (first, second) for link in links if link in page.text]
    assert sorted(seen) == sorted(links)
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/jobs", "No job was submitted yet."),
        ("/jobs?state=dead", "No job is like that."),
        ("/desks", "There is no desk yet."),
        ("/desks?waiting=true", "No desk is waiting."),
    ],
)
async def test_a_list_with_nothing_in_it_says_what_happens_next(
    web: Web, path: str, sentence: str
) -> None:
    page = await web.viewer.get(path)

    assert sentence in page.text


def _older(page: httpx.Response) -> str:
    return page.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
