"""Needs: each notice is told under a name that people can type into a command."""

import pytest

from db import needs, notices
from db.engine import Ledger
from db.models import Feed, Goal, Source, User

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def _linked(ledger: Ledger) -> None:
    """Alice with a feed and a labelled one; Bob has linked nothing."""
    with ledger.write() as session:
        session.add_all([User(id=1, username="alice"), User(id=2, username="bob")])
        session.flush()
        session.add(Source(id=1, user_id=1, name="plant", provider="bemserver"))
        session.add(Goal(id=5, user_id=1, slug="energy", declared_slug="energy"))
        session.flush()
        for number, label in ((7, ""), (8, "roof")):
            session.add(Feed(id=number, goal_id=5, source_id=1, label=label, metric="m"))


def tell(
    ledger: Ledger, subject: str, *, user_id: int = 1, now: float = NOW, kind: str = "held"
) -> None:
    """Raise a notice about this."""
    with ledger.write() as session:
        notices.raise_(session, user_id=user_id, subject=subject, kind=kind, message="m", now=now)


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("user:1", "alice"),
        ("goal:5", "alice/energy"),
        ("feed:7", "alice/energy"),
        ("feed:8", "alice/energy:roof"),
        ("source:1", "source plant of alice"),
        ("feed:99", "feed:99"),
    ],
)
def test_what_it_is_about_has_a_name(ledger: Ledger, subject: str, name: str) -> None:
    """That of the person, the goal, the feed or the source; what is gone keeps its mark."""
    tell(ledger, subject)
    with ledger.read() as session:
        (need,) = needs.of(session, NOW)
    assert (need.subject, need.kind, need.message, need.since) == (name, "held", "m", NOW)


def test_a_person_without_goals_has_needs_too(ledger: Ledger) -> None:
    """And sees nobody else's; the operator sees all of them, the oldest first."""
    tell(ledger, "user:2", user_id=2, now=NOW + 1)
    tell(ledger, "feed:7")
    with ledger.read() as session:
        assert [need.subject for need in needs.of(session, NOW, user_id=2)] == ["bob"]
        assert [need.subject for need in needs.of(session, NOW)] == ["alice/energy", "bob"]


def test_news_are_shown_for_two_weeks(ledger: Ledger) -> None:
    """What there is nothing to do about goes by itself; what waits for a person does not."""
    for kind in ("edited", "datasource", "held"):
        tell(ledger, "feed:7", kind=kind)
    for now, kinds in (
        (NOW + 14 * 86400 - 1, ["edited", "datasource", "held"]),
        (NOW + 14 * 86400, ["held"]),
    ):
        with ledger.read() as session:
            assert [need.kind for need in needs.of(session, now)] == kinds


def test_kinds_that_are_told_elsewhere_are_left_out(ledger: Ledger) -> None:
    """Those and no others."""
    with ledger.write() as session:
        for kind in ("login", "put_off"):
            notices.raise_(session, user_id=1, subject="user:1", kind=kind, message="m", now=NOW)
    with ledger.read() as session:
        assert [one.kind for one in needs.of(session, NOW, without=needs.DEAD)] == ["put_off"]
