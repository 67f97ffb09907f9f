"""One Hotdesk and one browser for all of these tests; a context of its own for each page."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser

from hotdesk.demo.site import Site
from tests.browser.chromium import WIDE, Tab, Theme, chromium, cookies_of, tab
from tests.browser.house import House

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them run in one process, which has the browser and the server."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.needs("chromium"))
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(90))


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """What there is to look at, by the ids of jobs."""

    done: str
    stopped: str
    running: str
    queued: str
    dead: str


Open = Callable[..., AbstractAsyncContextManager[Tab]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real browser."""
    async with chromium() as running:
        yield running


def open_to_agents(folder: Path, program: Path) -> Path:
    """Copy *program* to where agents, who may be another user, can run it."""
    copy = Path(shutil.copy(program, folder))
    copy.chmod(0o755)
    folder.chmod(0o755)
    return copy


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A Hotdesk with two workers, whose jobs die at once."""
    folder = tmp_path_factory.mktemp("house")
    agent = open_to_agents(folder, HERE / "agent.sh")
    await Site(folder).build()
    made = House(
        folder=folder,
        agent=["/bin/sh", str(agent)],
        shown=[agent],
        settings={
            "pool": {"min_workers": 2, "max_workers": 2},
            "limits": {"attempts_max": 1},
            "worker": {"linger_seconds": 1},
        },
    )
    async with made.running():
        yield made


@pytest.fixture(scope="session")
async def things(house: House) -> Things:
    """Jobs of every kind, a conversation and a mail that waits for approval."""
    done = await house.submit("write hello", desk="amelia/scott", thread="hello")
    dead = await house.submit("fail", desk="amelia/ana", thread="fails")
    await house.until(done, "succeeded")
    await house.until(dead, "dead")
    await house.mail("Please write more.", subject="From a guest", user="scott")
    stopped = await house.submit("a long one", desk="amelia/scott", thread="hello")
    await house.until(stopped, "running")
    newer = await house.submit("write it otherwise", desk="amelia/scott", thread="hello")
    await house.until(newer, "succeeded")
    running = await house.submit("a long job", desk="search/ben", thread="long")
    await house.until(running, "running")
    queued = await house.submit("write later", desk="search/ben", thread="x", interrupt="never")
    return Things(done=done, stopped=stopped, running=running, queued=queued, dead=dead)


@pytest.fixture(scope="session")
def screens(things: Things) -> dict[str, str]:
    """Every screen with something on it, by its name."""
    return {
        "overview": "/",
        "desks": "/desks",
        "desk": "/desks/search/ben",
        "desk-with-history": "/desks/amelia/scott",
        "jobs": "/jobs",
        "job": f"/jobs/{things.done}",
        "job-that-runs": f"/jobs/{things.running}",
        "job-that-was-stopped": f"/jobs/{things.stopped}",
        "job-that-died": f"/jobs/{things.dead}",
        "threads": "/threads",
        "thread": "/threads/amelia/scott/hello",
        "workers": "/workers",
        "dead": "/dead",
        "dead-chosen": f"/dead/discard?jobs={things.dead}",
        "dead-edited": f"/dead/edit/{things.dead}",
        "health": "/health",
        "empty-list": "/jobs?desk=nobody/here",
        "missing": "/nothing",
    }


@pytest.fixture(scope="session")
async def cookies(browser: Browser, house: House) -> list[dict[str, object]]:
    """What a browser keeps that is logged in."""
    return await cookies_of(browser, house.invitation())


@pytest.fixture
def open_tab(browser: Browser, house: House, cookies: list[dict[str, object]]) -> Open:
    """Open a page that is logged in; the browser must not have complained by its end."""

    @asynccontextmanager
    async def open_tab(
        *,
        width: int = WIDE,
        theme: Theme = "light",
        bypass_csp: bool = False,
        is_known: bool = True,
        complains: str = "",
    ) -> AsyncIterator[Tab]:
        async with tab(
            browser,
            house.url,
            cookies=cookies if is_known else None,
            width=width,
            theme=theme,
            bypass_csp=bypass_csp,
        ) as opened:
            yield opened
            others = [each for each in opened.complaints if not complains or complains not in each]
            assert others == []

    return open_tab
