"""Taking one row under a lease: an event or an errand, which no feed answers.

Feeds are claimed by source and many at once (`db.claiming`). And ending the leases of those who are
known to be gone.
"""

from collections.abc import Collection
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db.models import Event
from db.models_pages import Errand, Message
from db.models_runs import Run

Leased = TypeVar("Leased", Event, Errand)


def first(
    session: Session,
    table: type[Leased],
    due: ColumnElement[bool],
    *order: Any,
    owner: str,
    until: float,
) -> tuple[Leased, int] | None:
    """Lease the first of these rows for a try; the row and its epoch, or None."""
    oldest = (
        select(col(table.id))
        .where(due)
        .order_by(*order)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("oldest")  # PostgreSQL would run a subquery once per row, and take several
    )
    row = (
        session.connection()
        .execute(
            update(table)
            .where(col(table.id).in_(select(oldest.c.id)), due)
            .values(
                lease_owner=owner,
                lease_until=until,
                epoch=col(table.epoch) + 1,
                attempts=col(table.attempts) + 1,
            )
            .returning(col(table.id), col(table.epoch))
        )
        .one_or_none()
    )
    if row is None:
        return None
    return session.get_one(table, row.id, populate_existing=True), row.epoch


def end(session: Session, owners: Collection[str], now: float) -> None:
    """Nobody of these will come back: what they held, but for feeds and events, is free now.

    Of feeds and events it has to be found out first who died of them (`db.deaths`).
    """
    for table in (Errand, Message, Run):
        session.connection().execute(
            update(table)
            .where(col(table.lease_owner).in_(owners), col(table.lease_until) > now)
            .values(lease_until=now)
        )
