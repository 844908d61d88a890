"""What waits for a limit is told under names that its owner knows; nothing else is said to wait."""

import pytest

from db import waits
from db.engine import Ledger
from db.models import Event, Source
from db.waits import Wait
from tests.db.gated import KEY, change, shut
from tests.db.test_feeds import NOW, call_back, claim, fill, finish

PLANT = Wait("bemserver:s0", NOW + 60, NOW)


def of_feeds(ledger: Ledger, *feed_ids: int) -> dict[int, Wait]:
    """What these feeds wait for; without any: all feeds."""
    with ledger.read() as session:
        return waits.of_feeds(session, NOW, feed_ids or None)


def of_events(ledger: Ledger, *event_ids: str) -> dict[str, Wait]:
    """What these events wait for."""
    with ledger.read() as session:
        return waits.of_events(session, NOW, event_ids)


def test_without_a_closed_gate_nobody_waits(ledger: Ledger) -> None:
    """Not when it was closed a moment ago, and not for bookkeeping of our own."""
    fill(ledger)
    event_id = call_back(ledger)
    assert (of_feeds(ledger), of_events(ledger, event_id)) == ({}, {})
    shut(ledger, until=NOW)
    shut(ledger, key="look-up:1", vendor="waggle")
    assert (of_feeds(ledger), of_events(ledger, event_id)) == ({}, {})


def test_who_is_due_behind_a_closed_gate_waits_for_it(ledger: Ledger) -> None:
    """Feed and callback, under the name of the source and not of the key."""
    feed_id, other = fill(ledger, feeds_each=2, goals=2)
    change(ledger, other, due_at=NOW + 30)  # it will wait, and does not yet
    event_id = call_back(ledger)
    assert of_feeds(ledger) == {}
    shut(ledger)
    assert of_feeds(ledger) == {feed_id: PLANT}
    assert of_feeds(ledger, other) == {}
    assert of_events(ledger, event_id) == {event_id: PLANT}


def test_what_was_put_back_until_the_opening_waits(ledger: Ledger) -> None:
    """It comes again up to half a second after it."""
    (feed_id,) = fill(ledger)
    shut(ledger)
    change(ledger, feed_id, due_at=NOW + 60.4, deferrals=1)
    assert of_feeds(ledger) == {feed_id: PLANT}


@pytest.mark.parametrize("columns", [{"state": "paused"}, {"state": "stopped"}])
def test_what_is_not_worked_on_waits_for_nothing(
    ledger: Ledger, columns: dict[str, object]
) -> None:
    """A person's pause is no limit."""
    (feed_id,) = fill(ledger)
    shut(ledger)
    change(ledger, feed_id, **columns)
    assert of_feeds(ledger) == {}


def test_what_is_at_work_waits_for_nothing(ledger: Ledger) -> None:
    """It passed the gate; its event has been answered when it ends."""
    (feed_id,) = fill(ledger)
    event_id = call_back(ledger)
    (held,) = claim(ledger)
    shut(ledger)
    assert of_events(ledger, event_id) == {}
    finish(ledger, held)
    change(ledger, feed_id, due_at=NOW)
    assert of_events(ledger, event_id) == {}
    assert list(of_feeds(ledger)) == [feed_id]


def test_of_two_gates_the_one_that_opens_last_counts(ledger: Ledger) -> None:
    """That of the owner at Beeminder has their name."""
    (feed_id,) = fill(ledger)
    shut(ledger)
    shut(ledger, key="beeminder:1", title="as-she-was-called", until=NOW + 90)
    assert of_feeds(ledger) == {feed_id: Wait("beeminder:alice", NOW + 90, NOW)}
    shut(ledger, key="beeminder:1", until=NOW + 30)
    assert of_feeds(ledger) == {feed_id: PLANT}


def test_nobody_is_told_the_names_ofothers(ledger: Ledger) -> None:
    """A gate that sources share is told each under its own name, or under the provider's."""
    first, second = fill(ledger, sources=2)
    shut(ledger)
    assert [of_feeds(ledger)[one].gate for one in (first, second)] == [
        "bemserver:s0",
        "bemserver:s1",
    ]
    shut(ledger, title="acme")
    assert of_feeds(ledger)[second].gate == "bemserver:acme"


@pytest.mark.parametrize(
    ("until", "told"),
    [
        (1_793_881_895.2, "until 12:31:36 UTC"),
        (1_793_881_895.0, "until 12:31:35 UTC"),
        (1_793_966_400.0, "until 2026-11-06 12:00:00 UTC"),
    ],
)
def test_a_wait_is_told_in_one_line(until: float, told: str) -> None:
    """Rounded up, and with the date when it is not today."""
    wait = Wait("bemserver:plant", until, 1_793_880_000.0)  # noon of 2026-11-05
    assert wait.told() == f"waits for a limit: bemserver:plant, {told}"


def test_an_event_of_two_feeds_waits_for_the_one_that_is_not_done(ledger: Ledger) -> None:
    """Nobody has to wait for what has come already."""
    fill(ledger, sources=2)
    event_id = call_back(ledger)
    held, other = (*claim(ledger), *claim(ledger))
    finish(ledger, held)
    shut(ledger)
    with ledger.write() as session:
        name = session.get_one(Source, held.source_id).name
    change(ledger, held.feed_id, due_at=NOW)
    assert of_events(ledger, event_id) == {}  # the other one is at work
    change(ledger, other.feed_id, lease_owner=None, lease_until=0.0)
    assert of_events(ledger, event_id)[event_id].gate != f"bemserver:{name}"


def test_an_event_that_has_ended_waits_for_nothing(ledger: Ledger) -> None:
    """Whatever its covers say."""
    fill(ledger)
    event_id = call_back(ledger)
    shut(ledger)
    with ledger.write() as session:
        session.get_one(Event, event_id).state = "dead"
    assert of_events(ledger, event_id) == {}
    assert KEY not in str(of_feeds(ledger))
