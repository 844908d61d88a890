"""A person's link to Beeminder, as each request that uses it needs it: a few columns."""

from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from db.models import User
from db.once import Once


class Link(NamedTuple):
    """Who lets us in, and with which token; see `db.models.User`."""

    id: int
    username: str
    state: str
    token_kind: str
    token_cipher: str | None
    token_version: int


# Named once: to make a statement costs more than to ask with it.
_OF = Once(
    select(*(getattr(User, name) for name in Link._fields)).where(
        col(User.id) == bindparam("of_user")
    )
)


def of(session: Session, user_id: int) -> Link | None:
    """The link of this person; None: there is nobody."""
    row = _OF.ask(session, {"of_user": user_id}).one_or_none()
    return None if row is None else Link._make(row)


def link_of(user: User) -> Link:
    """The link of a person whose row has been read."""
    return Link(
        id=user.id or 0,
        username=user.username,
        state=user.state,
        token_kind=user.token_kind,
        token_cipher=user.token_cipher,
        token_version=user.token_version,
    )
