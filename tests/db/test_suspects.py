"""The turn of trying suspects: one process at a time, and never kept by one that is gone."""

import pytest

from db import suspects
from db.engine import Ledger
from db.models import Event, Feed
from db.models_points import Datapoint
from db.states import EventKind
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
KINDS = (EventKind.DEAUTHORIZED,)


def take(ledger: Ledger, now: float = NOW, seconds: float = 30.0) -> float | None:
    """Ask for the turn."""
    with ledger.write() as session:
        return suspects.take_turn(session, now, seconds)


def move(ledger: Ledger, ends_at: float, to: float) -> float:
    """Have it end at another time."""
    with ledger.write() as session:
        return suspects.move_turn(session, ends_at, to)


def test_of_many_one_has_the_turn(ledger: Ledger) -> None:
    """Eight processes ask at the same moment."""
    found = at_once(8, lambda _: take(ledger))
    assert [at for at in found if at is not None] == [NOW + 30]


def test_a_turn_ends_by_itself(ledger: Ledger) -> None:
    """Whoever had it may be dead."""
    take(ledger)
    assert take(ledger, NOW + 29.9) is None
    assert take(ledger, NOW + 30) == NOW + 60


def test_a_turn_is_given_back_or_kept(ledger: Ledger) -> None:
    """By the one who has it: the next one may come sooner, or later."""
    ends_at = take(ledger)
    assert ends_at is not None
    ends_at = move(ledger, ends_at, NOW + 40)
    assert take(ledger, NOW + 39) is None
    move(ledger, ends_at, NOW + 35)
    assert take(ledger, NOW + 35) is not None


def test_the_turn_of_somebody_else_is_left_alone(ledger: Ledger) -> None:
    """One that came late gives back what is no longer its own: nothing changes."""
    late = take(ledger)
    assert late is not None
    assert take(ledger, NOW + 30) == NOW + 60
    move(ledger, late, NOW + 31)
    assert take(ledger, NOW + 59) is None


def due(ledger: Ledger, now: float = NOW) -> bool:
    """Is there a suspect to be tried?"""
    with ledger.read() as session:
        return suspects.any_due(session, KINDS, now)


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({}, True),
        ({"suspect": False}, False),
        ({"due_at": NOW + 1}, False),
        ({"lease_until": NOW + 1}, False),
        ({"lease_owner": "w"}, False),
        ({"state": "paused", "reason": "paused by a person"}, False),
        ({"state": "failing", "reason": "set_aside"}, False),
        ({"state": "failing", "reason": "auth_failed"}, True),
        ({"due_at": NOW + 1, "last_synced_at": NOW, "reconciled_at": 0.0}, True),
    ],
)
def test_only_what_could_be_tried_is_due(
    ledger: Ledger, columns: dict[str, object], *, found: bool
) -> None:
    """A suspect that is free, and due for anything at all."""
    with ledger.write() as session:
        feed = session.get_one(Feed, 1)
        for name, value in ({"suspect": True} | columns).items():
            setattr(feed, name, value)
        session.add(feed)
    assert due(ledger) is found


@pytest.mark.usefixtures("linked")
def test_what_waits_in_the_outbox_of_a_suspect_is_due(ledger: Ledger) -> None:
    """Although its own time has not come."""
    with ledger.write() as session:
        feed = session.get_one(Feed, 1)
        feed.suspect, feed.due_at = True, NOW + 99
        session.add(feed)
        session.add(Datapoint(goal_id=1, feed_id=1, requestid="wg-a", value=1.0, content_hash="x"))
    assert due(ledger)


def test_an_event_that_died_is_due(ledger: Ledger) -> None:
    """Not one that has not, which is anybody's."""
    with ledger.write() as session:
        session.add(Event(id="e", kind=EventKind.DEAUTHORIZED.value))
    assert not due(ledger)
    with ledger.write() as session:
        session.get_one(Event, "e").suspect = True
    assert due(ledger)
