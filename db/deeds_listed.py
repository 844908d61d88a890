"""What was done by whom, as people look at it: filtered, and paged by id. Only reads."""

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models import User
from db.models_pages import Deed

MOST_ACTIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which deeds: of an action, by or to a person (their name)."""

    action: str | None = None
    person: str | None = None


def rows(
    session: Session,
    asked: Asked,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int,
) -> list[Deed]:
    """Deeds, the latest first: those next `before` an id, or next `after` one."""
    query = select_rows(Deed).where(_which(session, asked)).limit(limit)
    if after is None:
        query = query.where(true() if before is None else col(Deed.id) < before)
        return list(session.exec(query.order_by(col(Deed.id).desc())))
    query = query.where(col(Deed.id) > after).order_by(col(Deed.id))
    return list(session.exec(query))[::-1]


def actions(session: Session) -> list[str]:
    """The actions that there are, by name."""
    found = session.connection().execute(
        select(col(Deed.action)).distinct().order_by(col(Deed.action)).limit(MOST_ACTIONS)
    )
    return list(found.scalars())


def names(session: Session, user_ids: set[int]) -> dict[int, str]:
    """What these people are called now."""
    found = session.connection().execute(
        select(col(User.id), col(User.username)).where(col(User.id).in_(user_ids))
    )
    return {user_id: username for user_id, username in found if user_id is not None}


def _which(session: Session, asked: Asked) -> ColumnElement[bool]:
    said: list[ColumnElement[bool]] = []
    if asked.action is not None:
        said.append(col(Deed.action) == asked.action)
    if asked.person is not None:
        name = asked.person.lower()
        whose = session.connection().execute(
            select(col(User.id)).where(func.lower(col(User.username)) == name)
        )
        said.append(or_(col(Deed.actor) == name, col(Deed.user_id).in_(list(whose.scalars()))))
    return and_(true(), *said)
