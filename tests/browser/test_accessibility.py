"""axe-core finds no violation: every screen, both themes, wide and on a phone."""

import hashlib
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser.chromium import PHONE, WIDE, Theme
from tests.browser.conftest import Open

pytestmark = pytest.mark.anyio

AXE = Path(__file__).parent / "assets" / "axe.min.js"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
NOT_FOUND = "status of 404"
RUN = """async (rules) => {
    const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
    const { violations, passes } = await axe.run({ resultTypes: ["violations"], ...only });
    const found = violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(
        (node) => `${id}: ${node.html}: ${node.failureSummary.replaceAll(/\\s+/g, " ")}`
    ));
    return { found, passed: passes.length };
}"""
OF_COLOURS = ["color-contrast", "link-in-text-block"]
OTHER: dict[Theme, Theme] = {"light": "dark", "dark": "light"}


def test_axe_core_is_the_file_that_it_says_it_is() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == SHA256


async def violations(page: Page, *rules: str) -> list[str]:
    """What axe-core finds on a page, by these rules or by all of them."""
    if not await page.evaluate("'axe' in window"):
        await page.add_script_tag(path=AXE)
    result = await page.evaluate(RUN, [*rules] or None)
    assert result["passed"] >= min(len(rules), 1) or not rules
    found: list[str] = result["found"]
    return found


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (PHONE, "dark")])
async def test_no_screen_has_a_violation(
    open_tab: Open, screens: dict[str, str], theme: Theme, width: int
) -> None:
    found = []
    # Scripts from elsewhere are refused by the policy, which is why it is set aside here.
    async with open_tab(width=width, theme=theme, bypass_csp=True, complains=NOT_FOUND) as tab:
        for name, url in screens.items():
            await tab.page.goto(url)
            found += [f"{name}: {each}" for each in await violations(tab.page)]
            # The other theme differs in its colours alone.
            await tab.page.emulate_media(color_scheme=OTHER[theme])
            others = await violations(tab.page, *OF_COLOURS)
            found += [f"{name}, {OTHER[theme]}: {each}" for each in others]
            await tab.page.emulate_media(color_scheme=theme)

    assert found == [], "\n".join(found)


async def test_the_log_in_and_open_dialogs_have_no_violation(
    open_tab: Open, screens: dict[str, str]
) -> None:
    async with open_tab(bypass_csp=True, is_known=False) as tab:
        await tab.page.goto("/login")
        log_in = await violations(tab.page)
    async with open_tab(bypass_csp=True) as tab:
        await tab.page.goto(screens["job-that-runs"])
        await tab.page.keyboard.press("c")
        await tab.page.wait_for_selector("dialog[open]")
        dialog = await violations(tab.page)
        await tab.page.keyboard.press("Escape")
        await tab.page.wait_for_selector("dialog[open]", state="hidden")
        await tab.page.keyboard.press("?")
        await tab.page.wait_for_selector("#keys[open]")
        keys = await violations(tab.page)

    assert [log_in, dialog, keys] == [[], [], []]


async def test_a_violation_is_found(open_tab: Open) -> None:
    async with open_tab(bypass_csp=True) as tab:
        await tab.page.goto("/jobs")
        await tab.page.evaluate(
            """() => {
                const faint = "<p style='color: #ddd; background: #fff'>faint</p><input>";
                document.querySelector("#main").insertAdjacentHTML("beforeend", faint);
            }"""
        )
        found = await violations(tab.page)

    assert {"color-contrast", "label"} <= {each.partition(":")[0] for each in found}
