"""Messages in the ledger: made once, taken by one, ended by whoever holds them."""

from db import messages
from db.engine import Ledger
from db.messages import News
from db.models_pages import Message
from db.states import MessageState
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0


def post(ledger: Ledger, *keys: str, audience: str = "operator:a", now: float = NOW) -> int:
    """Make messages; how many are new?"""
    with ledger.write() as session:
        return messages.post(
            session,
            [
                News(audience=audience, channel_id=None, key=key, topic="late", title=key, body="b")
                for key in keys
            ],
            now,
        )


def claim(ledger: Ledger, *, owner: str = "w", now: float = NOW, limit: int = 9):
    """Take what is to be told."""
    with ledger.write() as session:
        assert messages.any_due(session, now) in (True, False)
        return messages.claim(session, owner=owner, now=now, limit=limit)


def test_a_key_is_one_message(ledger: Ledger) -> None:
    """However often it is found; for another audience it is another."""
    assert post(ledger, "a", "b") == 2
    assert post(ledger, "a", "b", "c") == 1
    assert post(ledger, "a", audience="operator:b") == 1


def test_two_workers_take_it_once(ledger: Ledger) -> None:
    """All that waits for an audience is one worker's."""
    post(ledger, *"abcdef")
    taken = at_once(4, lambda _: claim(ledger))
    assert [len(held.rows) for claims in taken for held in claims] == [6]


def test_audiences_are_taken_side_by_side(ledger: Ledger) -> None:
    """As many as are asked for, those that wait longest first."""
    for number in range(4):
        post(ledger, "a", audience=f"operator:{number}", now=NOW - number)
    assert [held.audience for held in claim(ledger, limit=2)] == ["operator:3", "operator:2"]
    assert [held.audience for held in claim(ledger, limit=9)] == ["operator:1", "operator:0"]


def test_whoever_was_too_slow_changes_nothing(ledger: Ledger) -> None:
    """The lease ended and somebody else took it: their word counts."""
    post(ledger, "a")
    (slow,) = claim(ledger, owner="slow")
    later = NOW + messages.LEASE_SECONDS + 1
    (quick,) = claim(ledger, owner="slow", now=later)  # the same worker, another claim
    with ledger.write() as session:
        assert not messages.sent(session, slow, later)
        assert messages.give_up(session, slow, slow.rows, "no", later) == 0
        assert messages.sent(session, quick, later)


def test_what_has_arrived_leaves_a_minute(ledger: Ledger) -> None:
    """The next text to this audience waits; that to another does not."""
    post(ledger, "a")
    (held,) = claim(ledger)
    with ledger.write() as session:
        messages.sent(session, held, NOW)
    post(ledger, "b", now=NOW + 1)
    post(ledger, "b", now=NOW + 1, audience="operator:z")
    assert [one.audience for one in claim(ledger, now=NOW + 2)] == ["operator:z"]
    assert [one.audience for one in claim(ledger, now=NOW + 61)] == ["operator:a"]


def test_old_ones_are_forgotten(ledger: Ledger) -> None:
    """Those that wait are not."""
    post(ledger, "a", "b")
    (held,) = claim(ledger)
    with ledger.write() as session:
        messages.give_up(session, held, held.rows[:1], "no", NOW)
        assert messages.forget(session, NOW + 1) == 1
        assert session.get_one(Message, held.rows[1].id).state == MessageState.PENDING
