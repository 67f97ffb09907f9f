"""The model asks lifecycle.py: a wrong rule there is a broken promise here."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hotdesk import lifecycle
from hotdesk.desks import Entry
from hotdesk.lifecycle import Limits, Settlement
from hotdesk.model import rulings
from hotdesk.model.protocol import Protocol
from hotdesk.model.search import Search
from hotdesk.model.setup import Setup

right_preempts = lifecycle.preempts
right_folds = lifecycle.folds
right_put_back = lifecycle.put_back
right_has_live_owner = lifecycle.has_live_owner


def every_send_preempts(newer: Entry, running: Entry, limits: Limits) -> bool:
    return right_preempts(replace(newer, send=1), running, limits)


def cancelled_jobs_fold(newer: Entry, older: Entry) -> bool:
    return right_folds(replace(newer, is_cancelled=False), older)


def put_back_uncounted(entry: Entry) -> Settlement:
    return replace(right_put_back(entry), preemptions=entry.preemptions)


def live_without_margin(
    owner: str, lease_until: datetime | None, *, margin: timedelta, now: datetime
) -> bool:
    return right_has_live_owner(owner, lease_until, margin=0 * margin, now=now)


@pytest.fixture(autouse=True)
def _forgotten_answers() -> Iterator[None]:
    """The model remembers what the rules said; they say something else here."""
    yield from _forget()


def _forget() -> Iterator[None]:
    for times in range(2):
        for remembered in (rulings._entry, rulings._decide, rulings._interrupt, rulings._is_live):
            remembered.cache_clear()
        if not times:
            yield


@pytest.mark.parametrize(
    ("name", "rule", "setup"),
    [
        (
            "preempts",
            every_send_preempts,
            Setup.of("a b", workers=1, stalls=1, interrupts=1),
        ),
        ("folds", cancelled_jobs_fold, Setup.of("a a", workers=1, cancels=1)),
        ("put_back", put_back_uncounted, Setup.of("a b c", workers=1, preemptions=1)),
        ("has_live_owner", live_without_margin, Setup.of("1", clocks=1)),
    ],
)
def test_a_wrong_rule_in_the_code_breaks_a_promise_of_the_model(
    monkeypatch: pytest.MonkeyPatch, name: str, rule: object, setup: Setup
) -> None:
    # The rules call each other; some are called by the model, which knows them by name too.
    for module in (lifecycle, rulings):
        monkeypatch.setattr(module, name, rule, raising=False)

    verdict = Search(Protocol(setup)).run()

    assert verdict.broken


@pytest.mark.parametrize(
    "name", ["decide", "has_live_owner", "interrupt_for", "preempts", "settlement"]
)
def test_what_the_model_asks_is_the_rule_of_the_code(name: str) -> None:
    assert getattr(rulings, name) is getattr(lifecycle, name)
