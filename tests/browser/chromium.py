"""Debian's Chromium, and pages in it that remember what the browser complained about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from playwright.async_api import Browser, Page, async_playwright

PROGRAM = "/usr/bin/chromium"
ARGUMENTS = """--no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync""".split()
MILLISECONDS_MAX = 15_000
WIDE, PHONE = 1280, 390
HEIGHT = 844
Theme = Literal["light", "dark"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A page, and what the browser said about it: errors, and breaches of the policy too."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def tab(
    browser: Browser,
    url: str,
    *,
    cookies: list[dict[str, object]] | None = None,
    width: int = WIDE,
    theme: Theme = "light",
    bypass_csp: bool = False,
    scale: float = 1,
) -> AsyncIterator[Tab]:
    """A page in a context of its own; paths are taken from *url* on."""
    context = await browser.new_context(
        base_url=url,
        viewport={"width": width, "height": HEIGHT},
        color_scheme=theme,
        bypass_csp=bypass_csp,
        device_scale_factor=scale,
        reduced_motion="reduce",
        timezone_id="UTC",
        locale="en-GB",
    )
    context.set_default_timeout(MILLISECONDS_MAX)
    try:
        if cookies:
            await context.add_cookies(cookies)  # type: ignore[arg-type] # As they were given.
        opened = Tab(page=await context.new_page())
        opened.page.on(
            "console",
            lambda said: (
                opened.complaints.append(f"{said.type}: {said.text}")
                if said.type in {"error", "warning"}
                else None
            ),
        )
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        yield opened
    finally:
        await context.close()


async def cookies_of(browser: Browser, invitation: str) -> list[dict[str, object]]:
    """Log in with an invitation, and return what the browser keeps of it."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(invitation)
    await page.wait_for_url("**/", timeout=MILLISECONDS_MAX)
    kept = [dict(cookie) for cookie in await context.cookies()]
    await context.close()
    return kept
