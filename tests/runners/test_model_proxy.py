"""What passes on the way to a model, and what does not."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import h11
import httpx
import pytest
from anyio.abc import SocketStream

from hotdesk.errors import Rejected
from hotdesk.runners import model_proxy
from hotdesk.runners.model_proxy import MODEL_KEY, ModelAccess
from tests.runners.model_server import KEY, OK, SOON, ModelServer, model_server, said, way_to

pytestmark = pytest.mark.anyio

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        yield server


@pytest.fixture
async def door(model: ModelServer) -> AsyncIterator[int]:
    async with way_to(f"http://127.0.0.1:{model.port}/base/") as port:
        yield port


@pytest.fixture
async def agent(door: int) -> AsyncIterator[httpx.AsyncClient]:
    """Ask as an agent's client does."""
    url = f"http://127.0.0.1:{door}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=SOON) as client:
        yield client


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[SocketStream]:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        yield stream


async def test_a_request_arrives_below_the_base_address_as_it_was_sent(
    agent: httpx.AsyncClient, model: ModelServer
) -> None:
    sent = bytes(range(256)) * 4000

    answer = await agent.post(
        "/v1/messages?beta=true", content=sent, headers={"anthropic-version": "2023-06-01"}
    )

    [asked] = model.asked
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert (asked.method, asked.target) == ("POST", "/base/v1/messages?beta=true")
    assert asked.body == sent
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert asked.headers["host"] == f"127.0.0.1:{model.port}"


async def test_a_body_of_unknown_length_arrives(
    agent: httpx.AsyncClient, model: ModelServer
) -> None:
    async def body() -> AsyncIterator[bytes]:
        for piece in (b"one", b"two"):
            yield piece

    await agent.post("/", content=body())
    await agent.get("/models")

    assert [asked.body for asked in model.asked] == [b"onetwo", b""]
    assert "transfer-encoding" not in model.asked[1].headers


async def test_an_agent_that_asks_whether_to_send_its_body_is_told_to(
    door: int, model: ModelServer
) -> None:
    async with connected(door) as stream:
        await stream.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        told = await stream.receive()
        await stream.send(b"hi")
        answer = await stream.receive()

    assert told.startswith(b"HTTP/1.1 100 ")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [(asked.body, "expect" in asked.headers) for asked in model.asked] == [(b"hi", False)]


@pytest.mark.parametrize(
    ("name", "value", "arrives"),
    [
        ("authorization", f"Bearer {MODEL_KEY}", f"Bearer {KEY}"),
        ("x-api-key", MODEL_KEY, KEY),
        ("x-goog-api-key", MODEL_KEY, KEY),
        ("api-key", MODEL_KEY, KEY),
        ("x-api-key", "a-key-of-somebody-else", None),
        ("authorization", "Bearer a-key-of-somebody-else", None),
        ("authorization", f"Basic {MODEL_KEY}", None),
        ("proxy-authorization", f"Bearer {MODEL_KEY}", None),
        ("cookie", "session=1", None),
        ("x-forwarded-host", "evil.example", None),
        ("x-other", MODEL_KEY, MODEL_KEY),
    ],
)
async def test_the_key_takes_the_place_of_its_stand_in_and_nobody_elses_passes(
    agent: httpx.AsyncClient, model: ModelServer, name: str, value: str, arrives: str | None
) -> None:
    await agent.get("/", headers={name: value})

    [asked] = model.asked
    assert asked.headers.get(name) == arrives
    assert (KEY in str(asked.headers)) == (arrives is not None and KEY in arrives)


async def test_without_a_key_none_is_sent(model: ModelServer) -> None:
    async with way_to(f"http://127.0.0.1:{model.port}", key="") as port, httpx.AsyncClient() as me:
        await me.get(f"http://127.0.0.1:{port}/", headers={"authorization": f"Bearer {MODEL_KEY}"})

    assert "authorization" not in model.asked[0].headers


