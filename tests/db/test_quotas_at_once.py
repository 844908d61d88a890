"""A turn without a look: the same one as with it, and none where there is anything to be seen."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from db import quotas, quotas_at_once
from db.engine import Ledger
from db.models_limits import Quota
from db.quotas import Turn
from tests.db.test_quotas import NOW, ON_A_LEDGER, gate, put

PACE = {"interval": 0.5, "tolerance": 1.0, "ahead": 1.0}
SEEN = {
    "closed": {"closed_until": NOW + 5, "proven_at": NOW + 5},
    "half open": {"closed_until": NOW - 5, "proven_at": NOW - 9},
    "a pace was learned": {"learned_interval": 2.0, "learned_at": NOW - 9},
    "the last few are spread": {"spread_interval": 2.0, "spread_until": NOW + 9},
    "all slots are taken": {"next_free_at": NOW + 2.1},
}


def take(ledger: Ledger, key: str = "k", *, now: float = NOW) -> Turn | None:
    """The next slot."""
    with ledger.write_one(durable=False) as session:
        return quotas_at_once.take(session, key, now=now, **PACE)


def reserve(ledger: Ledger, key: str, *, now: float) -> Turn:
    """The usual way."""
    with ledger.write() as session:
        quotas.ensure(session, key)
        return quotas.reserve(session, key, now=now, **PACE)


@ON_A_LEDGER
@given(steps=st.lists(st.floats(min_value=0.0, max_value=4.0), max_size=12))
def test_it_is_the_turn_that_a_look_would_have_found(ledger: Ledger, steps: list[float]) -> None:
    """Whenever they come, also what is written down of those who passed."""
    with ledger.write() as session:
        for key in ("k", "usual"):
            quotas.ensure(session, key)
            session.merge(Quota(key=key, trail=[]))
    at = NOW
    for step in steps:
        at += step
        usual, quick = reserve(ledger, "usual", now=at), take(ledger, now=at)
        assert quick == (usual if usual.granted else None)

    def left(session: Session, key: str) -> tuple[object, ...]:
        row = session.get_one(Quota, key)
        return row.next_free_at, row.tolerance, row.passed, [tuple(mark) for mark in row.trail]

    with ledger.read() as session:
        assert left(session, "k") == left(session, "usual")


@pytest.mark.parametrize("seen", SEEN)
def test_what_is_known_has_to_be_looked_at(ledger: Ledger, seen: str) -> None:
    """And nothing is counted then."""
    put(ledger, **SEEN[seen])

    assert take(ledger) is None
    assert gate(ledger).passed == 0


def test_a_gate_that_nobody_has_used_has_to_be_made(ledger: Ledger) -> None:
    """Without one nothing is taken."""
    assert take(ledger, "nobody's") is None


def test_a_mark_is_left_to_whoever_has_come_since(ledger: Ledger) -> None:
    """Theirs counts this one too; an old one over it would count less than have passed."""
    put(ledger)
    assert take(ledger) is not None
    assert take(ledger) is not None
    before = gate(ledger)
    with ledger.write_one(durable=False) as session:
        quotas.mark(session, "k", SimpleNamespace(trail=[], passed=1), NOW - 9)

    after = gate(ledger)
    assert (after.trail, after.passed) == (before.trail, before.passed)
