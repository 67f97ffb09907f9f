"""What the keyboard does: going elsewhere, finding, pausing, and the list of keys."""

import pytest

from tests.browser.conftest import Open

pytestmark = pytest.mark.anyio


async def test_letters_go_to_screens_and_help_is_shown(open_tab: Open) -> None:
    async with open_tab() as tab:
        page = tab.page
        await page.goto("/desks")

        for letter, path in {"j": "/jobs", "x": "/dead", "w": "/workers", "o": "/"}.items():
            await page.keyboard.press("g")
            await page.keyboard.press(letter)
            await page.wait_for_url(f"**{path}", wait_until="load")
        await page.keyboard.press("?")
        await page.wait_for_selector("#keys[open]")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("#keys:not([open])", state="attached")
        await page.keyboard.press("/")
        await page.wait_for_url("**/jobs#find")
        focused = await page.evaluate("document.activeElement.name")

        assert focused == "desk"


async def test_letters_that_are_typed_do_nothing_else(open_tab: Open) -> None:
    async with open_tab() as tab:
        page = tab.page
        await page.goto("/jobs")

        await page.keyboard.press("/")
        await page.keyboard.type("gop?/c")

        assert await page.evaluate("document.activeElement.value") == "gop?/c"
        assert page.url.endswith("/jobs")
        assert await page.locator("dialog[open]").count() == 0


async def test_a_page_is_paused_and_goes_on_by_a_key(open_tab: Open) -> None:
    async with open_tab() as tab:
        page = tab.page
        await page.goto("/jobs")
        switch = page.get_by_role("button", name="Live", exact=True)
        await switch.wait_for()

        await page.keyboard.press("p")

        await page.get_by_role("button", name="Paused").wait_for()
        await page.keyboard.press("p")
        await switch.wait_for()
