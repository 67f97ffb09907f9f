"""What people do on pages, and what they see of what others do meanwhile, without a reload."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.house import House

pytestmark = pytest.mark.anyio


async def mark(page: Page) -> None:
    """Leave something on a page that a reload would take away."""
    await page.evaluate("window.isSame = true")


async def is_same(page: Page) -> bool:
    return bool(await page.evaluate("window.isSame === true"))


def has_ended_again(before: str) -> Callable[[dict[str, Any]], bool]:
    return lambda job: job["ended_at"] not in {None, before}


async def test_a_job_that_others_submit_appears_without_a_reload(
    open_tab: Open, house: House
) -> None:
    async with open_tab() as tab:
        await tab.page.goto("/jobs?desk=billing/live")
        await expect(tab.page.get_by_text("No job is like that.")).to_be_visible()
        await mark(tab.page)

        job = await house.submit("write it live", desk="billing/live")

        row = tab.page.locator(f"#job-{job}")
        await expect(row).to_contain_text("write it live")
        await expect(row).to_contain_text("Succeeded")
        assert await is_same(tab.page)


async def test_output_comes_with_what_was_printed_before_and_is_only_text(
    open_tab: Open, house: House
) -> None:
    job = await house.submit("slow <script>", desk="billing/output")
    await house.until(job, "running")
    async with open_tab() as tab:
        await tab.page.goto(f"/jobs/{job}")
        await mark(tab.page)

        output = tab.page.get_by_role("list", name="Agent output")
        await expect(output.locator(".t-green")).to_have_text("green")
        await expect(output).to_contain_text("working on: slow <script>")
        await expect(output).to_contain_text("<b>not html</b>")
        await expect(output).to_contain_text("and the rest")
        await expect(tab.page.locator(".badge").first).to_have_text("Succeeded")
        assert await is_same(tab.page)


async def test_a_running_job_is_interrupted_with_a_message(open_tab: Open, house: House) -> None:
    job = await house.submit("a long one", desk="billing/interrupt")
    await house.until(job, "running")
    async with open_tab() as tab:
        await tab.page.goto(f"/jobs/{job}")

        await tab.page.get_by_role("button", name="Interrupt with a message").click()
        await tab.page.get_by_role("textbox", name="Message").fill("write this instead")
        await tab.page.get_by_role("button", name="Send").click()

        stopped = await house.until(job, "preempted")
        await tab.page.goto("/jobs?desk=billing/interrupt&state=succeeded")
        await expect(tab.page.get_by_text("write this instead")).to_be_visible()
        assert stopped["instruction"] == "a long one"


async def test_a_job_is_cancelled_after_a_question(open_tab: Open, house: House) -> None:
    job = await house.submit("a long one", desk="billing/cancel")
    await house.until(job, "running")
    async with open_tab() as tab:
        await tab.page.goto(f"/jobs/{job}")

        await tab.page.get_by_role("button", name="Cancel", exact=True).click()
        await tab.page.get_by_role("button", name="Back").click()
        still = await house.api.get(f"/jobs/{job}")
        await tab.page.get_by_role("button", name="Cancel", exact=True).click()
        await tab.page.get_by_role("button", name="Cancel the job").click()

        await house.until(job, "cancelled")
        assert still.json()["state"] == "running"
        await expect(tab.page.locator(".badge").first).to_have_text("Cancelled")


async def test_a_dead_job_is_sent_again(open_tab: Open, house: House) -> None:
    job = await house.submit("fail", desk="billing/again")
    dead = await house.until(job, "dead")
    async with open_tab() as tab:
        await tab.page.goto(f"/jobs/{job}")

        await tab.page.get_by_role("button", name="Retry", exact=True).click()
        await tab.page.locator("dialog[open]").get_by_role("button", name="Retry").click()

        again = await house.once(f"/jobs/{job}", has_ended_again(dead["ended_at"]))
        assert again["ended_at"] > dead["ended_at"]


async def test_dead_letters_are_retried_together_after_their_count_is_shown(
    open_tab: Open, house: House
) -> None:
    jobs = [await house.submit(f"fail {n}", desk="billing/bulk") for n in range(3)]
    ended = {job: (await house.until(job, "dead"))["ended_at"] for job in jobs}
    async with open_tab() as tab:
        await tab.page.goto("/dead?desk=billing/bulk")
        await tab.page.get_by_label("Choose all on this page").check()
        await tab.page.get_by_label(f"Choose {jobs[0]}").uncheck()

        await tab.page.get_by_role("button", name="Retry chosen…").click()
        await tab.page.get_by_role("button", name="Retry 2 jobs").click()

        await tab.page.wait_for_url("**/dead*")
        await expect(tab.page.locator("#toast")).to_contain_text("2")
        for job in jobs[1:]:
            await house.once(f"/jobs/{job}", has_ended_again(ended[job]))
        left = await house.api.get(f"/jobs/{jobs[0]}")
        assert left.json()["ended_at"] == ended[jobs[0]]


async def test_filters_stand_in_the_address_and_survive_a_reload(
    open_tab: Open, house: House
) -> None:
    async with open_tab() as tab:
        await tab.page.goto("/jobs")
        await tab.page.get_by_label("State").select_option("dead")
        await tab.page.get_by_label("Desk").fill("amelia/ana")
        await tab.page.get_by_role("button", name="Show").click()
        await tab.page.wait_for_url("**/jobs?*state=dead*")

        await tab.page.reload()

        assert "desk=amelia%2Fana" in tab.page.url
        assert await tab.page.get_by_label("State").input_value() == "dead"
        assert await tab.page.get_by_label("Desk").input_value() == "amelia/ana"
