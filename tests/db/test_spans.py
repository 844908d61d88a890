"""Spans: the same as one open end, and both databases agree."""

import pytest
from sqlmodel import Session, col, select

from db import spans
from db.engine import Ledger
from db.models import User

NOW = 1_000.0


@pytest.fixture
def seen(ledger: Ledger) -> Ledger:
    """People whose facts were read at some time, and one of whom nothing was."""
    at = {"never": None, "first": 0.0, "before": NOW - 0.5, "now": NOW, "after": NOW + 0.5}
    with ledger.write() as session:
        session.add_all([User(username=name, facts_at=when) for name, when in at.items()])
    return ledger


def names(session: Session, where: object) -> set[str]:
    """Of whom this is true."""
    return set(session.exec(select(User.username).where(where)))  # type: ignore[arg-type] # it is a condition


def test_what_has_come_by_an_instant_is_past(seen: Ledger) -> None:
    """The instant itself belongs to it; what has no time is neither."""
    with seen.read() as session:
        past = names(session, spans.past(col(User.facts_at), NOW))
        ahead = names(session, spans.ahead(col(User.facts_at), NOW))
    assert past == {"first", "before", "now"}
    assert ahead == {"after"}
