"""No secret of a command is in what anybody reads of its output, however it is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hotdesk.runners.redaction import Redaction

SECRETS = ("abcabd", "abcabdabce", "xyzwxyz", "s3cret-t0ken", "ab", "")


def passed(output: bytes, cuts: list[int], secrets: tuple[str, ...] = SECRETS) -> bytes:
    """What is passed on of *output* when it comes in pieces."""
    redaction = Redaction(secrets)
    places = sorted({0, len(output), *(cut % (len(output) + 1) for cut in cuts)})
    pieces = [redaction.pass_on(output[begin:end]) for begin, end in pairwise(places)]
    return b"".join(pieces) + redaction.finish()


@given(some.text("abcde\n", max_size=40), some.lists(some.integers(0, 100), max_size=8))
def test_wherever_the_output_is_cut_the_same_is_read(output: str, cuts: list[int]) -> None:
    assert passed(output.encode(), cuts) == passed(output.encode(), [])


@given(
    some.lists(
        some.sampled_from(["abcabdabce", "xyzwxyz", "s3cret-t0ken", "x", " ", "\n"]), max_size=8
    ),
    some.lists(some.integers(0, 200), max_size=12),
)
def test_no_secret_is_read(words: list[str], cuts: list[int]) -> None:
    read = passed("|".join(words).encode(), cuts).decode()

    assert not any(secret in read for secret in SECRETS if len(secret) > 3)


@pytest.mark.parametrize(
    ("output", "read"),
    [
        (b"token s3cret-t0ken.", b"token ***."),
        (b"s3cret-t0kens3cret-t0ken", b"******"),
        (b"abcabdabce and abcabd", b"*** and ***"),
        (b"abcabdabc", b"***abc"),
        (b"s3cret-t0ke", b"s3cret-t0ke"),
        (b"ab stays, as nothing that short is a secret", None),
        (b"\xff\xfe binary \x00", None),
        (b"", None),
    ],
)
def test_secrets_are_replaced_and_all_else_stays(output: bytes, read: bytes | None) -> None:
    assert passed(output, list(range(200))) == (output if read is None else read)


def test_a_key_of_several_lines_is_found_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0B\ntrue\n-----END KEY-----\n"
    shown = b"> -----BEGIN KEY-----\r\n> MIIBVgIBADANBg\r\n> true\r\n"

    assert passed(shown, [], (key,)) == b"> ***\r\n> ***\r\n> true\r\n"
    assert passed(b"the key: " + key.encode(), [3, 20], (key,)) == b"the key: ***\n"


def test_a_secret_read_from_a_file_is_found_without_its_last_line_break() -> None:
    assert passed(b"<t0ken-123>", [], ("t0ken-123\n",)) == b"<***>"


def test_without_secrets_nothing_is_held_back() -> None:
    assert Redaction(()).pass_on(b"anything") == b"anything"


@pytest.mark.parametrize("lost", range(1, 12))
def test_the_rest_of_a_secret_that_was_cut_is_dropped_from_the_end_of_an_output(lost: int) -> None:
    redaction = Redaction(("s3cret-t0ken",))
    output = b"s3cret-t0ken"[lost:] + b"s3cret-t0ken" * 3 + b" and so on, and no more"

    end = redaction.end(output, is_cut=True)

    assert end.endswith(b"and no more")
    assert b"t0ken" not in end
    assert b"en*" not in end


def test_an_output_that_was_not_cut_keeps_its_beginning() -> None:
    assert Redaction(("s3cret-t0ken",)).end(b"begun", is_cut=False) == b"begun"


def test_looking_for_a_long_secret_in_much_output_takes_no_time() -> None:
    # The test has 20 seconds; quadratic, it would take minutes.
    redaction = Redaction(("a" * 4000 + "b",))

    for _ in range(100):
        redaction.pass_on(b"a" * 60_000)

    assert len(redaction.finish()) <= 4001
