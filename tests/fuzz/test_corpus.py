"""What the fuzzer has left: inputs that reach everything, and those that once broke something."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
FILE_BYTES_MAX = 4096
BYTES_MAX = 500_000


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_in_the_corpus_of_a_target_breaks_it(name: str) -> None:
    target = TARGETS[name]
    inputs = {path.name: path.read_bytes() for path in (CORPUS / name).iterdir()}

    for data in (*target.seeds, *inputs.values()):
        target.check(data)

    assert inputs


def test_the_corpus_is_small_and_belongs_to_targets() -> None:
    sizes = {path: path.stat().st_size for path in CORPUS.glob("*/*")}

    assert {path.parent.name for path in sizes} == set(TARGETS)
    assert max(sizes.values()) <= FILE_BYTES_MAX
    assert sum(sizes.values()) <= BYTES_MAX
