"""Whom and what callbacks speak of, looked up for all of them at once."""

from typing import Any

import pytest

from db import called
from db.called import Named
from db.engine import Ledger
from db.models import Event, Goal, User

PEOPLE = ("Alice", "bob")


@pytest.fixture
def known(ledger: Ledger) -> dict[str, int]:
    """Two people with a goal `a` each, and one of Alice with an id of Beeminder's."""
    with ledger.write() as session:
        made: dict[str, Any] = {name: User(username=name) for name in PEOPLE}
        session.add_all(made.values())
        session.flush()
        for name in PEOPLE:
            made[f"{name}/a"] = Goal(user_id=made[name].id, slug="a", declared_slug="a")
        made["b1"] = Goal(user_id=made["Alice"].id, slug="b", declared_slug="b", beeminder_id="b1")
        session.add_all(made.values())
        session.flush()
        return {name: row.id for name, row in made.items()}


def found(ledger: Ledger, *events: Event) -> list[Named]:
    """What these speak of, looked up together; each alone has to give the same."""
    for number, event in enumerate(events):
        event.id = str(number)
    with ledger.read() as session:
        together = called.find(session, events)
        assert together == {event.id: called.find(session, [event])[event.id] for event in events}
    return [together[event.id] for event in events]


def says(username: str, slug: str, beeminder_id: str | None = None, **more: Any) -> Event:
    """A callback with these names."""
    payload = {"username": username, "slug": slug, "goal_beeminder_id": beeminder_id}
    return Event(kind="autofetch", payload=payload, **more)


def test_names_are_looked_up_in_any_case(ledger: Ledger, known: dict[str, int]) -> None:
    """The same slug of two people is two goals; who is known keeps an unknown goal."""
    assert found(
        ledger, says("ALICE", "A"), says("bob", "a"), says("bob", "b"), says("carol", "a")
    ) == [
        Named(known["Alice"], known["Alice/a"]),
        Named(known["bob"], known["bob/a"]),
        Named(known["bob"]),
        Named(),
    ]


def test_an_id_of_beeminder_counts_for_more_than_a_slug(
    ledger: Ledger, known: dict[str, int]
) -> None:
    """Also where that slug is another goal by now; an id that nobody knows leaves the slug."""
    assert found(
        ledger, says("alice", "a", "b1"), says("bob", "a", "b1"), says("alice", "a", "b2")
    ) == [
        Named(known["Alice"], known["b1"]),
        Named(known["bob"], known["bob/a"]),
        Named(known["Alice"], known["Alice/a"]),
    ]


def test_our_own_ids_are_believed_and_no_name_beside_them(
    ledger: Ledger, known: dict[str, int]
) -> None:
    """A person or a goal that is gone is not looked for by the names."""
    bob = known["bob"]
    assert found(
        ledger,
        says("alice", "a", user_id=bob),
        says("alice", "a", user_id=bob, goal_id=known["b1"]),
        says("alice", "a", goal_id=999),
        says("alice", "a", user_id=999),
    ) == [
        Named(bob, known["bob/a"]),
        Named(known["Alice"], known["b1"]),
        Named(known["Alice"]),
        Named(),
    ]


def test_somebody_may_have_a_new_name_once_a_minute(ledger: Ledger, known: dict[str, int]) -> None:
    """Of the slugs asked for those of people whose name was not looked at within a minute."""
    now = 1_000_000.0
    with ledger.write() as session:
        for name, looked_at in (("Alice", now - 61), ("bob", now - 59)):
            session.get_one(User, known[name]).facts_at = looked_at

    with ledger.read() as session:
        assert called.slugs_of_somebody(session, {"a", "b", "c"}, now) == {"a", "b"}
        assert called.slugs_of_somebody(session, set(), now) == set()
        assert [user.id for user in called.may_be(session, says("x", "A"), now)] == [known["Alice"]]
