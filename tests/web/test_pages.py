"""Pages of lists: turned one after another, each by the cursor of the one before."""

import base64

import pytest

from hotdesk.backends.sqlite import listing
from tests.web.conftest import Web
from tests.web.test_jobs import JOBS, submit

pytestmark = pytest.mark.anyio


async def turned(web: Web, path: str, **query: str | int) -> list[str]:
    """The names of all records of a list, page after page."""
    found: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        more = {"cursor": cursor} if cursor else {}
        page = (await web.viewer.get(path, params={**query, **more, "limit": 2})).json()
        assert len(page["items"]) <= 2
        found += [str(next(iter(each.values()))) for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found
    raise AssertionError(f"it goes on: {found}")


async def test_every_list_is_seen_once_page_by_page(web: Web) -> None:
    jobs = [(await submit(web, str(n), desk=f"amelia/u{n}", thread="t"))["job"] for n in range(5)]
    more = [(await submit(web, str(n), desk="amelia/u0", thread="t"))["job"] for n in range(3)]

    assert await turned(web, JOBS) == [*jobs, *more][::-1]
    assert await turned(web, JOBS, state="queued") == [*jobs, *more][::-1]
    assert await turned(web, JOBS, desk="amelia/u0") == [jobs[0], *more][::-1]
    assert await turned(web, "/api/v1/threads/amelia/u0/t") == [jobs[0], *more][::-1]
    assert sorted(await turned(web, "/api/v1/desks")) == [f"amelia/u{n}" for n in range(5)]
    assert sorted(await turned(web, "/api/v1/threads")) == [f"amelia/u{n}" for n in range(5)]
    assert await turned(web, "/api/v1/dead") == []


async def test_a_cursor_that_was_tampered_with_or_taken_elsewhere_is_refused(web: Web) -> None:
    for number in range(3):
        await submit(web, str(number))
    ours = (await web.viewer.get(JOBS, params={"limit": 1})).json()["next"]
    decoded = base64.urlsafe_b64decode(ours + "=" * (-len(ours) % 4))
    other = base64.urlsafe_b64encode(decoded[:-1] + b"9").decode().rstrip("=")

    async def status(path: str, cursor: str, **query: str) -> int:
        return (await web.viewer.get(path, params={"cursor": cursor, **query})).status_code

    assert await status(JOBS, ours) == 200
    for cursor in (other, ours[:-1], ours + "=", ours + "\n", ours.lower(), "1", "é", "x" * 401):
        assert await status(JOBS, cursor) == 422, cursor
    assert await status(JOBS, ours, state="queued") == 422
    assert await status("/api/v1/desks", ours) == 422
    assert await status("/api/v1/dead", ours) == 422


async def test_a_page_that_is_empty_leads_to_those_that_are_not(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH_MAX", 3)
    rare = (await submit(web, "rare", thread="rare"))["job"]
    for number in range(7):
        await submit(web, str(number), thread="t")

    page = (await web.viewer.get("/api/v1/threads/amelia/scott/rare")).json()

    assert page["items"] == []
    assert page["next"]
    assert await turned(web, "/api/v1/threads/amelia/scott/rare") == [rare]
    assert await turned(web, JOBS, desk="amelia/scott", thread="rare") == [rare]
