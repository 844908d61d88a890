"""What is too old goes a little at a time, and nothing else goes."""

import pytest
from sqlmodel import select

from db import deeds, retention
from db.engine import Ledger
from db.models import LoginLink
from db.models_limits import Quota
from db.models_notebook import Validator
from db.models_pages import Deed


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST", 3)


def test_so_many_at_once_and_no_more(ledger: Ledger) -> None:
    """Each transaction is short, and together they take all that is old."""
    with ledger.write() as session:
        for at in range(10):
            session.add(Deed(at=at, actor="a", action="b", subject="c"))
    gone = []
    while not gone or gone[-1]:
        with ledger.write() as session:
            gone.append(deeds.forget(session, 7.0))
    assert gone == [3, 3, 1, 0]
    with ledger.read() as session:
        assert sorted(deed.at for deed in session.exec(select(Deed))) == [7.0, 8.0, 9.0]


def test_a_key_of_two_columns_is_one_row(ledger: Ledger, linked: None) -> None:
    """Of two answers of a source the one that was not asked for goes."""
    with ledger.write() as session:
        for url, at in (("a", 1.0), ("b", 9.0)):
            session.add(Validator(source_id=1, url=url, seen_at=at))
    with ledger.write() as session:
        assert retention.forget_validators(session, 5.0) == 1
    with ledger.read() as session:
        assert [row.url for row in session.exec(select(Validator))] == ["b"]


def test_a_gate_that_is_closed_or_was_never_used_stays(ledger: Ledger) -> None:
    """What a vendor named is never forgotten before its time."""
    with ledger.write() as session:
        session.add(Quota(key="old", next_free_at=2.0))
        session.add(Quota(key="closed", next_free_at=2.0, closed_until=50.0))
        session.add(Quota(key="new"))
    with ledger.write() as session:
        assert retention.forget_gates(session, 10.0) == 1
    with ledger.read() as session:
        assert {row.key for row in session.exec(select(Quota))} == {"closed", "new"}


def test_links_go_when_they_have_ended(ledger: Ledger) -> None:
    """Used or not; one that is good stays."""
    with ledger.write() as session:
        for name, at in (("old", 1.0), ("good", 9.0)):
            session.add(LoginLink(secret_hash=name, username="a", expires_at=at))
    with ledger.write() as session:
        assert retention.forget_links(session, 5.0) == 1
    with ledger.read() as session:
        assert [row.secret_hash for row in session.exec(select(LoginLink))] == ["good"]