async def test_proxies_and_passwords_of_the_workers_environment_do_not_count(
    tmp_path: Path, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password made-up")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with way_to(f"http://127.0.0.1:{model.port}") as port:
        await said(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    [asked] = model.asked
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    "request_line",
    [
        "GET http://evil.example/ HTTP/1.1",
        "CONNECT evil.example:443 HTTP/1.1",
        "GET //../secret HTTP/1.1",
        "GET /v1/../../admin HTTP/1.1",
        "GET /v1/%2e%2E/%2e%2e/admin HTTP/1.1",
        "GET /v1/..%2fadmin HTTP/1.1",
        "GET /v1/..\\admin HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "no HTTP at all",
    ],
)
async def test_what_would_lead_elsewhere_is_refused(
    door: int, model: ModelServer, request_line: str
) -> None:
    answer = await said(door, f"{request_line}\r\nHost: evil.example\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert model.asked == []


async def test_a_host_that_the_agent_names_leads_nowhere(door: int, model: ModelServer) -> None:
    await said(
        door, b"GET //evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )

    [asked] = model.asked
    assert asked.headers["host"] == f"127.0.0.1:{model.port}"
    assert asked.target == "/base//evil.example/"


async def test_of_two_lengths_the_false_one_does_not_pass(door: int, model: ModelServer) -> None:
    await said(
        door,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    )

    assert [(asked.body, asked.headers.get("content-length")) for asked in model.asked] == [
        (b"hi", None)
    ]


async def test_a_redirect_is_told_and_not_followed(
    agent: httpx.AsyncClient, model: ModelServer
) -> None:
    async def redirect(stream: SocketStream) -> None:
        await stream.send(
            b"HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\n"
            b"Location: http://127.0.0.1:%d/other\r\n\r\n" % model.port
        )

    model.answer = redirect
    answer = await agent.post("/", content=b"x")

    assert answer.status_code == 307
    assert "set-cookie" not in answer.headers
    assert len(model.asked) == 1


async def test_an_answer_is_passed_on_piece_by_piece_as_it_comes(
    agent: httpx.AsyncClient, model: ModelServer
) -> None:
    arrived = anyio.Event()

    async def speak(stream: SocketStream) -> None:
        await stream.send(EVENTS + b"6\r\nfirst\n\r\n")
        await arrived.wait()
        await stream.send(b"7\r\nsecond\n\r\n0\r\n\r\n")

    model.answer = speak
    async with agent.stream("POST", "/", content=b"x") as answer:
        lines = answer.aiter_lines()
        first = await anext(lines)
        arrived.set()
        rest = [line async for line in lines]

    assert answer.headers["content-type"] == "text/event-stream"
    assert (first, rest) == ("first", ["second"])


@pytest.mark.parametrize("status", [401, 429, 529])
async def test_what_the_model_refuses_is_told_as_it_says_it(
    agent: httpx.AsyncClient, model: ModelServer, status: int
) -> None:
    async def refuse(stream: SocketStream) -> None:
        head = f"HTTP/1.1 {status} No\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\n"
        await stream.send(head.encode() + b"wait")

    model.answer = refuse
    answer = await agent.post("/", content=b"x")

    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert answer.content == b"wait"


async def test_a_model_that_is_down_is_told_as_502_in_the_models_own_form() -> None:
    async with model_server() as gone:
        pass
    async with way_to(f"http://127.0.0.1:{gone.port}") as port, httpx.AsyncClient() as agent:
        answer = await agent.post(f"http://127.0.0.1:{port}/v1/messages", content=b"x")

    assert answer.status_code == 502
    assert answer.json()["error"]["message"].startswith(
        "hotdesk: the model's API at 127.0.0.1 did not answer: ConnectError"
    )


async def test_a_model_that_hangs_is_told_as_504(
    agent: httpx.AsyncClient, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(stream: SocketStream) -> None:
        await anyio.sleep_forever()

    monkeypatch.setitem(model_proxy.TIMEOUT, "read", 0.1)
    model.answer = hang

    with anyio.fail_after(3):
        answer = await agent.post("/", content=b"x")

    assert answer.status_code == 504


@pytest.mark.parametrize("head", [EVENTS, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
async def test_an_answer_that_breaks_off_has_no_end_for_the_agent_either(
    agent: httpx.AsyncClient, model: ModelServer, head: bytes
) -> None:
    async def break_off(stream: SocketStream) -> None:
        await stream.send(head + b"4\r\nhalf\r\n")
        await stream.aclose()

    model.answer = break_off

    with pytest.raises(httpx.RemoteProtocolError):
        await agent.post("/", content=b"x")


async def test_a_model_that_does_not_speak_http_is_told_as_502(
    agent: httpx.AsyncClient, model: ModelServer
) -> None:
    async def mumble(stream: SocketStream) -> None:
        await stream.send(b"220 mail.example ESMTP\r\n\r\n")

    model.answer = mumble
    answer = await agent.post("/", content=b"x")

    assert answer.status_code == 502


async def test_an_agent_that_leaves_takes_its_request_with_it(
    door: int, model: ModelServer
) -> None:
    is_gone = anyio.Event()

    async def wait_for_the_end(stream: SocketStream) -> None:
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
        is_gone.set()

    model.answer = wait_for_the_end
    async with connected(door) as stream:
        await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not model.asked:
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(SOON):
        await is_gone.wait()


async def test_a_request_that_is_too_large_is_refused(
    door: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_proxy, "BODY_BYTES_MAX", 10)

    answer = await said(
        door, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n12345678901"
    )

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_headers_that_are_too_large_are_refused(door: int, model: ModelServer) -> None:
    answer = await said(door, b"GET / HTTP/1.1\r\nx: " + b"x" * model_proxy.HEAD_BYTES_MAX)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert model.asked == []


async def test_an_agent_that_says_nothing_is_not_waited_for(
    door: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_proxy, "REQUEST_SECONDS_MAX", 0.1)

    assert await said(door, b"GET / HT") == b""


async def test_an_answer_that_takes_its_time_holds_up_no_other(
    agent: httpx.AsyncClient, model: ModelServer
) -> None:
    second_came = anyio.Event()

    async def wait_for_the_second(stream: SocketStream) -> None:
        if model.asked[-1].target.endswith("/second"):
            second_came.set()
        await second_came.wait()
        await stream.send(OK)

    model.answer = wait_for_the_second
    statuses = []

    async def ask(path: str) -> None:
        statuses.append((await agent.get(path)).status_code)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "/first")
        tasks.start_soon(ask, "/second")

    assert statuses == [200, 200]


async def test_more_connections_than_are_served_wait_for_their_turn(
    model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_proxy, "CONNECTIONS_MAX", 1)
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    async with (
        way_to(f"http://127.0.0.1:{model.port}") as port,
        connected(port) as first,
        connected(port) as second,
    ):
        await second.send(request)
        await first.send(request)
        assert (await first.receive()).startswith(b"HTTP/1.1 200")
        asked_by_the_first = len(model.asked)
        async for _ in first:
            pass
        answer = await second.receive()

    assert asked_by_the_first == 1
    assert answer.startswith(b"HTTP/1.1 200")


async def test_requests_sent_ahead_are_answered_in_order_and_do_not_pile_up(
    door: int, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [0]

    class Noting(h11.Connection):
        def receive_data(self, data: bytes) -> None:
            super().receive_data(data)
            held.append(len(self.trailing_data[0]))

    monkeypatch.setattr(h11, "Connection", Noting)
    padding = b"x" * 10_000
    requests = [
        b"GET /%d HTTP/1.1\r\nHost: x\r\nx: %s\r\n\r\n" % (number, padding) for number in range(99)
    ]
    last = b"GET /99 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    answer = await said(door, b"".join([*requests, last]))

    assert answer.count(b"HTTP/1.1 200") == 100
    assert [asked.target for asked in model.asked] == [f"/base/{number}" for number in range(100)]
    assert max(held) <= 2 * model_proxy.CHUNK_BYTES


async def test_nothing_of_a_request_is_logged(
    agent: httpx.AsyncClient, door: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await said(
            door,
            b"GET /path HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-api-key: %s\r\n\r\n"
            % MODEL_KEY.encode(),
        )

    assert KEY not in caplog.text
    assert "/path" not in caplog.text


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x", "http://", "https://user:pass@host", "https://host/?key=1", "http://h:99999"],
)
def test_an_address_that_is_none_of_a_model_is_refused(url: str) -> None:
    with pytest.raises(Rejected, match="the model's address"):
        ModelAccess(url=url, key=KEY)


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(ModelAccess(url="https://host", key=KEY))


async def test_a_stopped_way_leads_nowhere(model: ModelServer) -> None:
    async with way_to(f"http://127.0.0.1:{model.port}") as port:
        pass

    with pytest.raises(OSError, match="connect"):
        await anyio.connect_tcp("127.0.0.1", port)


@pytest.mark.parametrize("key", ["4711 ", " 4711", "47 11", "4711\n", "47\n11", "4711\u00e9"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(Rejected, match="the model's key") as refused:
        ModelAccess(url="https://host", key=key)

    assert "47" not in str(refused.value)
