"""An answer as people read it: a page for mail programs that show pages, lines for the others.

Both are made of the same facts by the templates in ``answers/``, and say the same. A page
fetches nothing and runs nothing.
"""

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from hotdesk.desks import JobState
from hotdesk.mail.answer import Facts
from hotdesk.mail.markdown import html_of, web_host

_GREEN, _RED, _GREY = "#2da44e", "#cf222e", "#8b949e"
_COLOURS = {JobState.SUCCEEDED: _GREEN, JobState.FAILED: _RED, JobState.DEAD: _RED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer in plain text and in HTML."""

    text: str
    html: str


def page_of(facts: Facts) -> Page:
    """Return what stands in the mail."""
    templates = _templates()
    return Page(
        text=templates.get_template("answer.txt").render(facts=facts),
        html=templates.get_template("answer.html").render(
            facts=facts,
            # It has been made of what it may hold, and of nothing else.
            words=Markup(html_of(facts.words)),  # noqa: S704 - see above
            has_link=bool(web_host(facts.preview)),
            colour=_COLOURS.get(facts.state, _GREY),
        ),
    )


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("hotdesk.mail", "answers"),
        autoescape=select_autoescape(("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
