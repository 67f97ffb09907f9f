"""What holds for every page that a mail of ours shows, whatever people and agents wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hotdesk.mail.markdown import ATTRIBUTES, ELEMENTS

PAGE_ELEMENTS = ELEMENTS | frozenset("html head meta title style body div".split())
PAGE_ATTRIBUTES = ATTRIBUTES | frozenset(("lang", "charset", "name", "content", "dir"))
WITHOUT_END = frozenset(("meta", "br", "hr"))

_LINK = re.compile(
    r"https?://[A-Za-z0-9._\[\]:-]+([/?#][!-~]*)?|mailto:[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+"
)


class Reader(HTMLParser):
    """Holds a page to its elements and attributes, and keeps what a person would read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self._open: list[str] = []
        self._seen: list[str] = []

    @property
    def text(self) -> str:
        """What was read so far, with single spaces."""
        return " ".join("".join(self._seen).split())

    @property
    def is_closed(self) -> bool:
        """Whether every element that began has ended."""
        return not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element and what it carries."""
        assert tag in PAGE_ELEMENTS, tag
        for name, value in attrs:
            assert name in PAGE_ATTRIBUTES, (tag, name)
            assert value is not None
            if name == "style":
                assert not re.search(r"url|import|expression|position|[\\@<>]", value), value
            if name == "class":
                assert value == "quiet"
            if name == "href":
                assert _LINK.fullmatch(value), value
                self.links.append(value)
        assert tag != "a" or "a" not in self._open
        if tag not in WITHOUT_END:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element that is written as if it were XML."""
        assert tag in WITHOUT_END
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Look whether it ends what began last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if self._open[-1:] == ["style"]:
            # The rules are ours, and fetch nothing.
            assert not re.search(r"url|import|@|expression", data)
        elif self._open[-1:] != ["title"]:
            self._seen.append(data)

    def handle_comment(self, data: str) -> None:
        """Refuse it: some programs run what stands in comments."""
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        """Look at the only one that there may be."""
        assert decl == "DOCTYPE html"
        assert not self._seen

    def handle_pi(self, data: str) -> None:
        """Refuse it."""
        raise AssertionError(data)


def read_page(html: str) -> Reader:
    """Return what a person would read of *html*, after holding it to what a page may hold."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.is_closed
    return reader
