"""The way to a model that is reached by TLS: whom it trusts, and what damage does."""

import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from tests.runners.model_server import OK, model_server, said, say_ok, way_to

pytestmark = pytest.mark.anyio


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server says who it is with, and the file of certificates that vouches for it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    return context, tmp_path / "trusted.pem"


@pytest.mark.parametrize("begun", [b"", OK[:-1]])
async def test_what_breaks_off_with_damage_to_its_encryption_breaks_nothing_else(
    trusted: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    context, certificates = trusted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    async def break_off(stream: ByteStream) -> None:
        if begun:
            await stream.send(begun)
        assert isinstance(stream, TLSStream)
        # A piece of application data, as its head says, that no key fits.
        await stream.transport_stream.send(b"\x17\x03\x03\x00\x20" + bytes(32))

    async with (
        model_server(context) as server,
        way_to(f"https://127.0.0.1:{server.port}") as door,
    ):
        server.answer = break_off
        broken = await said(door, request)
        server.answer = say_ok
        whole = await said(door, request)

    assert broken.startswith(b"HTTP/1.1 200 " if begun else b"HTTP/1.1 502 ")
    assert whole.endswith(b"ok")


async def test_a_model_is_trusted_by_the_certificates_of_the_system(
    trusted: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificates = trusted
    statuses = []

    async def ask(port: int) -> None:
        async with way_to(f"https://127.0.0.1:{port}") as door, httpx.AsyncClient() as agent:
            answer = await agent.get(f"http://127.0.0.1:{door}/")
            statuses.append(answer.status_code)

    async with model_server(context) as server:
        await ask(server.port)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
        await ask(server.port)

    assert statuses == [502, 200]
