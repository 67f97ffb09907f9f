"""``hotdesk up`` serves it: told, guarded, and ended in time."""

import json
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.errors import ConfigError, Unavailable
from hotdesk.web.door import find_door
from hotdesk.web.opening import tokens_of
from tests.cli.program import Program

Start = Callable[..., Program]
UP = ("up", "--handler", "tasks:handle")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command in an empty folder; it is ended with the test."""
    (tmp_path / "tasks.py").write_text("async def handle(job, context):\n    return 'done'\n")
    programs: list[Program] = []

    def start(*arguments: str, **variables: str) -> Program:
        programs.append(Program(arguments, tmp_path, variables))
        return programs[-1]

    yield start
    for program in programs:
        program.end()


def test_up_says_where_it_is_and_lets_in_who_may_read_its_file(
    start: Start, tmp_path: Path
) -> None:
    up = start(*UP)
    url = up.event("up")["web"]
    file = tmp_path / "hotdesk-data" / "web.json"
    mode = stat.S_IMODE(file.stat().st_mode)
    door = find_door(file.parent)

    with httpx.Client(base_url=url, trust_env=False) as client:
        known = client.get("/api/v1/pool", headers={"Authorization": f"Bearer {door.token}"})
        strange = client.get("/api/v1/pool")
    code, _, log = up.signal(signal.SIGTERM).finish()

    assert door.url == url
    assert mode == 0o600
    assert (known.status_code, strange.status_code, code) == (200, 401, 0)
    assert door.token not in log
    assert not file.exists()
    with pytest.raises(Unavailable):
        find_door(file.parent)


def test_up_ends_within_three_seconds_although_streams_are_open(
    start: Start, tmp_path: Path
) -> None:
    up = start(*UP, HOTDESK_POOL__MIN_WORKERS="0")
    up.event("up")
    door = find_door(tmp_path / "hotdesk-data")
    url = httpx.URL(door.url)
    streams = []
    for path in ["/api/v1/events", "/live?of=/jobs"] * 10:
        head = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {door.token}\r\n\r\n"
        )
        stream = socket.create_connection((url.host, url.port or 0))
        stream.sendall(head.encode())
        assert b" 200 " in stream.recv(1000)
        streams.append(stream)

    began = SystemClock().monotonic()
    code, _, _ = up.signal(signal.SIGTERM).finish()
    took = SystemClock().monotonic() - began

    rests = [b"".join(iter(partial(each.recv, 1000), b"")) for each in streams[:2]]
    for stream in streams:
        stream.close()
    assert code == 0
    assert all(rest.endswith(b"0\r\n\r\n") for rest in rests)  # Ended, not cut off.
    assert took < 3


def test_a_port_that_is_taken_is_named_with_its_setting(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, _, err = start(*UP, HOTDESK_WEB__LISTEN=f"127.0.0.1:{port}").finish()

    assert code == 2
    assert err.startswith(f"error: web.listen: 127.0.0.1:{port} cannot be used: ")


@pytest.mark.parametrize(
    ("web", "complaint"),
    [
        ({"listen": "0.0.0.0:0"}, "there is no token"),
        ({"listen": "hotdesk.example.org:80"}, "there is no token"),
        ({"listen": "hotdesk"}, "should be host:port"),
        ({"tokens": {"ci": {"secret": "hunter2"}}}, "a secret must not stand here"),
        ({"tokens": {"../ci": {"secret": "env:LONG"}}}, "is not a name"),
        ({"tokens": {"ci": {"secret": "env:NONE"}}}, "there is no secret"),
        ({"tokens": {"ci": {"secret": "env:SHORT"}}}, "fewer than 16"),
        ({"tokens": {"local": {"secret": "env:LONG"}}}, "rename it"),
        ({"tokens": {"a": {"secret": "env:LONG"}, "b": {"secret": "env:LONG"}}}, "that of a too"),
    ],
)
def test_what_cannot_be_served_safely_is_refused(
    web: dict[str, object], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORT", "hunter2")
    monkeypatch.setenv("LONG", "hunter2" * 3)

    with pytest.raises((ConfigError, ValidationError), match=complaint) as refused:
        tokens_of(Config.model_validate({"web": web}))

    if isinstance(refused.value, ConfigError):
        assert "hunter2" not in str(refused.value)


def test_tokens_of_the_configuration_are_taken_until_they_expire(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "hotdesk.toml").write_text(
        "[web.tokens.ci]\nsecret = 'env:CI'\nrole = 'operator'\n"
        "[web.tokens.old]\nsecret = 'env:OLD'\nexpires_on = 2020-01-01\n"
    )
    url = start(*UP, CI="c" * 16, OLD="o" * 16).event("up")["web"]

    with httpx.Client(base_url=url, trust_env=False) as client:
        new = {"desk": "a/b", "instruction": "x"}
        taken = client.post(
            "/api/v1/jobs", json=new, headers={"Authorization": "Bearer " + 16 * "c"}
        )
        old = client.get("/api/v1/jobs", headers={"Authorization": "Bearer " + 16 * "o"})

    assert (taken.status_code, old.status_code) == (201, 401)
    assert "expired" in old.json()["detail"]


def test_nothing_is_served_where_it_is_switched_off(start: Start, tmp_path: Path) -> None:
    up = start(*UP, HOTDESK_WEB__ENABLED="false", HOTDESK_WEB__LISTEN="0.0.0.0:0")

    assert "web" not in up.event("up")
    assert not (tmp_path / "hotdesk-data" / "web.json").exists()


def test_a_door_that_is_damaged_is_none(tmp_path: Path) -> None:
    for content in ("", "[]", "{", json.dumps({"url": "x"}), "null"):
        (tmp_path / "web.json").write_text(content)

        with pytest.raises(Unavailable):
            find_door(tmp_path)
