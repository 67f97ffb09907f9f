"""Markdown that others wrote, as HTML that can stand in a mail.

HTML in it is text, a picture is its description, and a link says which address it leads to.
What comes out has the elements of ``ELEMENTS`` and the attributes of ``ATTRIBUTES`` and no
others, whatever goes in.
"""

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from hotdesk.mail.mailbox import parse_address

ELEMENTS = frozenset(
    "a bdi blockquote br code em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody td "
    "th thead tr ul".split()
)
ATTRIBUTES = frozenset(("class", "href", "start", "style"))

# The cells that a row lacks are filled in, so that a table of n characters can have n² cells.
TABLE_BARS_MAX = 500

# Without a user before the host, who would look like the host; and no host in other letters,
# which arrive here in ASCII (RFC 3492).
_WEB_ADDRESS = re.compile(
    r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][!-~]*)?"
)
# What may stand in an address and means something in a link is left out: "?", "%", "&".
_MAIL_ADDRESS = re.compile(r"mailto:([A-Za-z0-9._+-]+@[A-Za-z0-9.-]+)")


def html_of(markdown: str) -> str:
    """Return *markdown* as HTML. Its own line breaks stay: what programs print has some."""
    html: str = _parser(has_tables=markdown.count("|") <= TABLE_BARS_MAX).render(markdown)
    return html


def web_host(address: str) -> str:
    """Return whom a link to *address* asks; "" if it is no plain address of the web."""
    match = _WEB_ADDRESS.fullmatch(address)
    return match[1].lower() if match else ""


class _Parser(MarkdownIt):
    """Makes links of plain addresses only."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the name that it is called by
        return bool(_leads_to(url))


@cache
def _parser(*, has_tables: bool) -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "breaks": True}).enable("strikethrough")
    if has_tables:
        parser.enable("table")
    parser.core.ruler.push("hosts", _name_hosts)
    parser.add_render_rule("image", _picture)
    parser.add_render_rule("fence", _code)
    parser.add_render_rule("host", _host)
    return parser


def _leads_to(address: str) -> str:
    """Return the host or the mail address that a link leads to; "" if it may not be one."""
    if match := _MAIL_ADDRESS.fullmatch(address):
        mailbox = parse_address(match[1])
        return mailbox.address if mailbox else ""
    return web_host(address)


def _name_hosts(state: StateCore) -> None:
    """Put where it leads behind each link, unless its text is its address."""
    for token in state.tokens:
        if token.type == "inline":
            token.children = _with_hosts(token.children or [])


def _with_hosts(tokens: Sequence[Token]) -> list[Token]:
    done: list[Token] = []
    address, shown = "", ""
    for token in tokens:
        if token.type == "link_open":
            address, shown = str(token.attrs["href"]), ""
            # A title would be one more text that can name another address.
            token.attrs = {"href": address}
        if not (token.type.startswith("link_") and not _leads_to(address)):
            # What leads nowhere is no link: an empty address is not asked about above.
            done.append(token)
        shown += token.content
        if token.type == "link_close" and shown != address.removeprefix("mailto:"):
            done.append(Token("host", "", 0, content=_leads_to(address)))
    return done


def _host(
    _renderer: RendererHTML, tokens: Sequence[Token], at: int, _o: OptionsDict, _e: EnvType
) -> str:
    return f' <span class="quiet">[<bdi>{escapeHtml(tokens[at].content)}</bdi>]</span>'


def _picture(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    at: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    shown = renderer.renderInlineAsText(tokens[at].children, options, env)
    return f"[{escapeHtml(shown or 'picture')}]"


def _code(
    _renderer: RendererHTML, tokens: Sequence[Token], at: int, _o: OptionsDict, _e: EnvType
) -> str:
    return f"<pre><code>{escapeHtml(tokens[at].content)}</code></pre>\n"
