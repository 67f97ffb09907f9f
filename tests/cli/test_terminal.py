"""What strangers wrote cannot steer the reader's terminal."""

import pytest

from hotdesk.cli import terminal
from hotdesk.cli.eventlog import _printable
from tests.cli.conftest import Run, Serve

HOSTILE = "a\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J\x1bc\x08\x00\u202eevil\u2066\x7f\r\x85z"


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE * 3, "\x1b" * 9, "\x1b]0;never ended", "\udc1b"])
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    for printed in (terminal.line(text), terminal.block(text)):
        assert all(c.isprintable() or c in "\n\t" for c in printed)
        assert "\x1b" not in printed.encode("utf-8").decode()


def test_colours_are_taken_out_with_their_parameters() -> None:
    assert terminal.block("a\x1b[1;31mred\x1b[0m\x1b]8;;http://x\x1b\\b") == "aredb"
    assert terminal.line("two\nlines\tand  spaces") == "two lines and spaces"
    assert terminal.block("two\r\nlines\n") == "two\nlines\n"


def test_hostile_instructions_logs_and_answers_are_printed_harmlessly(
    run: Run, serve: Serve
) -> None:
    sent = run("send", "--desk", "a/b", "-m", HOSTILE.replace("\x00", ""), "--id", "j1")
    serve()

    printed = [
        sent.out,
        *(run("job", *words).out for words in (["list"], ["show", "j1"], ["logs", "j1"])),
        run("job", "watch", "j1").out,
        run("job", "list", "--json").out,
    ]

    assert all(c.isprintable() or c in "\n\t" for text in printed for c in text)


def test_hostile_facts_are_logged_harmlessly_on_a_terminal() -> None:
    line = _printable(None, "info", {"event": "x", "reason": HOSTILE, "attempt": 1})

    assert all(c.isprintable() for c in line["reason"])
    assert (line["event"], line["attempt"]) == ("x", 1)


def test_hostile_names_in_errors_are_printed_harmlessly(run: Run) -> None:
    run("send", "--desk", "a/b", "-m", "x")

    for ran in (run("job", "show", HOSTILE), run("send", "--desk", HOSTILE, "-m", "x")):
        assert ran.code in (2, 3)
        assert all(c.isprintable() or c == "\n" for c in ran.err)
