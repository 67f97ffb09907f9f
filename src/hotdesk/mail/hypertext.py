"""HTML to plain text, for mails that bring no plain text; quotes come out as ``> `` lines.

It reads tags and nothing else: no style, no script, no picture is looked at. Every
character is read once: the standard library's ``HTMLParser`` needs 48 s for 80 kB of
``<a <a <a`` on Python 3.11.
"""

import re
from html import unescape

QUOTE_DEPTH_MAX = 20

# A tag behind its "<": the name, the attributes with their quoted values, and the ">".
# Nothing is tried twice (``*+``), so that a tag without an end costs its length once.
_TAG = re.compile(r"(/?)([a-zA-Z][^\s/>]*+)((?:\"[^\"]*\"|'[^']*'|[^'\">])*+)>")
_MARKUP = re.compile(r"/?[a-zA-Z]|[!?]")
_LINK = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_IMAGE_TEXT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_NO_CHARACTER = re.compile(r"&#[0-9]{8,};?")
_WHITE_SPACE = re.compile(r"[ \t\n\r\f]+")

_UNSEEN = frozenset(("script", "style", "title", "template", "noscript"))
_PARAGRAPHS = frozenset(
    "blockquote dl fieldset figure h1 h2 h3 h4 h5 h6 hr ol p pre table ul".split()
)
_LINES = frozenset(
    "address article aside body center dd div dt footer form header html li main nav section "
    "tbody thead tr".split()
)


def html_to_text(html: str) -> str:
    """Return what a reader would see of *html*, line by line."""
    page = _Page()
    unseen = ""
    first, *chunks = html.split("<")
    page.write(first)
    for chunk in chunks:
        if unseen:
            # In a comment, or in an element that is not shown, only its end counts.
            at_end, text = _end_of_unseen(unseen, chunk)
            if at_end:
                unseen = ""
                page.write(text)
        elif chunk.startswith("!--"):
            # "<!-->" and "<!--->" are whole comments (HTML, 13.2.5.43).
            _, is_closed, text = chunk[1:].partition("-->")
            unseen = "" if is_closed else "!--"
            page.write(text)
        elif not _MARKUP.match(chunk):
            page.write("<" + chunk)
        elif match := _TAG.match(chunk):
            name = match[2].lower()
            page.tag(name, attributes=match[3], is_end=bool(match[1]))
            unseen = name if name in _UNSEEN and not match[1] else ""
            page.write("" if unseen else chunk[match.end() :])
        else:
            page.write(chunk.partition(">")[2])
    return page.text()


def _end_of_unseen(unseen: str, chunk: str) -> tuple[bool, str]:
    if unseen == "!--":
        _, found, text = chunk.partition("-->")
        return bool(found), text
    is_end = chunk[: len(unseen) + 1].lower() == f"/{unseen}"
    return is_end, chunk.partition(">")[2]


class _Page:
    """The lines written so far, and the one being written."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0
        self._preformatted = 0
        self._link = ""

    def write(self, text: str) -> None:
        if self._preformatted:
            *ended, text = _unescaped(text).split("\n")
            for line in ended:
                self._line.append(line)
                self._end_line()
        else:
            # Entities are decoded last: a non-breaking space is no white space of HTML.
            text = _unescaped(_WHITE_SPACE.sub(" ", text))
        if text:
            self._line.append(text)

    def tag(self, name: str, *, attributes: str, is_end: bool) -> None:
        if name in _PARAGRAPHS or name in _LINES:
            self._end_block(with_space=name in _PARAGRAPHS)
        step = -1 if is_end else 1
        match name:
            case "br" if not is_end:
                self._end_line()
            case "blockquote":
                self._quotes = max(self._quotes + step, 0)
            case "pre":
                self._preformatted = max(self._preformatted + step, 0)
            case "li" if not is_end:
                self._line.append("- ")
            case "td" | "th" if not is_end:
                self._line.append(" ")
            case "img":
                if (match := _IMAGE_TEXT.search(attributes)) and (shown := match[1] or match[2]):
                    self._line.append(f"[{_unescaped(shown)}]")
            case "a":
                self._end_link()
                self._link = "" if is_end else _target(attributes)

    def text(self) -> str:
        self._end_block(with_space=False)
        return "\n".join(self._lines).strip("\n")

    def _end_link(self) -> None:
        """Write where the link leads, unless its text says so already."""
        if self._link and not (self._line and self._line[-1].strip() == self._link):
            self._line.append(f" <{self._link}>")

    def _end_line(self) -> None:
        line = "".join(self._line)
        if not self._preformatted:
            line = line.strip(" ")
        prefix = "> " * min(self._quotes, QUOTE_DEPTH_MAX)
        self._lines.append((prefix + line).rstrip())
        self._line.clear()

    def _end_block(self, *, with_space: bool) -> None:
        if "".join(self._line).strip():
            self._end_line()
        self._line.clear()
        if with_space and self._lines and self._lines[-1]:
            self._lines.append("")


def _target(attributes: str) -> str:
    match = _LINK.search(attributes)
    target = _unescaped(match[1] or match[2] or match[3] or "") if match else ""
    return target if target.startswith(("https://", "http://")) else ""


def _unescaped(text: str) -> str:
    """Decode entities; on a number of 5,000 digits alone, ``unescape`` raises."""
    return unescape(_NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", text))
