"""A page as a browser reads it, and what is expected of every page."""

from html.parser import HTMLParser

import httpx

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[2J{{ 7*7 }}"
EMPTY = frozenset("meta link input br img hr".split())
FIELDS = frozenset({"input", "textarea", "select"})


class Page(HTMLParser):
    """The elements, texts and links of a page. Reading it checks what holds for each page."""

    def __init__(self, answer: httpx.Response, *, status: int = 200) -> None:
        super().__init__(convert_charrefs=True)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.html = answer.text
        self.text = ""
        self.links: list[str] = []
        self.actions: list[str] = []
        self.dialogs: list[str] = []
        self._open: list[str] = []
        self._ids: list[str] = []
        self._headings = 0
        self.feed(answer.text)
        self.text = " ".join(self.text.split())
        assert self._open == []
        assert len(self._ids) == len(set(self._ids)), "an id stands twice"
        assert self._headings == 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert "style" not in given
        assert tag not in {"style", "iframe", "img"}
        assert not [name for name in given if name.startswith("on")]
        assert tag != "script" or (given.get("src") or "").startswith("/assets/")
        assert tag != "th" or "scope" in given
        assert tag not in FIELDS or "label" in self._open or given.get("type") == "hidden"
        self._headings += tag == "h1"
        if name := given.get("id"):
            self._ids.append(name)
            self.dialogs += [name] if tag == "dialog" else []
        if tag == "a":
            self.links.append(given["href"] or "")
        # The forms of the screen itself: to log out is offered everywhere.
        if tag == "form" and given.get("method") == "post" and "main" in self._open:
            self.actions.append(given["action"] or "")
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"path", "circle", "use"}

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "
