"""Goals by what somebody typed of their names."""

from sqlalchemy import select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import searching
from db.models import Goal, User

MOST = 200  # a word that fits more goals than that finds the first of them


def ids(session: Session, text: str, *, user_id: int | None = None) -> list[int]:
    """Goals (of one person) whose name has the text in it: `energy`, or `alice/energy`."""
    user, slash, slug = text.partition("/")
    rows = session.connection().execute(
        select(col(Goal.id))
        .join(User, col(User.id) == col(Goal.user_id))
        .where(
            _named(user, slug) if slash else searching.contains(col(Goal.slug), text),
            true() if user_id is None else col(Goal.user_id) == user_id,
        )
        .order_by(col(Goal.id))
        .limit(MOST)
    )
    return [found for found in rows.scalars() if found is not None]


def _named(user: str, slug: str) -> ColumnElement[bool]:
    return searching.contains(col(User.username), user) & searching.contains(col(Goal.slug), slug)
