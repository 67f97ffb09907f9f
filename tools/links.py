"""Finds the links in Markdown pages that lead nowhere.

Knows files, folders and the anchors of headings inside the repository. Refuses to ask
the network: addresses with a scheme are not looked at, so that a check cannot fail
because somebody else's server is down.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_HTML_ANCHOR = re.compile(r"""<[^>]*\b(?:id|name)=["']([^"']+)["']""")


def broken_links(root: Path, pages: Iterable[Path]) -> Iterator[str]:
    """Yield ``page:line: link: what is wrong`` for each link that leads nowhere.

    A link may lead to a file or folder below *root*, and to a heading of a page, by the
    anchor that code hosts give it.
    """
    for page in pages:
        for line, link in _links(page):
            if wrong := _wrong(root, page, link):
                yield f"{page.relative_to(root)}:{line}: {link}: {wrong}"


def anchors(page: str) -> set[str]:
    """Return the anchors that the Markdown text *page* has: its headings and its HTML ids.

    A heading becomes its text in lower case, without punctuation and with hyphens for
    spaces; the second one of a name gets ``-1``, and so on.
    """
    found: set[str] = set()
    seen: Counter[str] = Counter()
    tokens = _MARKDOWN.parse(page)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and before.type == "heading_open":
            text = "".join(
                child.content
                for child in token.children or []
                if child.type in {"text", "code_inline"}
            )
            slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        for part in [token, *(token.children or [])]:
            if part.type in {"html_block", "html_inline"}:
                found.update(_HTML_ANCHOR.findall(part.content))
    return found


def _links(page: Path) -> Iterator[tuple[int, str]]:
    for token in _MARKDOWN.parse(page.read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else 0
        for child in token.children or []:
            if target := _target(child):
                yield line, target


def _target(token: Token) -> str:
    target = token.attrGet({"link_open": "href", "image": "src"}.get(token.type, ""))
    return str(target or "")


def _wrong(root: Path, page: Path, link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if parts.path.startswith("/") or not target.is_relative_to(root.resolve()):
        return "leads out of the repository"
    if not target.exists():
        return "no such file"
    if parts.fragment and target.suffix == ".md":
        known = anchors(target.read_text(encoding="utf-8"))
        return None if unquote(parts.fragment) in known else "no such heading"
    return None


def main(arguments: list[str]) -> int:
    """Check the pages named in *arguments*, and those in the folders named there."""
    root = Path.cwd()
    pages: list[Path] = []
    for name in arguments:
        path = root / name
        pages += sorted(path.rglob("*.md")) if path.is_dir() else [path]
    broken = list(broken_links(root, pages))
    print(*broken, f"{len(pages)} pages, {len(broken)} broken links", sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
