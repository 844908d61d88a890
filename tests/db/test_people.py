"""People and goals: names in any case, renames that swap, tokens that were replaced."""

import pytest
from sqlmodel import select

from db import people
from db.engine import Ledger
from db.models import Feed, Goal, User
from db.states import UserState
from db.vault import Vault
from tests.db.test_feeds import NOW, fill
from tests.world import KEY

VAULT = Vault([KEY])


def alice(ledger: Ledger) -> User:
    """Her row."""
    with ledger.read() as session:
        return session.exec(select(User).where(User.username == "alice")).one()


@pytest.mark.parametrize(
    ("name", "found"), [("alice", True), ("ALICE", True), ("al%", False), ("a_ice", False)]
)
def test_names_are_found_in_any_case_and_literally(
    ledger: Ledger, name: str, *, found: bool
) -> None:
    """Wildcards of SQL are letters like others."""
    fill(ledger)
    with ledger.read() as session:
        assert (people.user_named(session, name) is not None) is found


def test_renames_may_swap(ledger: Ledger) -> None:
    """Three goals in a circle get each other's slugs; who is not named keeps theirs."""
    fill(ledger, goals=4)
    with ledger.write() as session:
        for goal in session.exec(select(Goal)):
            goal.beeminder_id = f"b-{goal.slug}"
            session.add(goal)
    circle = {"b-g0": "g1", "b-g1": "g2", "b-g2": "g0"}
    with ledger.write() as session:
        renamed = people.rename_goals(session, alice(ledger).id or 0, circle)

    assert sorted(renamed) == ["g0", "g1", "g2"]
    with ledger.read() as session:
        slugs = {goal.beeminder_id: goal.slug for goal in session.exec(select(Goal))}
    assert slugs == circle | {"b-g3": "g3"}


def test_a_new_token_replaces_the_old_one(ledger: Ledger) -> None:
    """Version grows, the hash is the new one's, and whoever had lost access has it again."""
    fill(ledger)
    for token in ("one", "two"):
        with ledger.write() as session:
            user = session.exec(select(User)).one()
            people.set_token(user, VAULT, token=token, kind="oauth")
            session.add(user)

    with ledger.read() as session:
        assert people.user_with_token(session, VAULT.fingerprints("one")) is None
        assert people.user_with_token(session, VAULT.fingerprints("two")) is not None
    assert (alice(ledger).token_version, alice(ledger).state) == (2, "active")


@pytest.mark.parametrize("ends", ["deauthorize", "needs_reauthorization"])
def test_a_token_that_was_replaced_is_not_ended(ledger: Ledger, ends: str) -> None:
    """What was decided about an older token changes nothing."""
    (feed_id,) = fill(ledger)
    with ledger.write() as session:
        user = session.exec(select(User)).one()
        people.set_token(user, VAULT, token="new", kind="oauth")
        session.add(user)
    user_id = alice(ledger).id or 0
    with ledger.write() as session:
        if ends == "deauthorize":
            assert people.deauthorize(session, user_id, token_version=0, now=NOW) is None
        else:
            assert not people.needs_reauthorization(session, user_id, token_version=0)

    assert (alice(ledger).state, alice(ledger).token_cipher is None) == ("active", False)
    with ledger.read() as session:
        assert session.get_one(Feed, feed_id).state == "active"


@pytest.mark.parametrize(
    ("state", "version", "expected"),
    [
        (UserState.REAUTHORIZE, 1, "active"),
        (UserState.REAUTHORIZE, 0, "reauthorize"),  # an answer to an older token
        (UserState.DEAUTHORIZED, 1, "deauthorized"),
    ],
)
def test_a_token_that_works_is_not_to_be_replaced(
    ledger: Ledger, state: UserState, version: int, expected: str
) -> None:
    """What it was refused for is over; nobody who took it away is brought back."""
    fill(ledger)
    with ledger.write() as session:
        user = session.exec(select(User)).one()
        user.state, user.token_version = state, 1
        session.add(user)

    with ledger.write() as session:
        people.token_works(session, alice(ledger).id or 0, token_version=version)

    assert alice(ledger).state == expected


def test_a_new_name_takes_it_from_whoever_has_it_by_an_older_look(ledger: Ledger) -> None:
    """In any case of letters: the other one makes room, and nobody's name is lost twice."""
    fill(ledger)
    with ledger.write() as session:
        bob = User(username="Bob")
        session.add(bob)
        session.flush()
        bob_id = bob.id
    with ledger.write() as session:
        people.rename_user(session, alice(ledger).id or 0, "bob")

    with ledger.read() as session:
        found = session.exec(select(User.username).order_by(User.id)).all()
    assert found == ["bob", f"~{bob_id}"]


def test_nobody_makes_room_for_their_own_name(ledger: Ledger) -> None:
    """Renamed to what they are called in other letters: they keep it."""
    fill(ledger)
    with ledger.write() as session:
        people.rename_user(session, alice(ledger).id or 0, "Alice")

    with ledger.read() as session:
        assert session.exec(select(User.username)).all() == ["Alice"]


def test_confirming_reaches_no_further_than_what_was_read_since(ledger: Ledger) -> None:
    """Goals read before, or never, or of somebody else are not called fresh."""
    fill(ledger, goals=4)
    with ledger.write() as session:
        other = User(username="bob")
        session.add(other)
        session.flush()
        theirs = Goal(user_id=other.id, slug="x", declared_slug="x", facts_at=NOW)
        session.add(theirs)
        goals = session.exec(select(Goal).where(Goal.slug != "x").order_by(Goal.slug)).all()
        for goal, read_at in zip(goals, (NOW - 1, NOW, NOW + 5, None), strict=True):
            goal.facts_at = read_at
            session.add(goal)
    user_id = alice(ledger).id or 0
    with ledger.write() as session:
        people.confirm_goals(session, user_id, read_since=NOW, now=NOW + 60)

    with ledger.read() as session:
        found = session.exec(select(Goal.facts_at).order_by(Goal.slug)).all()
    assert found == [NOW - 1, NOW + 60, NOW + 60, None, NOW]


@pytest.mark.parametrize(
    ("stored", "written"), [(None, True), (NOW, True), (NOW + 1, False), (NOW + 3600, True)]
)
def test_facts_are_not_overwritten_by_older_ones(
    ledger: Ledger, stored: float | None, *, written: bool
) -> None:
    """What was read a moment later stays; what was read in an hour's future does not."""
    fill(ledger)
    with ledger.write() as session:
        goal = session.exec(select(Goal)).one()
        goal.facts_at = stored
        session.add(goal)
        goal_id = goal.id or 0
    with ledger.write() as session:
        people.store_goal_facts(session, goal_id, {"facts_at": NOW, "deadline": 60})

    with ledger.read() as session:
        assert (session.get_one(Goal, goal_id).deadline == 60) is written
