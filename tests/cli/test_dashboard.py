"""``hotdesk dashboard``: an address that lets in one browser."""

import io
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from hotdesk.web.door import Door, open_door
from hotdesk.web.hosts import HEADER
from hotdesk.web.passwords import Password
from tests.cli.conftest import Run
from tests.cli.program import Program

Start = Callable[..., Program]
NO_WORKERS = {"HOTDESK_POOL__MIN_WORKERS": "0", "HOTDESK_WEB__LISTEN": "127.0.0.1:0"}


def log_in(client: httpx.Client, secret: str) -> int:
    answer = client.post("/login", data={"secret": secret}, headers={HEADER: "page"})
    return answer.status_code


def test_the_address_lets_one_browser_in_until_it_logs_out_and_over_restarts(
    start: Start, run: Run
) -> None:
    up = start("up", "--handler", "tasks:handle", **NO_WORKERS)
    url = up.event("up")["web"]
    printed = run("dashboard", "--print").out.strip()
    address, _, invitation = printed.partition("#")
    with httpx.Client(base_url=url, trust_env=False) as browser:
        first = log_in(browser, invitation)
        second = log_in(browser, invitation)
        code, _, log = up.signal(signal.SIGTERM).finish()
        [secret] = browser.cookies.values()

    again = start("up", "--handler", "tasks:handle", **NO_WORKERS)
    url_again = again.event("up")["web"]
    cookie = f"hotdesk-{httpx.URL(url_again).port}={secret}"
    with httpx.Client(base_url=url_again, trust_env=False) as browser:
        page = browser.get("/jobs", headers={"Accept": "text/html", "Cookie": cookie})

    assert address == f"{url}/login"
    assert (first, second, code) == (200, 401, 0)
    assert invitation not in log
    assert page.status_code == 200


def test_where_up_does_not_run_it_says_how_to_start_it(run: Run) -> None:
    ran = run("dashboard")

    assert ran.code == 5
    assert "hotdesk up" in ran.err


def test_what_a_killed_up_has_left_is_no_dashboard(run: Run) -> None:
    with open_door(Path("hotdesk-data"), Door(url="http://127.0.0.1:9", token="x" * 20)):
        ran = run("dashboard")

    assert ran.code == 5
    assert "does not answer at http://127.0.0.1:9" in ran.err
    assert "xxxx" not in ran.err


def test_where_nothing_is_served_it_names_the_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTDESK_WEB__ENABLED", "false")

    ran = run("dashboard")

    assert ran.code == 2
    assert "web.enabled" in ran.err


@pytest.mark.parametrize("password", ["correct horse battery", "hunter2"])
def test_a_password_is_hashed_unless_it_is_short(
    run: Run, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))

    ran = run("dashboard", "--hash-password")

    assert password not in ran.out + ran.err
    if password == "hunter2":
        assert ran.code == 2
        assert "12 characters" in ran.err
    else:
        assert Password.parse(ran.out).fits(password)
