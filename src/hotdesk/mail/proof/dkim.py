"""DKIM: whether a domain signed a mail as it is here (RFC 6376, RFC 8463, RFC 8301)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from anyio import to_thread
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hotdesk.errors import Unavailable
from hotdesk.mail.proof.names import LookUps
from hotdesk.mail.proof.signature import Invalid, Signature, base64_of, read_signature, tags_of
from hotdesk.mail.proof.signed import SignedMail

SIGNATURES_MAX = 5
RSA_BITS_MIN = 1024  # RFC 8301, 3.2: shorter keys must not be taken.
RSA_BITS_MAX = 8192
KEY_LENGTH_MAX = 2000  # Of the base64; a key of 8192 bits has 1400.


@dataclass(slots=True)
class Signers:
    """What came of the signatures of the domains that were asked about.

    ``holds`` is the first one that holds. ``reasons`` say why others do not.
    """

    holds: Signature | None = None
    written_to: frozenset[str] | None = None
    known_by: str = ""
    reasons: list[str] = field(default_factory=list)
    unanswered: Unavailable | None = None


async def signers_of(
    raw: bytes, look_up: LookUps, *, is_asked: Callable[[str], bool], now: datetime
) -> Signers:
    """Check the signatures of domains that *is_asked* names, from the top.

    Raises:
        MailRejected: The header fields cannot be read.
        TooMuch: There were too many look-ups for this mail.
    """
    mail = await to_thread.run_sync(SignedMail, raw)
    found = Signers()
    for number, signature in _worth_checking(mail, found, is_asked, now):
        try:
            keys = await look_up(signature.key_name, "TXT")
            check = partial(_check, mail, number, signature, keys, now)
            await to_thread.run_sync(check)
        except Invalid as flaw:
            found.reasons.append(f"DKIM signature of {signature.domain}: {flaw}")
        except Unavailable as error:
            found.unanswered = error
        else:
            found.holds, found.written_to = signature, mail.written_to(signature)
            found.known_by = mail.known_by(signature)
            break
    return found


def _worth_checking(
    mail: SignedMail, found: Signers, is_asked: Callable[[str], bool], now: datetime
) -> Iterator[tuple[int, Signature]]:
    tried = 0
    for number, text in mail.signatures():
        try:
            signature = read_signature(text, now=now)
        except Invalid as flaw:
            found.reasons = [*found.reasons, f"a DKIM signature: {flaw}"][:SIGNATURES_MAX]
            continue
        if not is_asked(signature.domain):
            continue
        if tried == SIGNATURES_MAX:
            found.reasons.append("there are more DKIM signatures than are tried")
            return
        tried += 1
        yield number, signature


def _check(
    mail: SignedMail, number: int, signature: Signature, records: tuple[str, ...], now: datetime
) -> None:
    """Refuse what does not hold; it hashes the whole mail, so call it in a thread.

    Raises:
        Invalid: The message says why.
    """
    key = _key_of(records, signature)
    mail.check_coverage(signature)
    mail.check_age(signature, now)
    if mail.body_hash(is_relaxed=signature.is_body_relaxed) != signature.body_hash:
        raise Invalid("the text was changed behind it")
    signed = mail.signed_fields(signature, number)
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature.value, signed, PKCS1v15(), SHA256())
        else:
            digest = Hash(SHA256())
            digest.update(signed)
            key.verify(signature.value, digest.finalize())
    except InvalidSignature:
        raise Invalid("it is not by that key, or a signed field was changed") from None


def _key_of(records: tuple[str, ...], signature: Signature) -> RSAPublicKey | Ed25519PublicKey:
    if len(records) != 1:
        raise Invalid("its key is not in DNS" if not records else "it has several keys in DNS")
    tags = tags_of(records[0])
    if tags.get("v", "DKIM1") != "DKIM1" or tags.get("k", "rsa").lower() != signature.key_type:
        raise Invalid("its key is of another kind")
    if not tags.get("p"):
        raise Invalid("its key was withdrawn")
    if "sha256" not in _words(tags.get("h", "sha256")):
        raise Invalid("its key is not for SHA-256")
    if not {"*", "email"}.intersection(_words(tags.get("s", "*"))):
        raise Invalid("its key is not for mail")
    flags = _words(tags.get("t", ""))
    if "y" in flags:
        raise Invalid("its key is for trials (t=y)")
    if "s" in flags and signature.identity_domain != signature.domain:
        raise Invalid("its key is not for the domains below (t=s)")
    return _public_key(tags["p"], signature.key_type)


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(":")]


def _public_key(text: str, key_type: str) -> RSAPublicKey | Ed25519PublicKey:
    if len(text) > KEY_LENGTH_MAX:
        raise Invalid("its key is too long")
    raw = base64_of(text)
    try:
        if key_type == "ed25519":
            return Ed25519PublicKey.from_public_bytes(raw)
        key = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("its key cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise Invalid("its key is of another kind")
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise Invalid(f"its key has {key.key_size} bits: use {RSA_BITS_MIN} to {RSA_BITS_MAX}")
    return key
