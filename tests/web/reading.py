"""What a reader sees of a page: its words."""

import html
import re

NONE = "\N{EN DASH}"


def words(markup: str) -> str:
    """The words of *markup*, with one space between; what is not there is ``none``."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", markup))
    return " ".join(text.replace(NONE, "none").split())


def element(page: str, id: str) -> str:  # noqa: A002 - its name in HTML
    """The row or section of that id, without its own tags; empty if there is none."""
    found = re.search(rf'<(tr|section)[^>]* id="{re.escape(id)}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    return found[2] if found else ""
