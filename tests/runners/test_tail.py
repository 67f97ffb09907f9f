"""What people see of the end of a program's output."""

import pytest

from hotdesk.runners.tail import LENGTH_MAX, last_lines


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (b"one\ntwo\n", "one\ntwo"),
        (b"\n\none  \n\n\n two\n", "one\n two"),
        (b"\x1b[1;31merror\x1b[0m: no\r\n", "error: no"),
        (b"\x1b[2J\x1b[Hhidden\x1b[8m", "hidden"),
        (
            b"\x1b]0;a title\x07shown\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
            "shownlink",
        ),
        (b"\x1b]0;never ended", ""),
        (b"\x1b]0;broken off\x1b[1mshown", "shown"),
        (b"\x1bPq#0~\x1b\\after \x1b(Bset \x1bcreset \x1b", "after set reset"),
        ("\x9b31mred\x9d0;title\x9c".encode(), "red"),
        (b"10%\r50%\r100%\ndone\r", "100%\ndone"),
        (b"a\x00b\x07c\x08d\x7f\tend", "abcd end"),
        ("right \u202eto left\u2066".encode(), "right to left"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_only_what_can_be_read_is_shown(output: bytes, shown: str) -> None:
    assert last_lines(output) == shown


def test_the_last_lines_are_shown_and_no_more_than_asked_for() -> None:
    output = b"\n".join(b"line %d" % number for number in range(100))

    assert last_lines(output, lines_max=2) == "line 98\nline 99"
    assert last_lines(output).startswith("line 70\n")


def test_long_lines_are_cut_and_the_whole_has_a_bound_at_a_line() -> None:
    shown = last_lines(b"\n".join([b"x" * 900, *([b"y" * 400] * 29)]))

    assert len(shown) <= LENGTH_MAX
    assert set(shown.split("\n")) == {"y" * 400}
    assert last_lines(b"z" * 60_000) == "z" * 500


@pytest.mark.parametrize("start", ["\x1b]", "\x1b[", "\x1bP", "\x9d", "\x1b[0", "\r"])
def test_hostile_output_takes_no_time(start: str) -> None:
    # The test has 20 seconds; a pattern that goes back would take minutes.
    last_lines((start * 40_000).encode())
    last_lines((start + "0;" * 40_000).encode())


def test_strings_that_never_end_take_no_time() -> None:
    # The test has 20 seconds; quadratic, it would take longer.
    assert last_lines("\x90".encode() * 100_000 + b"\x1bX") == ""
