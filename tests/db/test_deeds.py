"""Deeds: kept with the change that they tell of, and for as long as they are wanted."""

import contextlib

from sqlmodel import select

from db import deeds
from db.models_pages import Deed


def did(session, at, action="sync"):
    """Alice asks for something of hers."""
    deeds.record(
        session,
        at=at,
        actor="alice",
        as_operator=False,
        user_id=1,
        action=action,
        subject="alice/energy",
        details={"days": 3},
        request_id="r-1",
    )


def test_a_deed_is_undone_with_its_transaction(ledger):
    """What was not done leaves no word that it was."""
    with contextlib.suppress(ZeroDivisionError), ledger.write() as session:
        did(session, 1.0)
        session.flush()
        raise ZeroDivisionError
    with ledger.read() as session:
        assert session.exec(select(Deed)).all() == []


def test_only_old_deeds_are_forgotten(ledger):
    """Those before the moment that is named, and no others."""
    with ledger.write() as session:
        did(session, 1.0)
        did(session, 2.0, action="pause")
        session.flush()
        assert deeds.forget(session, 2.0) == 1
    with ledger.read() as session:
        left = session.exec(select(Deed)).one()
        assert (left.action, left.details, left.request_id) == ("pause", {"days": 3}, "r-1")
