from __future__ import annotations

from time import process_time  # noqa: TID251 - what is measured is the reading itself

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.mail.hypertext import QUOTE_DEPTH_MAX, html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one\n two</p><p>three</p>", "one two\n\nthree"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<div>one</div><div><div>two</div></div>", "one\ntwo"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<table><tr><td>a<td>b</tr><tr><td>c</table>", "a b\nc"),
        (
            "<blockquote>old<blockquote>older</blockquote></blockquote>new",
            "> old\n\n> > older\n\nnew",
        ),
        ("<pre>  def f():\n    x &lt; 1</pre>", "  def f():\n    x < 1"),
        (
            'see <a href="https://a.example/?a=1&amp;b=2">this</a>',
            "see this <https://a.example/?a=1&b=2>",
        ),
        ('<a href="https://a.example">https://a.example</a>', "https://a.example"),
        ("<a href='javascript:alert(1)'>x</a>", "x"),
        ('a <img alt="picture of it" src="x"> b <img alt="">', "a [picture of it] b"),
        ("<style>p { color: red }</style><script>if (a < b) x()</script>text", "text"),
        ("<title>page</title><!-- <p>no</p> -->text<!-- never closed", "text"),
        ("<!DOCTYPE html><?xml?><o:p>x</o:p>", "x"),
        ('<p title="a > b">x</p>', "x"),
        ("1 < 2 and a <b>c", "1 < 2 and a c"),
        ("&lt;b&gt; &amp;amp; &nbsp;&#65;&#x42;", "<b> &amp; \u00a0AB"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("</blockquote></pre></a>x", "x"),
    ],
)
def test_html_gives_what_a_reader_would_see(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_quotes_in_quotes_have_no_more_marks_than_anyone_reads() -> None:
    assert html_to_text("<blockquote>" * 1000 + "x") == "> " * QUOTE_DEPTH_MAX + "x"


@given(st.text(st.sampled_from("<>/!-&#;'\"= \nabpre")) | st.text())
def test_no_html_makes_the_reader_fail(html: str) -> None:
    html_to_text(html)


SLOW = ["<!--", "<a ", "<a a='", '<a a="', "</", "<", "&#9", "<script>", "<p", "<blockquote>"]


@pytest.mark.parametrize("piece", [*SLOW, "<a href='http://a'>b</a>", "<pre>\n", "<a" * 99 + "'"])
def test_reading_html_takes_linear_time(piece: str) -> None:
    started = process_time()

    html_to_text(piece * (1_000_000 // len(piece)))
    html_to_text("<" + piece.replace("<", "") * (1_000_000 // len(piece)))

    assert process_time() - started < 5
