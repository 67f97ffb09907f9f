"""Health as a page: checks on demand, settings with their origin, and who did what."""

import html
import os
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest
from click.testing import CliRunner

from hotdesk.cli.main import hotdesk
from hotdesk.clock import SystemClock
from hotdesk.config import load
from hotdesk.events import ActionTaken, JobDiscarded, MailDropped
from hotdesk.ports import Backend
from hotdesk.web import audit, doctor
from hotdesk.web.doctor import Doctor
from hotdesk.web.upkeep import Upkeep
from tests.web.conftest import Web, served
from tests.web.reading import element, words

pytestmark = pytest.mark.anyio

EVIL = "<script>alert(1)</script>"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "a-secret-of-16-bytes"

CONFIG = f"""\
data_dir = "{EVIL}"
[pool]
min_workers = 3
[web.tokens.deploy]
secret = "env:DEPLOY_TOKEN"
role = "operator"
"""


def program(code: str) -> Doctor:
    """A doctor of whom only the program is another one."""
    made = Doctor()
    made._command = [sys.executable, "-c", code]
    return made


async def examined(web: Web) -> str:
    """Ask for the checks, and see the page once they are made."""
    answer = await web.operator.post("/health/check")
    assert answer.status_code == 200, answer.text
    end = web.feed.end()
    with anyio.fail_after(20):
        while "Being made since" in (text := (await web.viewer.get("/health")).text):
            await web.feed.moved(end, wait=0.1)
    return text


def told(text: str) -> list[str]:
    """The findings, in words."""
    body = element(text, "checks").partition("<tbody>")[2]
    return [words(row) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]


async def test_the_checks_of_doctor_are_made_on_demand_and_kept(
    backend: Backend, tmp_path: Path
) -> None:
    config = tmp_path / "hotdesk.toml"
    config.write_text(f'backend = "sqlite:///{tmp_path / "hotdesk.db"}"\ndata_dir = "{tmp_path}"\n')
    async with served(backend, upkeep=Upkeep(doctor=Doctor(["--config", str(config)]))) as web:
        before = (await web.viewer.get("/health")).text

        found = told(await examined(web))
        again = await web.operator.post("/health/check")

        assert "Nothing was checked since this was started." in before
        assert f"Ok configuration is right ({config})" in found
        assert "Warn hotdesk up does not run start it: hotdesk up" in found
        assert again.json()["said"] == "That was checked just now."
        assert told((await web.viewer.get("/health")).text) == found
        assert (await web.backend.events())[-1].details["action"] == "check"


