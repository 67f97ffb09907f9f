"""Output of agents becomes lines of HTML that hold nothing but its words and our classes."""

import html
import re
from itertools import pairwise
from time import process_time  # noqa: TID251 - what is measured is the reading itself

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.web.ansi import LINE_LENGTH_MAX, Printout, printed

OURS = re.compile(r'<span class="t-[a-z]+(?: t-[a-z]+)*">|</span>')
ENTITY = re.compile(r"&(?:amp|lt|gt|#34|#39);")
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

PIECES = [
    *"\x1b[]PX^_\\\r\n\t\x07\x08\x00m;:0123456789 <>&\"'\x90\x9b\x9c\x9d\u202e\ud800é",
    *("\x1b[31m", "\x1b[0m", "\x1b[38;5;196m", "\x1b[48;2;9;9;9m", "\x1b]0;title\x07", "<script>"),
    *("\x1b]8;;javascript:alert(1)\x1b\\", "\x1b[2J", "</span>", "\r\n", "words"),
]
outputs = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
Cut = st.tuples(outputs, st.lists(st.integers(0, 80), max_size=5))


def words(line: str) -> str:
    return html.unescape(OURS.sub("", line))


@given(outputs)
def test_no_line_holds_anything_but_escaped_words_and_our_classes(output: str) -> None:
    for line in printed(output):
        rest = OURS.sub("", line)

        assert not set("<>\"'") & set(rest)
        assert "&" not in ENTITY.sub("", rest)
        assert not CONTROLS.search(words(line))
        assert line.encode().decode() == line
        assert line.count("<span ") == line.count("</span>")


@given(Cut)
def test_output_reads_the_same_however_it_is_cut_into_pieces(cut: tuple[str, list[int]]) -> None:
    output, places = cut
    ends = [0, *sorted(min(place, len(output)) for place in places), len(output)]
    printout = Printout()

    lines = [line for start, end in pairwise(ends) for line in printout.feed(output[start:end])]

    if printout.is_open:
        lines.append(printout.open_line)
    assert lines == printed(output)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("\x1b[31mred\x1b[39m plain", '<span class="t-red">red</span> plain'),
        ("\x1b[1;32mgood\x1b[m", '<span class="t-bold t-green">good</span>'),
        ("\x1b[32;91mlast wins", '<span class="t-red">last wins</span>'),
        ("\x1b[38;5;196mred", '<span class="t-red">red</span>'),
        ("\x1b[38;2;20;200;30mgreen", '<span class="t-green">green</span>'),
        ("\x1b[38:2:20:30:200mblue", '<span class="t-blue">blue</span>'),
        ("\x1b[38;5;240mgrey", '<span class="t-dim">grey</span>'),
        ("\x1b[30mblack \x1b[97mwhite", "black white"),
        ("\x1b[41;33mon", '<span class="t-mark t-yellow">on</span>'),
        ("\x1b[7mturned\x1b[27m back", '<span class="t-mark">turned</span> back'),
        ("\x1b[1;2;3;4mx\x1b[22;23;24my", '<span class="t-bold t-dim t-italic t-under">x</span>y'),
        ("\x1b[5;8;99mhidden is shown", "hidden is shown"),
        ("\x1b[3", ""),
        (f"\x1b[{'1;' * 100}31mtoo long to be meant", "too long to be meant"),
        ("\x1b[>4;1mno colour", "no colour"),
    ],
)
def test_colours_become_classes_and_all_other_looks_are_dropped(output: str, shown: str) -> None:
    assert "".join(printed(output)) == shown


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]0;title\x07",
        "\x1b]8;;http://example.org\x1b\\",
        "\x1bPq#0;2;0;0;0\x1b\\",
        "\x9d52;c;cm0gLXJm\x9c",
        "\x90q\x9c",
        "\x1b[2J\x1b[1;1H",
        "\x9b31m\x9b0m",
        "\x1b[?1049h",
        "\x1bc",
        "\x1b(B",
        "\x07\x08\x00\x7f\x85\u202e\u2066",
    ],
)
def test_what_steers_a_terminal_is_dropped_with_all_that_belongs_to_it(hostile: str) -> None:
    assert printed(f"a{hostile}b") == ["ab"]
    assert [*Printout().feed(f"{hostile}\n")] == [""]


def test_a_string_without_an_end_hides_no_more_than_its_line() -> None:
    assert printed("a\x1b]0;hidden\nb") == ["a", "b"]


def test_a_string_goes_on_from_one_piece_to_the_next() -> None:
    printout = Printout()

    shown = [*printout.feed("a\x1b]0;hid"), *printout.feed("den\x07b\n")]

    assert shown == ["ab"]


def test_a_line_that_is_written_anew_is_shown_as_it_stands_in_the_end() -> None:
    assert printed(" 10%\r 20%\r\x1b[K100%\ndone\r\n\r\nnext\r") == ["100%", "done", "", "next"]


def test_the_line_that_has_not_ended_is_shown_as_far_as_it_came() -> None:
    printout = Printout()

    assert [*printout.feed("one\n 10%")] == ["one"]
    assert printout.open_line == " 10%"
    assert [*printout.feed("\r 20%")] == []
    assert printout.open_line == " 20%"
    assert [*printout.feed("\n")] == [" 20%"]
    assert not printout.is_open


def test_a_colour_goes_on_over_lines_and_pieces_until_it_ends() -> None:
    printout = Printout()

    shown = [*printout.feed("\x1b[3"), *printout.feed("1ma\nb"), *printout.feed("\x1b[0mc\n")]

    assert shown == ['<span class="t-red">a</span>', '<span class="t-red">b</span>c']


def test_a_long_line_is_cut_and_says_by_how_much() -> None:
    [line, after] = printed("x" * (LINE_LENGTH_MAX + 1500) + "\nafter")

    assert words(line) == "x" * LINE_LENGTH_MAX + " … 1,500 characters more"
    assert after == "after"


@pytest.mark.parametrize("piece", ["x", "<", "\x1b", "\x1b[", "\x1b]", "\x9b", "\x1b[1;", "a\x00"])
def test_a_line_of_ten_megabytes_is_read_in_linear_time_and_bounded(piece: str) -> None:
    # One piece costs some 2 µs on an old core; a thousand times that would be the square.
    pieces = 10_000_000 if piece in {"x", "<"} else 150_000
    output = "\x1b[31m" + piece * pieces + "\n"
    printout = Printout()

    started = process_time()
    [whole] = printed(output)
    [fed] = [
        line
        for start in range(0, len(output), 16_000)
        for line in printout.feed(output[start : start + 16_000])
    ]

    assert process_time() - started < 5
    assert len(whole) < 6 * LINE_LENGTH_MAX
    assert fed == whole or piece == "\x1b[1;"
