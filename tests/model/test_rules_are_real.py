"""The model asks lifecycle.py: a wrong rule there is a broken promise here."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hotdesk import lifecycle
from hotdesk.desks import Entry
from hotdesk.lifecycle import Limits
from hotdesk.model import rulings
from hotdesk.model.protocol import Protocol
from hotdesk.model.search import Search
from hotdesk.model.setup import Setup

right_preempts = lifecycle.preempts
right_folds = lifecycle.folds


def every_send_preempts(newer: Entry, running: Entry, limits: Limits) -> bool:
    return right_preempts(replace(newer, send=1), running, limits)


def cancelled_jobs_fold(newer: Entry, older: Entry) -> bool:
    return right_folds(replace(newer, is_cancelled=False), older)


@pytest.fixture(autouse=True)
def _forgotten_answers() -> Iterator[None]:
    """The model remembers what the rules said; they say something else here."""
    yield from _forget()


def _forget() -> Iterator[None]:
    for times in range(2):
        for remembered in (rulings._entry, rulings._decide, rulings._interrupt):
            remembered.cache_clear()
        if not times:
            yield


@pytest.mark.parametrize(
    ("name", "rule", "setup"),
    [
        ("preempts", every_send_preempts, Setup.of("a b", workers=1, stalls=1)),
        ("folds", cancelled_jobs_fold, Setup.of("a a", workers=1, cancels=1)),
    ],
)
def test_a_wrong_rule_in_the_code_breaks_a_promise_of_the_model(
    monkeypatch: pytest.MonkeyPatch, name: str, rule: object, setup: Setup
) -> None:
    monkeypatch.setattr(lifecycle, name, rule)

    verdict = Search(Protocol(setup)).run()

    assert verdict.broken
