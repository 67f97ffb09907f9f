"""What the demo says of an event can be read without knowing an id."""

import dataclasses
from datetime import UTC, datetime

import pytest

from hotdesk import events
from hotdesk.demo.telling import WORDS, Teller, Told
from hotdesk.testing.clock import FakeClock

SAMPLES = {"str": "x", "int": 1, "float": 1.0, "bool": True, "int | None": 1}


def samples() -> list[events.Event]:
    """One event of each kind that has words."""
    kinds = [getattr(events, name) for name in WORDS]
    return [
        kind(
            desk="amelia#scott",
            **{f.name: SAMPLES[str(f.type)] for f in dataclasses.fields(kind) if f.name != "desk"},
        )
        for kind in kinds
    ]


@pytest.mark.parametrize("event", samples(), ids=lambda event: type(event).__name__)
def test_every_event_that_has_words_can_be_said(event: events.Event) -> None:
    told: list[Told] = []

    Teller(told.append, FakeClock()).event(
        events.StoredEvent(
            cursor="",
            at=datetime(2030, 1, 1, tzinfo=UTC),
            kind=type(event).__name__,
            desk=event.desk,
            job_id=event.job_id,
            generation=event.generation,
            details=event.details(),
        )
    )

    [one] = told
    assert "{" not in one.text
    assert one.details["kind"] == type(event).__name__
