"""Searching: what was typed is looked for as it stands."""

import pytest
from sqlmodel import select

from db import searching
from db.models import User

NAMES = ("alice", "al%ce", "al_ce", "al\\ce", "ALICE-2", "o'brien", 'quo"te')


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alice", {"alice", "ALICE-2"}),
        ("%", {"al%ce"}),
        ("_", {"al_ce"}),
        ("\\", {"al\\ce"}),
        ("'", {"o'brien"}),
        ('"', {'quo"te'}),
        ("a%e", set()),
    ],
)
def test_nothing_that_is_typed_is_a_pattern(ledger, text, found):
    """Not a percent sign, not an underscore, not the escape itself, nor a quote."""
    with ledger.write() as session:
        session.add_all([User(username=name) for name in NAMES])
    with ledger.read() as session:
        rows = session.exec(select(User).where(searching.contains(User.username, text)))
        assert {row.username for row in rows} == found