async def test_checks_are_made_once_at_a_time_and_end_in_time(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SECONDS_MAX", 1)
    marks = tmp_path / "marks"
    marks.touch()
    endless = f"import time; open({str(marks)!r}, 'a').write('x'); time.sleep(60)"
    async with served(backend, upkeep=Upkeep(doctor=program(endless))) as web:
        first = await web.operator.post("/health/check")
        second = await web.operator.post("/health/check")
        found = told(await examined(web))

    assert marks.read_text() == "x"
    assert first.json()["said"] == "The checks are being made."
    assert second.json()["said"] == "The checks are being made already."
    assert found == ["Fail the checks took longer than 1 s run: hotdesk doctor"]


async def test_checks_end_with_the_server(backend: Backend, tmp_path: Path) -> None:
    marks = tmp_path / "pid"
    written = f"open({str(marks)!r}, 'w').write(str(os.getpid()) + chr(10))"
    endless = f"import os, signal; {written}; signal.pause()"
    async with served(backend, upkeep=Upkeep(doctor=program(endless))) as web:
        await web.operator.post("/health/check")
        end = web.feed.end()
        with anyio.fail_after(10):
            while not (marks.exists() and marks.read_text().endswith("\n")):
                await web.feed.moved(end, wait=0.05)

    with anyio.fail_after(5), suppress(ProcessLookupError):
        while True:
            os.kill(int(marks.read_text()), 0)
            await anyio.lowlevel.checkpoint()


async def test_who_asks_while_checks_begin_has_none_made_again(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    asked = program(f"open({str(marks)!r}, 'a').write('x')")

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(asked.examine, SystemClock())

    assert marks.read_text() == "x"


@pytest.mark.parametrize(
    ("code", "said"), [("", "it said nothing"), ("print('{no JSON')", "{no JSON")]
)
async def test_a_doctor_that_finds_nothing_is_a_finding(code: str, said: str) -> None:
    asked = program(code)

    await asked.examine(SystemClock())

    assert asked.latest is not None
    assert [each.what for each in asked.latest.findings] == [f"hotdesk doctor failed: {said}"]


async def test_what_a_doctor_says_when_it_fails_is_shown_harmlessly(backend: Backend) -> None:
    failing = program(f"raise SystemExit('no {EVIL}')")
    async with served(backend, upkeep=Upkeep(doctor=failing)) as web:
        text = await examined(web)

    assert told(text) == [f"Fail hotdesk doctor failed: no {EVIL} run: hotdesk doctor"]
    assert EVIL not in text


async def test_settings_are_shown_with_their_origin_and_secrets_as_their_place(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hotdesk.toml"
    file.write_text(CONFIG)
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    monkeypatch.setenv("HOTDESK_POOL__MAX_WORKERS", "7")
    async with served(backend, upkeep=Upkeep.of(load(file), Doctor())) as web:
        set_ = (await web.viewer.get("/health")).text
        every = (await web.viewer.get("/health?defaults=true")).text

    def setting(page: str, key: str) -> str:
        return words(element(page, f"setting-{key}"))

    assert setting(set_, "pool.min_workers") == f"pool.min_workers 3 {file}:3"
    assert setting(set_, "pool.max_workers") == "pool.max_workers 7 HOTDESK_POOL__MAX_WORKERS"
    assert '"env:DEPLOY_TOKEN"' in setting(set_, "web.tokens.deploy.secret")
    assert setting(set_, "worker.linger_seconds") == ""
    assert setting(every, "worker.linger_seconds").endswith(" default")
    for text in (set_, every):
        assert SECRET not in text
        assert EVIL not in text
        assert html.escape(EVIL) in text


def acts(page: httpx.Response) -> list[str]:
    rows = re.findall(r'<tr id="action-[^"]*">(.*?)</tr>', page.text, re.DOTALL)
    return [words(row) for row in rows]


async def test_who_did_what_is_shown_with_the_command_that_does_the_same(web: Web) -> None:
    sent = {"desk": "bakery/ana", "instruction": "blue"}
    job = (await web.operator.post("/api/v1/jobs", json=sent)).json()["job"]
    await web.operator.post(f"/api/v1/jobs/{job}/cancel")
    await web.operator.post("/api/v1/desks/bakery/ana/pause")
    odd = ActionTaken(by=EVIL, action="dance", target=EVIL)
    dropped = MailDropped(desk="bakery#ana", job_id="m1", sender="x@example.org", by="root@cli")
    await web.backend.record([odd, dropped], now=NOW)

    page = await web.viewer.get("/health")

    assert [each.partition(" UTC ")[2] for each in acts(page)] == [
        "root@cli drop m1 hotdesk thread drop m1",
        f"{EVIL} dance {EVIL} none",
        "otto pause bakery · ana hotdesk desk pause bakery/ana",
        f"otto cancel {job} hotdesk job cancel {job}",
        f"otto submit {job} hotdesk send --desk bakery/ana -m …",
    ]
    assert EVIL not in page.text


async def test_actions_are_found_page_by_page_among_many_other_events(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "READ_AT_ONCE", 20)
    monkeypatch.setattr(audit, "READ_MAX", 100)
    names = [f"w{number:03}" for number in range(120)]
    for start in range(0, 120, 60):
        taken = [
            ActionTaken(by="otto", action="drain", target=name)
            for name in names[start : start + 60]
        ]
        await web.backend.record(taken, now=NOW)
        await web.backend.record([JobDiscarded(job_id="x")] * 130, now=NOW)

    found: list[str] = []
    lengths = []
    url: str | None = "/health"
    while url:
        page = await web.viewer.get(url)
        shown = re.findall(r"hotdesk worker drain (w\d+)", page.text)
        found += shown
        lengths.append(len(shown))
        older = re.search(r'rel="next" href="([^"]+)"', page.text)
        url = html.unescape(older[1]) if older else None

    assert found == names[::-1]
    assert lengths[0] == 0
    assert max(lengths) == 50


@pytest.mark.parametrize("query", ["before=x", "before=-1", "defaults=5", "odd=1"])
async def test_what_is_asked_wrongly_is_refused(web: Web, query: str) -> None:
    assert (await web.viewer.get(f"/health?{query}")).status_code == 422


async def test_who_only_looks_has_nothing_checked(web: Web) -> None:
    shown = (await web.viewer.get("/health")).text
    asked = await web.viewer.post("/health/check")

    assert "Check now" not in shown
    assert asked.status_code == 403


@pytest.mark.parametrize("action", sorted(audit._COMMANDS))
def test_the_command_of_an_action_exists(action: str) -> None:
    words = [word for word in audit._COMMANDS[action].split() if word.isalpha()]

    assert CliRunner().invoke(hotdesk, [*words, "--help"]).exit_code == 0, action
