"""One question finds whatever each of the three would have found, and nothing else."""

from collections.abc import Callable

import pytest

from db import claiming, events, inbox, left_to_do, opening
from db.engine import Ledger
from db.events import ASKS_FOR_FEEDS
from db.states import EventKind, Lane
from tests.db.test_endings import unknown
from tests.db.test_feeds import NOW, call_back, claim, fill


def nothing(_ledger: Ledger) -> None:
    """An empty ledger."""


def new(ledger: Ledger) -> None:
    """A callback that nobody has looked at."""
    with ledger.write() as session:
        called = inbox.NewEvent(kind=EventKind.AUTOFETCH, payload={}, received_at=NOW - 1)
        inbox.store(session, [called])


def asked_for(ledger: Ledger) -> None:
    """A feed that a callback asks for."""
    fill(ledger)
    call_back(ledger)


def scheduled(ledger: Ledger) -> None:
    """A feed whose schedule has come."""
    fill(ledger)


def held(ledger: Ledger) -> None:
    """One that somebody is at work on."""
    fill(ledger)
    call_back(ledger)
    claim(ledger)


def unnamed(ledger: Ledger) -> None:
    """A name that has to be looked up."""
    unknown(ledger)


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("there", [nothing, new, asked_for, scheduled, held, unnamed])
def test_it_finds_what_the_three_find(
    ledger: Ledger, there: Callable[[Ledger], None], lane: Lane
) -> None:
    """Whatever is there, for each lane."""
    there(ledger)
    with ledger.read() as session:
        found = left_to_do.any_left(session, lane, NOW)
        each = [
            opening.any_new(session, NOW),
            claiming.any_due(session, lane, NOW),
            events.any_due(session, ASKS_FOR_FEEDS, NOW),
        ]

    assert found is any(each)
    if lane is Lane.BULK:
        assert found is (there not in (nothing, held))
    assert each.count(True) <= 1  # else another one hides what this one does not find
