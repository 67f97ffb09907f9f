"""What holds for any input of a target holds for its own words in any order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.endurance import endurance
from fuzz.targets import TARGETS

PIECES_MAX = 20


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "endurance"])
@given(data=st.data())
@settings(max_examples=60)
def test_no_input_made_of_the_words_of_a_target_breaks_it(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    piece = st.sampled_from((*target.words, *target.seeds)) | st.binary(max_size=6)
    text = b"".join(data.draw(st.lists(piece, max_size=PIECES_MAX)))
    seed = data.draw(st.sampled_from(target.seeds))
    at = data.draw(st.integers(0, len(seed)))

    target.check(text)
    target.check(seed[:at] + text + seed[at:])


@given(st.lists(st.sampled_from(TARGETS["endurance"].words), min_size=1, max_size=4))
@settings(max_examples=25)
def test_no_word_said_often_keeps_a_reader_busy(words: list[bytes]) -> None:
    endurance(b"".join(words))
    endurance(b"\0" + b"".join(words) + b"\0x")
