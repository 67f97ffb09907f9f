"""The web is warm before anybody asks for a page."""

import gc
from collections.abc import Iterator

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from hotdesk.web import opening

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_the_first_page_is_asked_for_by_the_server_itself() -> None:
    asked: list[tuple[str, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append((scope["path"], dict(scope["headers"])[b"authorization"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await opening.warm(app, "http://127.0.0.1:1", "secret")

    assert asked == [("/", b"Bearer secret")]
    assert gc.get_freeze_count() > 0


async def test_a_page_that_cannot_be_made_or_never_comes_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "WARM_SECONDS_MAX", 0.01)

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a bug")

    async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep_forever()

    with anyio.fail_after(10):
        for app in (broken, stuck):
            await opening.warm(app, "http://127.0.0.1:1", "secret")
