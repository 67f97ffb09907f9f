"""Every screen in a real browser: no complaint of it, and no sideways scrolling on a phone."""

import pytest

from tests.browser.chromium import PHONE
from tests.browser.conftest import Open

pytestmark = pytest.mark.anyio

FIRST_LOAD_MAX = 100_000
NOT_FOUND = "status of 404"  # Which the browser says of the page that is missing.


async def test_no_screen_makes_the_browser_complain(
    open_tab: Open, screens: dict[str, str]
) -> None:
    async with open_tab(complains=NOT_FOUND) as tab:
        for name, url in screens.items():
            await tab.page.goto(url)
            heading = tab.page.get_by_role("heading", level=1)
            assert await heading.count() == 1, name
            if name != "missing":
                await tab.page.wait_for_selector("#live-switch[data-state=live]")


async def test_no_screen_scrolls_sideways_on_a_phone(
    open_tab: Open, screens: dict[str, str]
) -> None:
    async with open_tab(width=PHONE, complains=NOT_FOUND) as tab:
        too_wide = {}
        for name, url in screens.items():
            await tab.page.goto(url)
            width = await tab.page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE:
                too_wide[name] = width

        assert too_wide == {}


async def test_the_policy_forbids_what_a_hostile_page_would_do(open_tab: Open) -> None:
    async with open_tab(complains="Content Security Policy") as tab:
        await tab.page.goto("/jobs")

        await tab.page.evaluate(
            """() => {
                document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>x</p>");
                const script = document.createElement("script");
                script.textContent = "window.isCaught = true";
                document.body.append(script);
            }"""
        )

        assert await tab.page.evaluate("window.isCaught") is None
        assert len(tab.complaints) == 2


async def test_a_first_load_is_less_than_100_kb_over_the_wire(open_tab: Open) -> None:
    async with open_tab() as tab:
        wire = await tab.page.context.new_cdp_session(tab.page)
        loaded: list[int] = []
        wire.on(
            "Network.loadingFinished", lambda done: loaded.append(int(done["encodedDataLength"]))
        )
        await wire.send("Network.enable")

        await tab.page.goto("/")

        assert len(loaded) >= 4  # The page, its styles, its script and its icon.
        assert 5_000 < sum(loaded) < FIRST_LOAD_MAX
