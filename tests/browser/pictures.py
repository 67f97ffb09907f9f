"""``make screenshots``: every screen of a real run, wide and on a phone, light and dark.

It runs the website of the demo and the demo's agent in a Hotdesk of its own, waits until there is
something on every screen, and writes PNG files of few colours into ``docs/pictures/dashboard``.
"""

import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import anyio
from PIL import Image
from playwright.async_api import Browser

from hotdesk.confinement import find_confinement
from hotdesk.demo import program
from hotdesk.demo.site import Site
from hotdesk.runners.process import PROGRAM_PATH
from tests.browser.chromium import PHONE, WIDE, Theme, chromium, cookies_of, tab
from tests.browser.house import USERS, House

FOLDER = Path("docs/pictures/dashboard")
FREQUENT, RARE = 36, 20  # Colours: grounds as they are, and what stands out on them.
HEIGHTS_MAX = {WIDE: 1300, PHONE: 1250}
THEMES: tuple[Theme, ...] = ("light", "dark")
PACE_SECONDS = 1.5
SLOW_SECONDS = 8.0  # Long enough to be looked at while it runs.
GREEN = "Make the header dark green"
LONG = (
    'Replace "Cinnamon rolls" by "Cinnamon knots".\nMake the footer khaki, make the page white, '
    "make the links orange, make the headings ivory and make the text black.\n"
    'Set the title to "Amelia bakes".\nChange the text of the footer to "12 Mill Lane".\n'
)


async def work(house: House) -> dict[str, str]:
    """Let things happen, as people would; return the addresses of the screens."""
    title = await house.submit(
        'Set the title to "Amelia bakes".\nChange the text of the tagline to "Still warm".',
        desk="amelia/scott",
        thread="header",
    )
    hers = await house.submit(
        "Make the links tomato\nReplace Apple cake by Plum cake.", desk="amelia/ana", thread="links"
    )
    failed = await house.submit("Write me a search engine.", desk="search/ben")
    dead = [
        await house.submit("Make the footer gold", desk=desk, thread="footer")
        for desk in ("billing/mia", "billing/tom")
    ]
    await house.until(title, "succeeded")
    await house.until(hers, "succeeded")
    await house.until(failed, "failed")
    for job in dead:
        await house.until(job, "dead")
    stopped = await house.submit(
        "Make the header navy\nMake the footer beige.", desk="amelia/scott", thread="header"
    )
    await house.until(stopped, "running")
    await house.once(f"/jobs/{stopped}/log", lambda found: "[2/2]" in str(found))
    newer = await house.submit(GREEN, desk="amelia/scott", thread="header")
    await house.until(newer, "succeeded")
    await house.mail(
        "Could the page be a little brighter? Make the page white, please.",
        subject="The colour of the page",
        user="ana",
    )
    await house.mail(
        "Make the headings gold.", subject="Headings", user="scott", sender=USERS["scott"]
    )
    running = await house.submit(LONG, desk="search/ben", thread="spring")
    await house.submit(LONG, desk="search/lea", thread="links")
    await house.submit(LONG, desk="search/mia", thread="spring")
    await house.submit(GREEN, desk="search/ben", thread="other", interrupt="never")
    await house.submit(GREEN, desk="search/eva", thread="green")
    await house.submit("Make the footer gold", desk="amelia/scott", thread="gold")
    await house.once(f"/jobs/{running}/log", lambda found: "[3/8]" in str(found))
    return {
        "overview": "/",
        "workers": "/workers",
        "job-running": f"/jobs/{running}",
        "desks": "/desks",
        "desk": "/desks/amelia/scott",
        "jobs": "/jobs",
        "job": f"/jobs/{newer}",
        "threads": "/threads",
        "thread": "/threads/amelia/scott/header",
        "dead": "/dead",
        "health": "/health",
    }


async def picture(
    browser: Browser, house: House, cookies: list[dict[str, object]], where: str, **how: object
) -> Image.Image:
    """What a screen looks like, in few colours."""
    width, theme = how["width"], how["theme"]
    assert isinstance(width, int)
    assert theme == "light" or theme == "dark"  # noqa: PLR1714 - mypy understands it so
    async with tab(browser, house.url, cookies=cookies, width=width, theme=theme) as opened:
        await opened.page.goto(where)
        await opened.page.wait_for_selector("#live-switch[data-state=live]")
        height = await opened.page.evaluate("document.documentElement.scrollHeight")
        await opened.page.set_viewport_size(
            {"width": width, "height": min(height, HEIGHTS_MAX[width])}
        )
        shot = Image.open(io.BytesIO(await opened.page.screenshot()))
    return in_few_colours(shot.convert("RGB"))


def in_few_colours(shot: Image.Image) -> Image.Image:
    """The most frequent colours stay what they are; of the others some are chosen."""
    counted = Counter(shot.get_flattened_data()).most_common(FREQUENT)
    frequent = [part for colour, _ in counted if isinstance(colour, tuple) for part in colour]
    rare = shot.quantize(RARE, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*map(int, frequent), *rare[: 3 * RARE]])
    return shot.quantize(palette=palette, dither=Image.Dither.NONE)


async def check(browser: Browser, house: House, cookies: list[dict[str, object]]) -> None:
    """Ask the doctor, whose findings are a part of the page about health."""
    async with tab(browser, house.url, cookies=cookies) as opened:
        await opened.page.goto("/health")
        await opened.page.get_by_role("button", name="Check now").click()
        await opened.page.get_by_text("Nothing was checked").wait_for(state="hidden")


@contextmanager
def stage() -> Iterator[Path]:
    """A folder that agents, who may be another user, can look into."""
    with tempfile.TemporaryDirectory(prefix="hotdesk-pictures-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve()


async def make(folder: Path) -> int:
    """Make all of them; return how many bytes they have together."""
    confinement = find_confinement().best
    await Site(folder).build()
    agent = program.install(folder, confinement)
    # What is shown should not name where this machine has its Python, if there is a usual one.
    is_usual = shutil.which("python3", path=PROGRAM_PATH)
    command = ["python3", *agent.argv[1:]] if is_usual else agent.argv
    house = House(
        folder=folder,
        agent=[*command, "--pace", str(PACE_SECONDS)],
        shown=agent.shown[: 1 if is_usual else None],
        settings={
            "pool": {"min_workers": 3, "max_workers": 3},
            "limits": {"attempts_max": 1},
            "worker": {"linger_seconds": 2},
            "projects.search": {
                "repo": str(Site(folder).origin),
                "command": [*command, "--pace", str(SLOW_SECONDS)],
            },
            # Nobody listens there, so this agent ends with an error.
            "projects.billing": {
                "repo": str(Site(folder).origin),
                "command": [*command, "--trace", "127.0.0.1:9"],
            },
        },
    )
    size = 0
    async with house.running(), chromium() as browser:
        cookies = await cookies_of(browser, house.invitation())
        screens = await work(house)
        await check(browser, house, cookies)
        for (name, where), theme, width in product(screens.items(), THEMES, (WIDE, PHONE)):
            image = await picture(browser, house, cookies, where, width=width, theme=theme)
            file = FOLDER / f"{name}-{theme}{'-phone' if width == PHONE else ''}.png"
            image.save(file, optimize=True)
            size += file.stat().st_size
    return size


def main() -> None:
    """Write the pictures, and say how large they are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with stage() as folder:
        size = anyio.run(make, folder)
    print(f"{FOLDER}: {size / 1000:.0f} kB")  # noqa: T201 - a program for a terminal


if __name__ == "__main__":
    main()
