"""Goals by what was typed of their names."""

import pytest

from db import goals_found
from db.models import Goal, User


@pytest.fixture
def goals(ledger):
    """alice/energy 1, alice/water 2, bob/energy 3."""
    with ledger.write() as session:
        session.add_all([User(id=1, username="alice"), User(id=2, username="bob")])
        session.flush()
        for number, (user, slug) in enumerate([(1, "energy"), (1, "water"), (2, "energy")], 1):
            session.add(Goal(id=number, user_id=user, slug=slug, declared_slug=slug))


@pytest.mark.parametrize(
    ("text", "user_id", "found"),
    [
        ("energy", None, [1, 3]),
        ("ener", 2, [3]),
        ("alice/energy", None, [1]),
        ("alice/", None, [1, 2]),
        ("/energy", None, [1, 3]),
        ("bob/", 1, []),
        ("%", None, []),
    ],
)
def test_a_goal_is_found_by_a_part_of_its_name(ledger, goals, text, user_id, found):
    """With or without its person, and never somebody else's where one person asks."""
    with ledger.read() as session:
        assert goals_found.ids(session, text, user_id=user_id) == found
