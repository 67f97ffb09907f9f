"""Who gets in: tokens and roles, hosts and origins, and bodies that are bounded."""

import json
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Job
from hotdesk.errors import Unavailable
from hotdesk.ports import Backend
from hotdesk.web import bodies
from hotdesk.web.bodies import BYTES_MAX
from tests.web.conftest import EXPIRED, OPERATOR, SECRETS, VIEWER, Web, served

pytestmark = pytest.mark.anyio

JOBS = "/api/v1/jobs"
NEW = {"desk": "a/b", "instruction": "x"}
LOOKS = [JOBS, "/api/v1/events", "/api/v1/openapi.json", "/metrics", "/api/v1/pool", "/nothing"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", LOOKS)
async def test_without_a_token_nothing_is_shown(web: Web, path: str) -> None:
    answer = await web.stranger.get(path)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong-0123456789abcdef",
        f"Bearer {EXPIRED}",
        f"Basic {OPERATOR}",
        "Bearer",
        f"Bearer {OPERATOR} {OPERATOR}",
        f"Bearer {OPERATOR[:-1]}",
        f"Bearer {OPERATOR}x",
        OPERATOR,
    ],
)
async def test_a_token_that_is_wrong_or_has_expired_is_refused(web: Web, header: str) -> None:
    answer = await web.stranger.get(JOBS, headers={"Authorization": header})

    assert answer.status_code == 401
    assert not any(secret in answer.text for secret in SECRETS)


async def test_two_tokens_at_once_are_refused(web: Web) -> None:
    both = [("Authorization", f"Bearer {VIEWER}"), ("Authorization", f"Bearer {OPERATOR}")]

    assert (await web.stranger.get(JOBS, headers=both)).status_code == 401


async def test_a_viewer_looks_and_does_not_act(web: Web) -> None:
    job = (await web.operator.post(JOBS, json=NEW)).json()["job"]

    assert (await web.viewer.get(JOBS)).status_code == 200
    for method, path in [
        ("POST", JOBS),
        ("POST", f"{JOBS}/{job}/cancel"),
        ("POST", "/api/v1/desks/a/b/pause"),
        ("POST", "/api/v1/dead/discard"),
        ("DELETE", f"{JOBS}/{job}"),
        ("POST", "/nothing"),
    ]:
        answer = await web.viewer.request(method, path, json=NEW)

        assert answer.status_code == 403, path
    assert [job.state for job in await web.client.jobs()] == ["queued"]


async def test_liveness_and_readiness_need_no_token(web: Web) -> None:
    assert (await web.stranger.get("/livez")).json() == {"status": "ok"}
    with anyio.fail_after(5):
        while (await web.stranger.get("/readyz")).status_code != 200:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "BREW"])
async def test_another_method_is_a_problem(web: Web, method: str) -> None:
    answer = await web.operator.request(method, JOBS)

    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8420", 200),
        ("127.0.0.1", 200),
        ("[::1]:8420", 200),
        ("192.168.1.5:8420", 200),
        ("DESK.example.org", 200),
        ("evil.example:8420", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("localhost@evil.example", 421),
    ],
)
async def test_only_our_own_names_and_addresses_may_call_us(
    web: Web, host: str, status: int
) -> None:
    answer = await web.viewer.get(JOBS, headers={"Host": host})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "{url}"}, 201),
        ({"Origin": "{url}", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_a_page_of_another_origin_cannot_act(
    web: Web, headers: dict[str, str], status: int
) -> None:
    given = {name: value.format(url=web.url) for name, value in headers.items()}

    answer = await web.operator.post(JOBS, json=NEW, headers=given)

    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


async def test_what_a_form_can_send_is_refused_before_anybody_asks_for_a_token(web: Web) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    plain = await web.stranger.post(JOBS, content=b"desk=a/b", headers=form)
    typed = await web.operator.post(JOBS, content=json.dumps(NEW), headers=form)

    assert plain.status_code == 403
    assert typed.status_code == 415


async def test_a_preflight_of_another_origin_is_not_answered_with_leave(web: Web) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    answer = await web.stranger.request("OPTIONS", JOBS, headers=headers)

    assert answer.status_code == 401
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"desk": "a/b", "desk": "a/c", "instruction": "x"}',
        b'{"desk": "a/b", "instruction": NaN}',
        b"[" * 100_000,
        b"1" * 10_000,
        '{"desk": "a/b", "instruction": "x"}'.encode("utf-16"),
        b'{"desk": "a/b", "instruction": "x"} trailing',
        b'{"desk": "a/b", "instruction": "a\x00b"}',
    ],
)
async def test_what_is_not_strict_json_is_refused(web: Web, body: bytes) -> None:
    answer = await web.operator.post(
        JOBS, content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == (422 if body == b"" else 400)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await web.client.jobs() == []
    assert web.told == []


HEAD = (
    f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPERATOR}\r\n"
    "Content-Type: application/json\r\n"
).encode()


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(web: Web) -> None:
    async with await anyio.connect_tcp("127.0.0.1", web.port) as stream:
        await stream.send(HEAD + b"Content-Length: 1000000000000\r\n\r\n")
        with anyio.fail_after(10):
            answer = await stream.receive()

    assert b" 413 " in answer
    assert b"connection: close" in answer.lower()


