"""Log-ins: who gets a cookie, what it is worth, and when it ends."""

import hashlib
import json
import stat
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.datastructures import Headers

from hotdesk.ports import Backend
from hotdesk.testing import FakeClock
from hotdesk.web.access import Caller, Role
from hotdesk.web.hosts import HEADER
from hotdesk.web.logins import FAILED_MAX, INVITATION_SECONDS, LASTS, MINUTE, Failures, Logins, Way
from hotdesk.web.passwords import Password
from hotdesk.web.problems import Refused
from tests.web.conftest import EXPIRED, OPERATOR, OWN, SECRETS, VIEWER, Web, served

pytestmark = pytest.mark.anyio

OURS = {HEADER: "page"}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
PASSWORD = "correct horse battery"
WAYS = {"a": Way(caller=Caller(name="ann", role=Role.OPERATOR))}
ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "/jobs/../../evil",
    "evil.example",
    "/@evil.example",
    "http:evil.example",
    "/api/v1/jobs",
    "/logout",
    "/login",
    "",
]


def quick(password: str) -> Password:
    """A password that is worked out faster than is safe."""
    salt = b"0123456789abcdef"
    found = hashlib.scrypt(password.encode(), salt=salt, n=16, r=8, p=1, dklen=32)
    return Password(n=16, r=8, p=1, salt=salt, hash=found)


@pytest.fixture
def password() -> Password:
    return quick(PASSWORD)


@pytest.fixture
async def guarded(backend: Backend, password: Password, tmp_path: Path) -> AsyncIterator[Web]:
    """A server with a password, which keeps its log-ins."""
    async with served(backend, password=password, logins=tmp_path / "logins.json") as running:
        yield running


async def log_in(client: httpx.AsyncClient, secret: str, **fields: str) -> httpx.Response:
    return await client.post("/login", data={"secret": secret, **fields}, headers=OURS)


async def invite(web: Web) -> str:
    headers = {"Authorization": f"Bearer {OWN}"}
    answer = await web.stranger.post("/invitations", headers=headers)
    invitation = answer.json()["invitation"]
    assert isinstance(invitation, str)
    return invitation


@pytest.mark.parametrize("way", ["password", "token", "invitation"])
async def test_a_browser_that_logs_in_sees_the_screens(guarded: Web, way: str) -> None:
    secret = {"password": PASSWORD, "token": VIEWER}.get(way) or await invite(guarded)

    answer = await log_in(guarded.stranger, secret, next="/jobs?state=queued")
    page = await guarded.stranger.get("/jobs")
    who = (await guarded.stranger.get("/whoami")).json()

    assert answer.json() == {"said": "", "to": "/jobs?state=queued"}
    assert page.status_code == 200
    assert who["name"] == {"password": "owner", "token": "vera", "invitation": "local"}[way]


async def test_a_cookie_is_kept_from_scripts_and_from_other_sites(guarded: Web) -> None:
    header = (await log_in(guarded.stranger, PASSWORD)).headers["set-cookie"]

    name, _, attributes = header.partition("; ")
    assert name.startswith(f"hotdesk-{guarded.port}=")
    assert attributes == "Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"


def test_a_cookie_is_for_tls_only_where_browsers_come_by_it() -> None:
    logins = Logins(WAYS, FakeClock(), is_https=True)

    header = logins.cookie(Headers({"host": "desk.example.org"}), "x")

    assert header == "__Host-hotdesk=x; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"


async def test_what_is_wrong_lets_nobody_in(guarded: Web) -> None:
    for secret in ("wrong", " ", EXPIRED, PASSWORD + "x", "\x00", "ä" * 100):
        answer = await log_in(guarded.stranger, secret)

        assert answer.status_code == 401, secret
        assert "set-cookie" not in answer.headers
        assert not any(each in answer.text for each in (*SECRETS, PASSWORD))


async def test_an_invitation_lets_in_once(guarded: Web) -> None:
    invitation = await invite(guarded)
    first = await log_in(guarded.stranger, invitation)

    second = await log_in(guarded.stranger, invitation)

    assert (first.status_code, second.status_code) == (200, 401)


