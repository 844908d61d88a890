"""Alerts: what the operator of this Waggle should know, each said once. Like `db.notices`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_, select, text, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import engine, retention
from db.models import UNTOLD
from db.models_pages import Alert
from db.once import Once


def set_of(session: Session, kind: str, found: Mapping[str, str], now: float) -> None:
    """Open what was `found` of a kind (messages by key), and clear the others of it.

    A key is `<kind>:<what>`, or the kind alone.
    """
    for key, message in sorted(found.items()):
        _open(session, key, message, now)
    session.connection().execute(
        update(Alert)
        .where(
            or_(col(Alert.key) == kind, col(Alert.key).startswith(f"{kind}:", autoescape=True)),
            col(Alert.key).not_in(found),
            col(Alert.cleared_at).is_(None),
        )
        .values(cleared_at=now)
    )


def _open(session: Session, key: str, message: str, now: float) -> None:
    new = {"message": message, "created_at": now, "cleared_at": None, "told_at": None}
    session.connection().execute(
        engine.insert(session, Alert)
        .values(key=key, **new)
        .on_conflict_do_update(
            index_elements=["key"], set_=new, where=col(Alert.cleared_at).is_not(None)
        )
    )
    session.connection().execute(
        update(Alert)
        .where(col(Alert.key) == key, col(Alert.message) != message)
        .values(message=message)
    )


def open_now(session: Session) -> Sequence[Alert]:
    """What is the matter, the oldest first."""
    return session.exec(
        select_rows(Alert)
        .where(col(Alert.cleared_at).is_(None))
        .order_by(col(Alert.created_at), col(Alert.key))
    ).all()


def untold(session: Session, before: float) -> Sequence[Alert]:
    """Those that began `before` and were not told, and told ones that are over, locked."""
    return session.exec(
        select_rows(Alert)
        .where(text(UNTOLD), _ripe(before))
        .order_by(col(Alert.created_at), col(Alert.key))
        .with_for_update(skip_locked=True)
    ).all()


def any_untold(session: Session, before: float) -> bool:
    """Is there any of these?"""
    return _ANY_UNTOLD.ask(session, {"before": before}).first() is not None


def _ripe(before: Any) -> ColumnElement[bool]:  # noqa: ANN401 -- a time or a place for one
    return or_(col(Alert.created_at) <= before, col(Alert.cleared_at).is_not(None))


# Named once: each sweep asks.
_ANY_UNTOLD = Once(select(col(Alert.key)).where(text(UNTOLD), _ripe(bindparam("before"))).limit(1))


def forget(session: Session, cleared_before: float) -> int:
    """Delete some of what was over before then; returns how many."""
    return retention.some(session, Alert, col(Alert.cleared_at) < cleared_before)
