from __future__ import annotations

from time import process_time  # noqa: TID251 - what is measured is the rendering itself

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.pages import read_page
from hotdesk.mail.markdown import html_of, web_host

HOST = ' <span class="quiet">[<bdi>x.example</bdi>]</span>'
MARKS = st.text(st.sampled_from("[]()!<>`*_~|#-\n\\ &:\"'=ax1/@.+\t"), max_size=80)


def shown(markdown: str) -> str:
    return read_page(html_of(markdown)).text


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>\n"),
        ("one\ntwo", "<p>one<br />\ntwo</p>\n"),
        ("# Title", "<h1>Title</h1>\n"),
        ('```py" onload="x\n<b>\n```', "<pre><code>&lt;b&gt;\n</code></pre>\n"),
        ("<b>bold</b>", "<p>&lt;b&gt;bold&lt;/b&gt;</p>\n"),
        ("![a *cat*](https://x.example/cat.gif)", "<p>[a cat]</p>\n"),
        ("![](https://x.example/cat.gif)", "<p>[picture]</p>\n"),
        ("![`<b>`](https://x.example/cat.gif)", "<p>[&lt;b&gt;]</p>\n"),
        (
            "<https://x.example>",
            '<p><a href="https://x.example">https://x.example</a></p>\n',
        ),
        (
            '[a](https://x.example/a "https://bank.example")',
            f'<p><a href="https://x.example/a">a</a>{HOST}</p>\n',
        ),
        (
            "<anna@example.org>",
            '<p><a href="mailto:anna@example.org">anna@example.org</a></p>\n',
        ),
    ],
)
def test_markdown_becomes_html_of_few_elements(markdown: str, html: str) -> None:
    assert html_of(markdown) == html


def test_a_table_has_rows_and_columns() -> None:
    assert "<td>1</td>" in html_of("|a|b|\n|-|-|\n|1|2|")


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java&#115;cript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "data:image/png;base64,AAAA",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://x.example",
        "//x.example",
        "/relative",
        "",
        "#here",
        "https:x.example",
        "https://",
        "https://bank.example@x.example",
        "https://bank.example%40x.example",
        "https://bank.example\\@x.example",
        "https://bank.example\u3002x.example\u2044@y.example",
        "https://%78.example",
        "mailto:anna@example.org?bcc=eve@x.example",
        "mailto:anna@example.org,eve@x.example",
        "mailto:a?bcc=eve@x.example",
        "mailto:anna%2Ceve@x.example",
        "mailto:",
    ],
)
@pytest.mark.parametrize("form", ["[x](<{}>)", "<{}>", "[x][r]\n\n[r]: <{}>", "[x]({})"])
def test_what_leads_nowhere_plain_is_no_link(link: str, form: str) -> None:
    page = read_page(html_of(form.format(link)))

    assert page.links == []


def test_what_is_no_link_stays_to_be_read() -> None:
    assert shown("[prize](javascript:alert(1))") == "[prize](javascript:alert(1))"


@pytest.mark.parametrize(
    ("markdown", "host"),
    [
        ("[https://bank.example](https://x.example/bank.example)", "x.example"),
        ("[bank.example](https://x.example)", "x.example"),
        ("[`https://bank.example`](https://x.example)", "x.example"),
        ("[![bank](https://bank.example/logo.png)](https://x.example)", "x.example"),
        ("[*https://x.example*/ ](https://x.example/)", "x.example"),
        ("[b\u200bank](https://X.EXAMPLE:8443/a)", "x.example"),
        ("[bank](https://b\u0430nk.example)", "xn--bnk-6cd.example"),
        ("<https://b\u0430nk.example>", "xn--bnk-6cd.example"),
        ("[bank](http://[2001:db8::1]/)", "[2001:db8::1]"),
        ("[anna@example.org](mailto:eve@x.example)", "eve@x.example"),
        ("[bank][r]\n\n[r]: https://x.example", "x.example"),
    ],
)
def test_a_link_whose_text_is_not_its_address_says_whose_it_is(markdown: str, host: str) -> None:
    page = read_page(html_of(markdown))

    assert len(page.links) == 1
    assert page.text.endswith(f"[{host}]")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://a-1.preview.example:8080/x?y#z", "a-1.preview.example"),
        ("http://127.0.0.1:8000", "127.0.0.1"),
        ("https://x.example y", ""),
        ("https://x.example/\u202e", ""),
        ("https://user:password@x.example", ""),
    ],
)
def test_an_address_of_the_web_has_one_plain_host(address: str, host: str) -> None:
    assert web_host(address) == host


@given(MARKS)
def test_no_markdown_brings_an_element_or_an_attribute_of_its_own(markdown: str) -> None:
    read_page(html_of(markdown))


def test_a_table_is_no_larger_than_what_it_is_made_of_explains() -> None:
    table = "|x" * 100 + "|\n" + "|-" * 100 + "|\n" + "||\n" * 3_000

    assert len(html_of(table)) < 10 * len(table)


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 12_000,
        "![" * 6_000,
        "[" * 800 + "](http://x.example)" * 600,
        "![" * 800 + "](http://x.example)" * 600,
        "> " * 6_000,
        "*a _b " * 2_000,
        "`".join("a" * n for n in range(150)),
        "".join("  " * n + "- a\n" for n in range(100)),
    ],
)
def test_markdown_made_to_be_slow_is_not_slow(hostile: str) -> None:
    before = process_time()
    html_of(hostile)

    # Measured: 0.02 to 0.2 s.
    assert process_time() - before < 1
