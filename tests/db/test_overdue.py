"""Whether work moves: what nobody does is late, what a vendor makes us wait for is not."""

import pytest

from db import breakers, inbox, overdue
from db.engine import Ledger
from db.models import Feed, Goal, Source, User
from db.models_limits import Breaker, Quota
from db.states import EventKind, Lane

NOW = 1_793_880_000.0
HOUR = 3600.0

pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture(autouse=True)
def _waits(ledger: Ledger, linked: None) -> None:
    """Both feeds have been due for an hour and more; their source is counted as `plant`."""
    with ledger.write() as session:
        session.get_one(Feed, 1).due_at = NOW - HOUR
        session.get_one(Feed, 2).due_at = NOW - HOUR - 10
        session.get_one(Source, 1).quota_key = "bemserver:plant"


def oldest(ledger: Ledger, now: float = NOW) -> float:
    """Seconds since work could have been done that nobody does."""
    with ledger.read() as session:
        return overdue.oldest(session, now)


def add(ledger: Ledger, *rows: object) -> None:
    """Put rows into the ledger."""
    with ledger.write() as session:
        session.add_all(rows)


def change(ledger: Ledger, feed_id: int, **columns: object) -> None:
    """Another state of a feed."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)


def test_the_oldest_due_work_is_what_nobody_holds(ledger: Ledger) -> None:
    """Leased, future and paused work is not late; the oldest of the rest is, events too."""
    assert oldest(ledger) == HOUR + 10
    change(ledger, 2, state="paused")
    assert oldest(ledger) == HOUR
    change(ledger, 1, lease_until=NOW + 5)
    assert oldest(ledger) == 0.0
    new = inbox.NewEvent(kind=EventKind.AUTOFETCH, payload={}, received_at=NOW - 30)
    with ledger.write() as session:
        inbox.store(session, [new])
    assert oldest(ledger) == 30.0
    assert oldest(ledger, NOW + 10) == HOUR + 10


@pytest.mark.parametrize("key", ["bemserver:plant", "beeminder:1"])
def test_behind_a_closed_gate_nothing_is_late(ledger: Ledger, key: str) -> None:
    """The gate of the source or that of its owner; from its opening on the time counts."""
    add(ledger, Quota(key=key, vendor="v", closed_at=NOW - HOUR, closed_until=NOW + HOUR))
    assert oldest(ledger) == 0.0
    assert oldest(ledger, NOW + HOUR) == 0.0
    assert oldest(ledger, NOW + HOUR + 61) == 61.0  # it may go, and nobody does it


@pytest.mark.parametrize("key", ["bemserver:other", "beeminder:2"])
def test_the_gate_of_somebody_else_is_no_excuse(ledger: Ledger, key: str) -> None:
    """Only what these feeds have to pass holds them up."""
    add(ledger, Quota(key=key, vendor="v", closed_until=NOW + HOUR))
    assert oldest(ledger) == HOUR + 10


def test_a_crowded_gate_is_no_excuse(ledger: Ledger) -> None:
    """More work than a limit lets through, for ever, has to be seen."""
    add(ledger, Quota(key="bemserver:plant", vendor="v", next_free_at=NOW + HOUR))
    assert oldest(ledger) == HOUR + 10


def test_a_neighbour_of_a_closed_gate_is_late(ledger: Ledger) -> None:
    """One source that has to wait hides no other one."""
    add(ledger, Source(id=2, user_id=1, name="barn", provider="bemserver"))
    add(ledger, Goal(id=2, user_id=1, slug="other", declared_slug="other"))
    add(ledger, Feed(id=3, goal_id=2, source_id=2, metric="m", due_at=NOW - 70))
    add(ledger, Quota(key="bemserver:plant", vendor="v", closed_until=NOW + HOUR))
    assert oldest(ledger) == 70.0


@pytest.mark.parametrize("subject", ["source:1", "user:1"])
def test_what_waits_for_a_probe_is_not_late(ledger: Ledger, subject: str) -> None:
    """An open breaker holds its feeds up until the probe is due, and from then on it counts."""
    add(ledger, Breaker(subject=subject, opened_at=NOW - HOUR, probe_at=NOW + 100, probed_at=NOW))
    assert oldest(ledger) == 0.0
    assert oldest(ledger, NOW + 190) == 90.0


def test_a_callback_waits_for_a_probe_for_seconds_only(ledger: Ledger) -> None:
    """Urgent work may probe soon after the last probe: then it is late if nobody does."""
    add(
        ledger, Breaker(subject="source:1", opened_at=NOW - HOUR, probe_at=NOW + 900, probed_at=NOW)
    )
    change(ledger, 1, lane=Lane.URGENT)
    assert oldest(ledger, NOW + breakers.URGENT_SECONDS - 0.5) == 0.0
    assert oldest(ledger, NOW + breakers.URGENT_SECONDS + 60) == 60.0


def test_trouble_that_opened_no_breaker_is_no_excuse(ledger: Ledger) -> None:
    """Failures are counted long before anything is held up."""
    add(ledger, Breaker(subject="source:1", bad=3.0, troubled_since=NOW - 60, probe_at=NOW + 900))
    assert oldest(ledger) == HOUR + 10


def test_people_are_apart(ledger: Ledger) -> None:
    """A person who has to wait at Beeminder hides nobody else's work."""
    add(ledger, User(id=2, username="bob"))
    add(ledger, Source(id=2, user_id=2, name="plant", provider="bemserver"))
    add(ledger, Goal(id=2, user_id=2, slug="energy", declared_slug="energy"))
    add(ledger, Feed(id=3, goal_id=2, source_id=2, metric="m", due_at=NOW - 70))
    add(ledger, Quota(key="beeminder:1", vendor="beeminder", closed_until=NOW + HOUR))
    assert oldest(ledger) == 70.0


def test_names_that_wait_for_a_probe_are_not_late(ledger: Ledger) -> None:
    """Thirty are looked up one by one behind an open breaker: late is who has a turn and no try."""
    for number in (1, 2):
        change(ledger, number, state="paused")
    new = inbox.NewEvent(kind=EventKind.AUTOFETCH, payload={}, received_at=NOW - HOUR, user_id=1)
    with ledger.write() as session:
        inbox.store(session, [new])
    assert oldest(ledger) == HOUR
    add(ledger, Breaker(subject="user:1", opened_at=NOW - HOUR, probe_at=NOW + 900, probed_at=NOW))

    assert oldest(ledger, NOW + breakers.URGENT_SECONDS - 1) == 0.0
    assert oldest(ledger, NOW + breakers.URGENT_SECONDS + 20) == 20.0
