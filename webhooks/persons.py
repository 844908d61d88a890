"""For whom a page does something: whoever is signed in, or whom an operator chooses."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from db import people
from db.models import User
from webhooks import errors
from webhooks.visits import Visit

MOST = 200


def chosen(visit: Visit, session: Session) -> User | None:
    """The person; None where an operator has to choose one. Others do not exist for a person.

    Named by `user` in the form or the query; else the viewer, or the only one that there is.
    """
    named = visit.form.get("user") or visit.query("user")
    if named:
        return of_name(visit, session, named)
    if visit.viewer.user_id is not None:
        return session.get_one(User, visit.viewer.user_id)
    found = choices(session)
    return found[0] if len(found) == 1 else None


def of_name(visit: Visit, session: Session, name: str) -> User:
    """The person of this name, if the viewer may act for them."""
    found = people.user_named(session, name)
    if found is None or visit.only_user_id not in (None, found.id):
        raise errors.NotFoundError
    return found


def own_id(visit: Visit) -> int:
    """Whose things these are where everybody has only their own, an operator too."""
    if visit.viewer.user_id is None:
        raise errors.NotFoundError
    return visit.viewer.user_id


def choices(session: Session) -> Sequence[User]:
    """Everybody that an operator may choose."""
    return session.exec(select(User).order_by(col(User.username)).limit(MOST)).all()