@pytest.mark.parametrize("seconds", [INVITATION_SECONDS - 1, INVITATION_SECONDS])
def test_an_invitation_that_was_not_used_within_a_minute_is_none(seconds: float) -> None:
    clock = FakeClock()
    logins = Logins(WAYS, clock)
    invitation = logins.invite("a")

    clock.jump(timedelta(seconds=seconds))

    assert logins.accept(invitation) == ("a" if seconds < INVITATION_SECONDS else None)


async def test_only_who_may_read_the_file_of_up_invites(guarded: Web) -> None:
    with_token = await guarded.operator.post("/invitations")
    await log_in(guarded.stranger, await invite(guarded))
    with_cookie = await guarded.stranger.post("/invitations", headers=OURS)

    assert (with_token.status_code, with_cookie.status_code) == (403, 403)


async def test_a_log_in_has_the_role_of_its_token(guarded: Web) -> None:
    job = await guarded.client.submit("a/b", "x")
    await log_in(guarded.stranger, VIEWER)

    answer = await guarded.stranger.post(f"/api/v1/jobs/{job.id}/cancel", headers=OURS)

    assert answer.status_code == 403
    assert (await guarded.client.job(job.id)).state == "queued"


async def test_a_page_of_another_origin_cannot_use_a_cookie(guarded: Web) -> None:
    job = await guarded.client.submit("a/b", "x")
    await log_in(guarded.stranger, OPERATOR)

    for headers in (
        {},
        {HEADER: "page", "Origin": "http://evil.example"},
        {HEADER: "page", "Origin": "null"},
        {HEADER: "page", "Sec-Fetch-Site": "cross-site"},
        {HEADER: "page", "Sec-Fetch-Site": "same-site"},
    ):
        for path in (f"/api/v1/jobs/{job.id}/cancel", "/logout", "/login"):
            answer = await guarded.stranger.post(path, headers=headers)

            assert answer.status_code == 403, (path, headers)
    assert (await guarded.client.job(job.id)).state == "queued"
    assert (await guarded.stranger.get("/whoami")).status_code == 200


async def test_a_log_in_by_another_name_of_this_machine_is_refused(guarded: Web) -> None:
    headers = {**OURS, "Host": "rebound.example"}

    answer = await guarded.stranger.post("/login", data={"secret": OPERATOR}, headers=headers)

    assert answer.status_code == 421
    assert "set-cookie" not in answer.headers


async def test_a_log_out_ends_what_was_stolen_too(guarded: Web) -> None:
    await log_in(guarded.stranger, OPERATOR)
    stolen = {"Cookie": "; ".join(f"{k}={v}" for k, v in guarded.stranger.cookies.items())}
    assert (await guarded.viewer.get("/whoami", headers=stolen)).status_code == 200
    guarded.viewer.headers.pop("authorization")

    answer = await guarded.stranger.post("/logout", headers=OURS)

    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await guarded.viewer.get("/whoami", headers=stolen)).status_code == 401


async def test_a_browser_that_logs_in_again_has_another_cookie(guarded: Web) -> None:
    """A cookie that somebody else put there is worth nothing afterwards."""
    await log_in(guarded.stranger, VIEWER)
    first = dict(guarded.stranger.cookies)

    await log_in(guarded.stranger, OPERATOR)
    second = dict(guarded.stranger.cookies)
    guarded.viewer.headers.pop("authorization")
    former = await guarded.viewer.get("/whoami", headers={"Cookie": _written(first)})

    assert first.keys() == second.keys()
    assert first != second
    assert former.status_code == 401


async def test_a_cookie_that_was_tampered_with_is_none(guarded: Web) -> None:
    await log_in(guarded.stranger, OPERATOR)
    [(name, secret)] = guarded.stranger.cookies.items()
    guarded.viewer.headers.pop("authorization")

    for change in ("{}x", "x{}", "", "{}; a=b", '"{}', "0" * 43, "%00", "a" * 9000):
        cookie = f"{name}={change.format(secret[:-1])}"
        answer = await guarded.viewer.get("/whoami", headers={"Cookie": cookie})

        assert answer.status_code == 401, change


