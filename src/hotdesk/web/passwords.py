"""Passwords, which are kept as what scrypt makes of them: ``scrypt:N:r:p:SALT:HASH``.

Working it out takes a tenth of a second and 32 MB, on purpose. N = 2^15, r = 8 and p = 3 are
what OWASP's Password Storage Cheat Sheet asks for.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Self

PASSWORD_MIN = 12
_N, _R, _P = 2**15, 8, 3
_BOUNDS = ((2**14, 2**18), (8, 16), (1, 8))
SALT_BYTES = 16
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """What is kept of a password."""

    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, password: str, salt: bytes) -> Self:
        """Make it of the *password*; *salt* is random."""
        found = _scrypt(password, _N, _R, _P, salt)
        return cls(n=_N, r=_R, p=_P, salt=salt, hash=found)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote.

        Raises:
            ValueError: It did not write this.
        """
        kind, *numbers, salt, found = text.strip().split(":")
        n, r, p = (int(each) for each in numbers)
        read = cls(n=n, r=r, p=p, salt=_bytes(salt), hash=_bytes(found))
        bounded = all(
            low <= each <= high for each, (low, high) in zip((n, r, p), _BOUNDS, strict=True)
        )
        if kind != "scrypt" or not bounded or n & (n - 1) or len(read.hash) != _HASH_BYTES:
            raise ValueError("this is not what scrypt made of a password")
        return read

    def __str__(self) -> str:
        salt, found = (
            urlsafe_b64encode(each).decode().rstrip("=") for each in (self.salt, self.hash)
        )
        return f"scrypt:{self.n}:{self.r}:{self.p}:{salt}:{found}"

    def fits(self, password: str) -> bool:
        """Whether this was made of *password*. Run it in a thread: it is slow on purpose."""
        return hmac.compare_digest(_scrypt(password, self.n, self.r, self.p, self.salt), self.hash)


def _scrypt(password: str, n: int, r: int, p: int, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogateescape"),
        salt=salt,
        n=n,
        r=r,
        p=p,
        dklen=_HASH_BYTES,
        maxmem=256 * n * r,
    )


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
