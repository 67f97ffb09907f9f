"""Traffic out of a file: what is read, and what each mistake is told as."""

import json
from pathlib import Path

import pytest

from hotdesk.errors import ConfigError
from hotdesk.planner.trace import read_trace
from hotdesk.planner.traffic import Arrival

HEAD = "at,desk,seconds,correction\n"


def trace(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_and_json_lines_with_instants_or_seconds_are_the_same_traffic(tmp_path: Path) -> None:
    rows = [
        ("2026-11-02T08:00:00Z", "a/b", 30, False),
        ("2026-11-02T09:00:10+01:00", "a/b", 5, True),
    ]
    as_csv = trace(tmp_path, HEAD + "".join(f"{a},{d},{s},{c}\n" for a, d, s, c in rows))
    names = HEAD.strip().split(",")
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    as_json = trace(tmp_path, "\n".join(lines), "trace.jsonl")
    in_seconds = trace(tmp_path, HEAD + "28800,a/b,30,\n28810,a/b,5,yes\n", "seconds.csv")

    expected = [Arrival(28800, "a/b", 30), Arrival(28810, "a/b", 5, is_correction=True)]
    assert [*read_trace(as_csv)] == [*read_trace(as_json)] == [*read_trace(in_seconds)] == expected


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("4,a/b,5,", "row 3: it is older than the row before it; sort the file by at"),
        ("9,a/b,-1,", "row 3: seconds is -1, and must be from 0 to 604800"),
        ("9,a/b,nan,", "row 3: seconds is nan, and must be from 0 to 604800"),
        ("9,a/b,long,", "row 3: seconds is 'long', which is no number"),
        ("9,a/b,,", "row 3: it has no seconds; --job-minutes says what to assume"),
        ("9,,5,", "row 3: it has no desk"),
        (",a/b,5,", "row 3: at is '', neither an ISO 8601 time nor seconds"),
        ("-1,a/b,5,", "row 3: at is '-1', which is no time"),
        ("inf,a/b,5,", "row 3: at is 'inf', which is no time"),
        ("yesterday,a/b,5,", "row 3: at is 'yesterday', neither"),
        ("9,a/b,5,perhaps", "row 3: correction is 'perhaps'; write yes or no"),
        (f"9,{'a' * 201},5,", "row 3: its desk is longer than 200 characters"),
        (f"9,{'a' * 100_000},5,", "row 3: it is longer than 100,000 characters"),
    ],
)
def test_a_row_that_is_not_usable_is_named(tmp_path: Path, row: str, told: str) -> None:
    path = trace(tmp_path, f"{HEAD}5,a/b,5,\n{row}\n")

    with pytest.raises(ConfigError) as caught:
        [*read_trace(path)]

    assert told in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("", "t.csv", "the first row does not name at, desk, seconds"),
        ("at,desk\n1,a/b\n", "t.csv", "the first row does not name seconds"),
        (HEAD, "t.csv", "there is no job in this trace"),
        ("\n", "t.jsonl", "there is no job in this trace"),
        ("{", "t.jsonl", "row 1: it is no JSON"),
        ("[" * 90_000, "t.jsonl", "row 1: it is no JSON"),
        ("[1]", "t.jsonl", "row 1: it is no JSON object"),
        ('{"at": true, "desk": "a/b", "seconds": 1}', "t.jsonl", "row 1: it has no at"),
        ('{"at": 1, "desk": 5, "seconds": 1}', "t.jsonl", "row 1: it has no desk"),
    ],
)
def test_a_file_that_is_no_trace_says_why(tmp_path: Path, text: str, name: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        [*read_trace(trace(tmp_path, text, name))]

    assert told in str(caught.value)


def test_a_file_that_is_no_text_or_not_there_says_so(tmp_path: Path) -> None:
    picture = tmp_path / "t.csv"
    picture.write_bytes(b"\x89PNG\r\n\xff\xfe")

    for path in (picture, tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            [*read_trace(path)]


def test_a_duration_that_is_missing_is_what_was_said_of_such_rows(tmp_path: Path) -> None:
    path = trace(tmp_path, HEAD + "5,a/b,,\n")

    assert [*read_trace(path, default_seconds=60)] == [Arrival(5, "a/b", 60)]


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    path = trace(tmp_path, HEAD + "5,a/b,1,\n6,a/b,wrong,\n")

    assert next(read_trace(path)) == Arrival(5, "a/b", 1)