async def test_log_ins_outlive_a_restart_and_end_with_their_secret(
    backend: Backend, password: Password, tmp_path: Path
) -> None:
    file = tmp_path / "logins.json"
    async with served(backend, password=password, logins=file) as web:
        await log_in(web.stranger, PASSWORD)
        [secret] = web.stranger.cookies.values()
    content = file.read_text()
    mode = stat.S_IMODE(file.stat().st_mode)
    other = quick("another password")

    found = []
    for each in (password, other, None):
        async with served(backend, password=each, logins=file) as web:
            cookie = {"Cookie": f"hotdesk-{web.port}={secret}"}
            found.append((await web.stranger.get("/whoami", headers=cookie)).status_code)

    assert found == [200, 401, 401]
    assert secret not in content
    assert mode == 0o600


@pytest.mark.parametrize("content", ["", "[", "{}", "[1]", '[{"digest": 1}]', "null"])
def test_a_damaged_file_of_log_ins_is_an_empty_one(tmp_path: Path, content: str) -> None:
    file = tmp_path / "logins.json"
    file.write_text(content)

    logins = Logins(WAYS, FakeClock(), file=file)

    assert logins.caller(Headers({"cookie": "hotdesk=x"})) is None
    logins.begin("a")
    assert len(json.loads(file.read_text())) == 1


