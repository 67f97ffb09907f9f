"""docs/http-api.md names every route of the API and no other, and every metric."""

import re
from pathlib import Path

import pytest

from tests.web.conftest import Web

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs/http-api.md").read_text(encoding="utf-8")
API = "/api/v1"


def named_routes() -> set[str]:
    """The routes of the table; ``…/x`` has another last part than the one before it."""
    found: set[str] = set()
    for row in re.findall(r"^\| (`(?:GET|POST) /.*?) \|", PAGE, re.MULTILINE):
        last = ""
        for given in re.findall(r"`([^`]+)`", row):
            last = last.rpartition("/")[0] + given[1:] if given.startswith("…") else given
            found.add(re.sub(r"\{\w+\}", "{}", last))
    return found


async def test_the_page_about_the_api_names_every_route_and_no_other(web: Web) -> None:
    document = (await web.viewer.get(f"{API}/openapi.json")).json()

    routes = {
        re.sub(r"\{\w+\}", "{}", f"{method.upper()} {path.removeprefix(API)}")
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith(API)
    }
    outside = {path for path in document["paths"] if not path.startswith(API)}

    assert named_routes() == routes
    assert all(f"`{path}`" in PAGE for path in outside)


async def test_the_page_about_the_api_names_every_metric(web: Web) -> None:
    text = (await web.viewer.get("/metrics")).text

    ours = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    named = set(re.findall(r"`(hotdesk_\w+)", PAGE))

    # When a counter began is told beside it.
    assert {name for name in ours if not name.endswith("_created")} == named
