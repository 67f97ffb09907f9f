"""Logging in and out in a real browser; and pages whose server is started again."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

import hotdesk
from tests.browser.chromium import cookies_of, tab
from tests.browser.conftest import HERE, Open, Things, open_to_agents
from tests.browser.house import VIEWER, House

pytestmark = pytest.mark.anyio

REFUSED = "status of 401"  # Which the browser says of a log-in that is refused.


async def test_a_token_lets_in_who_it_belongs_to_until_they_leave(
    open_tab: Open, things: Things
) -> None:
    async with open_tab(is_known=False, complains=REFUSED) as opened:
        page = opened.page
        await page.goto("/jobs?state=dead")
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_contain_text("this is not known here")

        await page.get_by_label("Token").fill(VIEWER)
        await page.get_by_role("button", name="Log in").click()

        await page.wait_for_url("**/jobs?state=dead")
        await expect(page.locator("footer")).to_contain_text("vera, viewer")
        await page.goto("/desks/amelia/scott")
        assert await page.get_by_role("button", name="Send an instruction").count() == 0
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url("**/login")
        await page.goto("/jobs")
        await page.wait_for_url("**/login?*")


async def test_an_invitation_lets_one_browser_in_once(open_tab: Open, house: House) -> None:
    invitation = house.invitation()
    async with open_tab(is_known=False) as first:
        await first.page.goto(invitation)
        await first.page.wait_for_url(f"{house.url}/")
        await expect(first.page.get_by_role("heading", level=1)).to_have_text("Overview")
        kept = await first.page.evaluate("document.cookie")
    async with open_tab(is_known=False, complains=REFUSED) as second:
        await second.page.goto(invitation)

        await expect(second.page.get_by_role("alert")).to_contain_text("this is not known here")
        assert invitation.partition("#")[2] not in second.page.url
    assert kept == ""


@pytest.fixture
def other_house(tmp_path: Path) -> House:
    """A Hotdesk that can be ended, without workers."""
    agent = open_to_agents(tmp_path, HERE / "agent.sh")
    return House(
        folder=tmp_path,
        agent=["/bin/sh", str(agent)],
        shown=[agent],
        settings={"pool": {"min_workers": 0, "max_workers": 0}},
    )


async def test_a_page_shows_what_happened_while_its_server_was_away(
    browser: Browser, other_house: House
) -> None:
    async with AsyncExitStack() as stack:
        async with other_house.running():
            cookies = await cookies_of(browser, other_house.invitation())
            opening = tab(browser, other_house.url, cookies=cookies)
            here = await stack.enter_async_context(opening)
            await here.page.goto("/jobs")
            switch = here.page.locator("#live-switch")
            await expect(switch).to_have_text("Live")
            await here.page.evaluate("window.isSame = true")
        await expect(switch).to_have_text("Reconnecting")
        async with hotdesk.connect(f"sqlite:///{other_house.folder / 'hotdesk.db'}") as client:
            await client.submit(desk="amelia/scott", instruction="sent meanwhile", thread="t")

        async with other_house.running():
            await expect(switch).to_have_text("Live", timeout=20_000)
            await expect(here.page.get_by_text("sent meanwhile")).to_be_visible()
            await other_house.submit("sent afterwards", desk="amelia/scott")
            await expect(here.page.get_by_text("sent afterwards")).to_be_visible()

            assert await here.page.evaluate("window.isSame") is True