@pytest.mark.parametrize(
    ("way", "later", "is_in"),
    [
        (Way(caller=WAYS["a"].caller), LASTS - timedelta(seconds=1), True),
        (Way(caller=WAYS["a"].caller), LASTS, False),
        (Way(caller=WAYS["a"].caller, expires_on=date(2026, 1, 6)), timedelta(days=1), True),
        (Way(caller=WAYS["a"].caller, expires_on=date(2026, 1, 6)), timedelta(days=2), False),
    ],
)
def test_a_log_in_ends_after_a_week_or_with_its_token(
    way: Way,
    later: timedelta,
    is_in: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    clock = FakeClock(datetime(2026, 1, 5, 9, tzinfo=UTC))
    logins = Logins({"a": way}, clock)
    headers = Headers({"cookie": f"hotdesk={logins.begin('a')}"})

    clock.jump(later)

    assert (logins.caller(headers) is not None) == is_in


def test_the_oldest_log_ins_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotdesk.web.logins.LOGINS_MAX", 3)
    logins = Logins(WAYS, FakeClock())

    secrets = [logins.begin("a") for _ in range(4)]

    found = [logins.caller(Headers({"cookie": f"hotdesk={each}"})) for each in secrets]
    assert [each is not None for each in found] == [False, True, True, True]


async def test_after_five_wrong_passwords_in_a_minute_the_right_one_is_refused_too(
    guarded: Web,
) -> None:
    failed = [await log_in(guarded.stranger, f"wrong {number}") for number in range(FAILED_MAX)]

    right = await log_in(guarded.stranger, PASSWORD)
    token = await log_in(guarded.stranger, OPERATOR)

    assert {each.status_code for each in failed} == {401}
    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= MINUTE + 1
    assert token.status_code == 200


async def test_a_flood_of_passwords_is_tried_five_times(
    guarded: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fits(_: Password, given: str) -> bool:
        tried.append(given)
        return False

    monkeypatch.setattr(Password, "fits", fits)
    statuses: list[int] = []

    async def guess(number: int) -> None:
        statuses.append((await log_in(guarded.stranger, f"guess {number}")).status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(guess, number)

    assert len(tried) == FAILED_MAX
    assert (statuses.count(401), statuses.count(429)) == (5, 45)
    # Each one that was tried is told, and no flood of events either.
    events = [each for each in await guarded.backend.events() if each.kind == "ActionTaken"]
    assert [each.details["action"] for each in events] == ["log-in refused"] * FAILED_MAX
    assert not any("guess" in str(each.details) for each in events)


def test_failures_are_counted_for_each_address_and_forgotten_after_a_minute() -> None:
    clock = FakeClock()
    failures = Failures(clock)
    for _ in range(FAILED_MAX):
        failures.add("10.0.0.1")

    failures.check("10.0.0.2")
    with pytest.raises(Refused, match="5 log-ins have failed"):
        failures.check("10.0.0.1")
    clock.jump(timedelta(seconds=MINUTE))
    failures.check("10.0.0.1")


def test_many_addresses_together_fail_no_oftener_than_is_safe() -> None:
    failures = Failures(FakeClock())
    for number in range(60):
        failures.add(f"10.0.0.{number}")

    with pytest.raises(Refused, match="60 log-ins have failed"):
        failures.check("10.0.1.1")


async def test_a_log_in_leads_to_screens_only(guarded: Web) -> None:
    for url in ELSEWHERE:
        posted = (await log_in(guarded.stranger, OPERATOR, next=url)).json()["to"]
        looked = await guarded.stranger.get("/login", params={"next": url})

        assert posted == "/", url
        assert looked.status_code == 303
        assert looked.headers["location"] == "/", url


async def test_a_browser_that_is_not_known_is_led_to_the_log_in_and_back(guarded: Web) -> None:
    wanted = "/jobs?state=dead&desk=a%2Fb"

    led = await guarded.stranger.get(wanted, headers=BROWSER)
    form = await guarded.stranger.get(led.headers["location"])
    await log_in(guarded.stranger, VIEWER)
    back = await guarded.stranger.get(led.headers["location"])

    assert led.status_code == 303
    assert led.headers["location"].startswith("/login?next=%2Fjobs%3F")
    assert 'name="next" value="/jobs?state=dead&amp;desk=a%2Fb"' in form.text
    assert back.headers["location"] == wanted


async def test_what_is_asked_by_no_browser_is_told_that_it_needs_a_token(guarded: Web) -> None:
    wrong = {**BROWSER, "Authorization": "Bearer wrong"}

    assert (await guarded.stranger.get("/live?of=/jobs")).status_code == 401
    assert (await guarded.stranger.get("/jobs", headers=wrong)).status_code == 401
    assert (await guarded.stranger.post("/jobs", headers={**BROWSER, **OURS})).status_code == 401


async def test_log_ins_and_log_outs_stand_in_the_events(guarded: Web) -> None:
    await log_in(guarded.stranger, "wrong password")
    await log_in(guarded.stranger, OPERATOR)
    await guarded.stranger.post("/logout", headers=OURS)

    events = [each for each in await guarded.backend.events() if each.kind == "ActionTaken"]

    assert [(each.details["by"], each.details["action"]) for each in events] == [
        ("", "log-in refused"),
        ("otto", "log in"),
        ("otto", "log out"),
    ]


async def test_a_stranger_cannot_keep_others_waiting_with_large_forms(guarded: Web) -> None:
    headers = {**OURS, "Content-Type": "application/x-www-form-urlencoded"}

    answer = await guarded.stranger.post("/login", content=b"x" * 8193, headers=headers)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "scrypt:1:8:1:AA:AA",
        "scrypt:32769:8:3:AA:" + "A" * 43,
        "scrypt:1073741824:8:3:AA:" + "A" * 43,
        "md5:32768:8:3:AA:" + "A" * 43,
        "scrypt:32768:8:3:AA:short",
    ],
)
def test_what_scrypt_did_not_make_is_no_password(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        Password.parse(text)


def test_a_password_is_the_same_after_it_was_written() -> None:
    password = Password.of(PASSWORD, b"0123456789abcdef")

    read = Password.parse(f"{password}\n")

    assert read == password
    assert read.fits(PASSWORD)
    assert not read.fits(PASSWORD[:-1])
    assert PASSWORD not in str(password)


def _written(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
