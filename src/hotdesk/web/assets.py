"""The files that every page needs: style, script and icon, out of the package.

They are read at the start, and their addresses hold a digest of what is in them, so that a
browser keeps each one for as long as it does not change.
"""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hotdesk.web.problems import problem

FOLDER = "/assets"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file. *packed* is its gzip."""

    kind: str
    content: bytes
    packed: bytes
    digest: str


class Assets:
    """All of them, by name."""

    def __init__(self) -> None:
        """Read them."""
        self._assets: dict[str, Asset] = {}
        for file in files("hotdesk.web").joinpath("assets").iterdir():
            suffix = file.name[file.name.rfind(".") :]
            if suffix in KINDS:
                content = file.read_bytes()
                self._assets[file.name] = Asset(
                    kind=KINDS[suffix],
                    content=content,
                    packed=gzip.compress(content, mtime=0),
                    digest=hashlib.sha256(content).hexdigest()[:16],
                )

    def url(self, name: str) -> str:
        """The address of the file *name*."""
        return f"{FOLDER}/{name}?{self._assets[name].digest}"

    def styles(self) -> list[str]:
        """The addresses of the style sheets, in the order of their names."""
        return [self.url(name) for name in sorted(self._assets) if name.endswith(".css")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for one of them."""
        asset = self._assets.get(scope["path"].removeprefix(f"{FOLDER}/"))
        if asset is None or scope["method"] not in {"GET", "HEAD"}:
            await problem(404, "there is nothing here")(scope, receive, send)
            return
        is_latest = scope["query_string"].decode("latin-1") == asset.digest
        headers = {
            "Cache-Control": _YEAR if is_latest else "no-cache",
            "Vary": "Accept-Encoding",
        }
        takes = b",".join(v for k, v in scope["headers"] if k == b"accept-encoding")
        content = asset.content
        if b"gzip" in takes:
            content, headers["Content-Encoding"] = asset.packed, "gzip"
        answer = Response(content, media_type=asset.kind, headers=headers)
        await answer(scope, receive, send)