async def test_a_body_that_does_not_say_how_large_it_is_is_counted(web: Web) -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with await anyio.connect_tcp("127.0.0.1", web.port) as stream:
        await stream.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(BYTES_MAX // 0x10000 + 1):
            await stream.send(piece)
        with anyio.fail_after(10):
            answer = await stream.receive()

    assert b" 413 " in answer
    assert (await web.viewer.get(JOBS)).status_code == 200


async def test_a_body_that_does_not_come_is_not_waited_for(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SECONDS_MAX", 0.1)
    async with await anyio.connect_tcp("127.0.0.1", web.port) as stream:
        await stream.send(HEAD + b"Content-Length: 10\r\n\r\n{")
        with anyio.fail_after(10):
            answer = await stream.receive()

    assert b" 408 " in answer


async def test_an_instruction_of_the_greatest_length_is_taken(web: Web) -> None:
    body = json.dumps({"desk": "a/b", "instruction": "é" * 1_000_000})

    answer = await web.operator.post(
        JOBS, content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 201


async def test_who_asks_too_often_is_told_when_to_ask_again(backend: Backend) -> None:
    async with served(backend, per_second=0.5, at_once=3) as web:
        wrong = bearer("wrong-0123456789abcdef")
        strangers = [(await web.stranger.get(JOBS, headers=wrong)).status_code for _ in range(5)]
        viewers = [await web.viewer.get(JOBS) for _ in range(5)]
        operator = await web.operator.get(JOBS)

    assert strangers == [401, 401, 401, 429, 429]
    assert [answer.status_code for answer in viewers] == [200, 200, 200, 429, 429]
    assert int(viewers[-1].headers["retry-after"]) in {1, 2}
    assert operator.status_code == 200


class Broken(SqliteBackend):
    """A store with a bug, and one that does not answer."""

    async def job(self, job_id: str) -> Job:
        if job_id == "locked":
            raise Unavailable("the database is locked")
        raise RuntimeError("hunter2")


async def test_a_bug_is_told_without_its_message_and_the_next_request_is_answered(
    tmp_path: Path,
) -> None:
    backend = Broken(tmp_path / "hotdesk.db", SystemClock())
    async with served(backend) as web:
        bug = await web.viewer.get(f"{JOBS}/x")
        locked = await web.viewer.get(f"{JOBS}/locked")
        after = await web.viewer.get(JOBS)
    await backend.close()

    assert (bug.status_code, locked.status_code, after.status_code) == (500, 503, 200)
    assert bug.headers["content-type"] == "application/problem+json"
    assert int(locked.headers["retry-after"])
    assert len(web.told) == 1
    assert web.told[0].startswith("a request failed: RuntimeError in ")
    assert "hunter2" not in web.told[0] + bug.text


async def test_every_answer_has_the_headers_that_keep_browsers_out(web: Web) -> None:
    for answer in (
        await web.stranger.get("/livez"),
        await web.stranger.get(JOBS),
        await web.viewer.get("/nothing"),
        await web.viewer.get(JOBS, headers={"Host": "evil.example"}),
    ):
        headers = answer.headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


async def test_the_document_describes_every_route_and_only_as_3_1(web: Web) -> None:
    document = (await web.viewer.get("/api/v1/openapi.json")).json()

    assert document["openapi"].startswith("3.1")
    assert {path.split("/")[3] for path in document["paths"] if path.startswith("/api/v1")} == {
        *"jobs events desks workers threads held dead pool health".split()
    }
    for path, methods in document["paths"].items():
        for route in methods.values():
            problem = route["responses"].get("401")
            assert path in {"/livez", "/readyz", "/metrics"} or "application/problem+json" in str(
                problem
            )
