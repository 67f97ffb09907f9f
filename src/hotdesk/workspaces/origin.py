"""Where a project's repository lives: its address, and the credentials apart from it.

Credentials that stand in an address are taken out of it at once. They reach git as a
header in its environment, so they stand in no file, on no command line (every user of a
machine may read those) and in nothing that git says.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from hotdesk.errors import ConfigError

_WITH_CREDENTIALS = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A repository that is cloned and pushed to.

    ``url`` holds no credentials; ``authorization`` is the header that carries them, if any.
    """

    url: str
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Split *url* into an address and its credentials.

        Raises:
            ConfigError: It is not an address that git could use.
        """
        if not url or url.startswith("-") or "\n" in url or _CONTROLS.search(url):
            raise ConfigError("origin", "is not the address of a repository")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ConfigError("origin", "is not the address of a repository") from None
        if parts.scheme not in ("https", "http") or "@" not in parts.netloc:
            return cls(url=url)
        userinfo, _, host = parts.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        token = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        return cls(
            url=parts._replace(netloc=host).geturl(), authorization=f"Authorization: Basic {token}"
        )

    def config(self) -> list[tuple[str, str]]:
        """Return the settings that make this repository the remote ``origin``."""
        settings = [("remote.origin.url", self.url)]
        if self.authorization:
            parts = urlsplit(self.url)
            here = f"http.{parts.scheme}://{parts.netloc}/"
            settings.append((f"{here}.extraHeader", self.authorization))
            # After a redirect git would send the header to wherever that leads.
            settings.append((f"{here}.followRedirects", "false"))
        return settings


def redact(text: str) -> str:
    """Return *text* without credentials in addresses and without control characters."""
    return _CONTROLS.sub(" ", _WITH_CREDENTIALS.sub(r"\g<scheme>***@", text))
