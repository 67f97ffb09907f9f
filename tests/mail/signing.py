"""Signs mails for tests, and publishes what a test says in a DNS of its own.

The canonical forms are written here once more, the obvious way, so that a mistake in the
code that is tested is none here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hotdesk.errors import Unavailable
from hotdesk.mail.proof.names import Kind
from hotdesk.mail.proof.verdict import Peer

NOW = datetime(2025, 3, 3, 10, tzinfo=UTC)  # An hour after the samples were sent.
SIGNED = ("from", "to", "subject", "date", "message-id")
OUR_SERVER = "192.0.2.1"
SOMEBODY = "198.51.100.7"
PEER = Peer(address=SOMEBODY, hello="mx.evil.example", return_path="anna@example.org")


@dataclass
class Zone:
    """``Resolver`` of a test: what is published, and what DNS cannot answer."""

    records: dict[tuple[str, Kind], Sequence[str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def publish(self, name: str, *texts: str, kind: Kind = "TXT") -> None:
        """Publish records, instead of those of that name and kind."""
        self.records[name, kind] = texts

    async def look_up(self, name: str, kind: Kind) -> tuple[str, ...]:
        """See ``Resolver``."""
        self.asked.append(name)
        if name in self.silent:
            raise Unavailable(f"DNS does not answer for {name}")
        return tuple(self.records.get((name, kind), ()))


@cache
def rsa_key(bits: int = 1024) -> RSAPrivateKey:
    """A key for a test: as short as may be, since making one takes its time."""
    return generate_private_key(public_exponent=65537, key_size=bits)


@cache
def weak_key() -> RSAPrivateKey:
    """A key of 768 bits, which the library does not make any more."""
    p = int(
        "ce2306768c60085e159f2afd776b086d39744fb261738e0c"
        "8d26929da00ad29f72e1a8e31213c8d7964ae7d8f0bcb76f",
        16,
    )
    q = int(
        "dab4cd6e681e1e8aec198e622d91e9bfba591a6ad832d5b8"
        "d3ffb68eb602dcef5f496bb14c7381ec076ed33f01e1a8fd",
        16,
    )
    d = pow(65537, -1, (p - 1) * (q - 1))
    return RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa_crt_dmp1(d, p),
        dmq1=rsa_crt_dmq1(d, q),
        iqmp=rsa_crt_iqmp(p, q),
        public_numbers=RSAPublicNumbers(65537, p * q),
    ).private_key()


@cache
def ed25519_key() -> Ed25519PrivateKey:
    """The same for the other algorithm."""
    return Ed25519PrivateKey.generate()


def key_record(key: RSAPrivateKey | Ed25519PrivateKey, tags: str = "v=DKIM1;") -> str:
    """What is published for a key."""
    if isinstance(key, RSAPrivateKey):
        raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"{tags} p={base64.b64encode(raw).decode()}"
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"{tags} k=ed25519; p={base64.b64encode(raw).decode()}"


def signed(
    raw: bytes,
    *,
    domain: str = "example.org",
    key: RSAPrivateKey | Ed25519PrivateKey | None = None,
    fields: Sequence[str] = SIGNED,
    canonical: str = "relaxed/relaxed",
    more: str = "",
) -> bytes:
    """Return *raw* with a signature on top; *more* are tags to add, each with its ``;``."""
    key = key or rsa_key()
    algorithm = "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256"
    head, _, body = raw.partition(b"\r\n\r\n")
    header_form, _, body_form = canonical.partition("/")
    digest = base64.b64encode(sha256(_body(body, body_form)).digest()).decode()
    field_ = (
        f"DKIM-Signature: v=1; a={algorithm}; c={canonical}; d={domain}; s=s1;\r\n"
        f"\t{more} h={' : '.join(fields)};\r\n\tbh={digest};\r\n\tb="
    ).encode()
    lines = [line + b"\r\n" for line in re.split(rb"\r\n(?![ \t])", head)]
    chosen = []
    for name in fields:
        of_name = [line for line in lines if line.lower().startswith(name.lower().encode() + b":")]
        if of_name:
            chosen.append(of_name[-1])
            lines.remove(of_name[-1])
    text = b"".join(_field(line, header_form) for line in chosen)
    text += _field(field_ + b"\r\n", header_form)[:-2]
    if isinstance(key, RSAPrivateKey):
        value = key.sign(text, PKCS1v15(), SHA256())
    else:
        value = key.sign(sha256(text).digest())
    return field_ + base64.b64encode(value) + b"\r\n" + raw


def _field(line: bytes, form: str) -> bytes:
    if form == "simple":
        return line
    name, _, value = line.partition(b":")
    return name.lower() + b":" + b" ".join(value.split()) + b"\r\n"


def _body(body: bytes, form: str) -> bytes:
    if form == "relaxed":
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
        body = b"\r\n".join(lines)
    while body.endswith(b"\r\n"):
        body = body[:-2]
    return body + b"\r\n" if body or form == "simple" else b""
