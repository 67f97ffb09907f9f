"""What people and agents wrote is stored and given out as it was; a cursor is ours, or refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.letters import JOB
from hotdesk import events
from hotdesk.backends.sqlite.listing import number_of
from hotdesk.backends.texts import origin_of, origin_text, result_of, result_text
from hotdesk.cli.records import event_json, event_line, job_json
from hotdesk.desks import Claim, Delivery, Interrupted, Json, Origin, Result
from hotdesk.errors import Rejected
from hotdesk.events import Event, StoredEvent
from hotdesk.ports import Context
from hotdesk.runners.jobfile import description

SQLITE_INTEGER_MAX = 2**63 - 1
KINDS = sorted(
    (kind for kind in vars(events).values() if isinstance(kind, type) and Event in kind.__bases__),
    key=lambda kind: kind.__name__,
)

texts = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\0\n\r\x1b\u2028"))
sound = st.text()
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | sound,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(sound, inner, max_size=3),
    max_leaves=8,
)
OF_TYPE = {"str": texts, "int": st.integers(), "bool": st.booleans(), "float": st.floats()}


@given(st.data())
def test_an_event_is_one_line_of_json_that_says_all_of_it(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    drawn: dict[str, Any] = {
        field.name: data.draw(OF_TYPE.get(str(field.type), texts)) for field in fields(kind)
    }
    event = kind(**drawn | {"desk": "amelia#scott"})
    stored = StoredEvent(
        cursor="7",
        at=datetime(2030, 1, 2, tzinfo=UTC),
        kind=kind.__name__,
        desk=event.desk,
        job_id=event.job_id,
        generation=event.generation,
        details=json.loads(json.dumps(event.details())),
    )

    line = json.dumps(event_json(stored))

    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line)
    assert (told["event"], told["cursor"], told["desk"]) == (kind.__name__, "7", "amelia/scott")
    assert all(str(told[name]) == str(value) for name, value in stored.details.items())
    assert event_line(stored)


def test_no_event_has_a_field_that_hides_what_every_event_says() -> None:
    taken = {"event", "at", "cursor", "desk", "job", "timestamp", "level", "job_id", "generation"}

    for kind in KINDS:
        own = {field.name for field in fields(kind)} - {field.name for field in fields(Event)}
        assert not own & taken, kind


@given(st.text() | st.from_regex(r"[0-9]{1,25}", fullmatch=True) | st.integers().map(str))
def test_a_cursor_is_a_place_in_the_stream_or_refused(after: str) -> None:
    try:
        place = number_of(after)
    except Rejected:
        return

    assert 0 <= place <= SQLITE_INTEGER_MAX


@given(st.builds(Origin, sender=sound, subject=sound, references=st.tuples(sound)))
def test_an_origin_is_read_back_as_it_was_written(origin: Origin) -> None:
    assert origin_of(origin_text(origin)) == origin


@given(st.builds(Result, text=sound, changes=st.lists(sound).map(tuple)))
def test_a_result_is_read_back_as_it_was_written(result: Result) -> None:
    assert result_of(result_text(result)) == result
    assert json.dumps(job_json(replace(JOB, result=result))).isprintable()


@given(sound, values, st.lists(st.tuples(sound, values), max_size=2))
def test_an_agent_reads_in_its_job_file_what_was_asked_and_begun(
    instruction: str, partial: Json, earlier: list[tuple[str, Json]]
) -> None:
    job = replace(JOB, instruction=instruction, partial=partial)
    folded = tuple(Interrupted(job_id="j0", instruction=i, partial=p) for i, p in earlier)
    context = cast("Context", SimpleNamespace(partial=partial, folded=folded))

    delivery = Delivery(claim=Claim(desk=job.desk, generation=1, worker_id="w1"), job=job)
    told = json.loads(description(delivery, context, ()))

    assert (told["instruction"], told["partial"]) == (instruction, partial)
    assert [(each["instruction"], each["partial"]) for each in told["folded"]] == earlier


@given(texts, st.characters(categories=["Cs"]))
def test_partial_work_of_any_text_gives_a_job_file_in_utf_8(text: str, half: str) -> None:
    text += half
    context = cast("Context", SimpleNamespace(partial={text: [text]}, folded=()))
    delivery = Delivery(claim=Claim(desk=JOB.desk, generation=1, worker_id="w1"), job=JOB)

    assert json.loads(description(delivery, context, ()))["partial"]


@pytest.mark.parametrize("digits", ["٣", "²", "1_0", " 1", "+1", "-1", "9" * 30])
def test_a_number_of_another_kind_is_no_cursor(digits: str) -> None:
    with pytest.raises(Rejected):
        number_of(digits)
