"""Everything about one person: what it is, and how it goes. `db.exporting` hands it out.

`OF` says for each table which rows are a person's. A test compares it with the models and looks for
every byte of a person who was deleted, so a new table is not forgotten.
"""

import re
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    Table,
    and_,
    cast,
    delete,
    false,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlmodel import Session, col

from db.metadata import METADATA
from db.models import (
    Backfill,
    Cover,
    Event,
    Feed,
    Goal,
    LoginLink,
    Notice,
    Source,
    User,
)
from db.models_limits import Breaker, Quota
from db.models_notebook import Sighted, Validator
from db.models_pages import Alert, Channel, Deed, Errand, Message
from db.models_points import Datapoint, Day, Sending
from db.models_runs import Run

GONE = "a person who left"  # what stands where a name stood
# Rows that are about this machine: nobody's, and of no use to a person who asks for theirs.
HOUSE = frozenset({"quota", "breaker", "login_link", "alert", "worker", "tally"})

Whose = Callable[[User], ColumnElement[bool]]


def _sources(user: User) -> Any:  # noqa: ANN401 -- a subquery
    return select(col(Source.id)).where(col(Source.user_id) == user.id)


def _goals(user: User) -> Any:  # noqa: ANN401 -- as above
    return select(col(Goal.id)).where(col(Goal.user_id) == user.id)


def _feeds(user: User) -> Any:  # noqa: ANN401 -- as above
    return select(col(Feed.id)).where(
        or_(col(Feed.goal_id).in_(_goals(user)), col(Feed.source_id).in_(_sources(user)))
    )


def _points(user: User) -> Any:  # noqa: ANN401 -- as above
    return select(col(Datapoint.id)).where(_of_datapoint(user))


def _events(user: User) -> Any:  # noqa: ANN401 -- as above
    return select(col(Event.id)).where(_of_event(user))


def _channels(user: User) -> Any:  # noqa: ANN401 -- as above
    return select(col(Channel.id)).where(col(Channel.user_id) == user.id)


def _of_datapoint(user: User) -> ColumnElement[bool]:
    return or_(col(Datapoint.feed_id).in_(_feeds(user)), col(Datapoint.goal_id).in_(_goals(user)))


def _of_event(user: User) -> ColumnElement[bool]:
    """Also callbacks that named them and were never tied to them."""
    named = func.lower(col(Event.payload)["username"].as_string()) == user.username.lower()
    return or_(col(Event.user_id) == user.id, col(Event.goal_id).in_(_goals(user)), named)


def _of_quota(user: User) -> ColumnElement[bool]:
    """Gates of their accounts that nobody else stands behind, and of their own token."""
    others = select(col(Source.quota_key)).where(
        col(Source.user_id) != user.id, col(Source.quota_key).is_not(None)
    )
    theirs = select(col(Source.quota_key)).where(
        col(Source.user_id) == user.id, col(Source.quota_key).is_not(None)
    )
    alone = and_(col(Quota.key).in_(theirs), col(Quota.key).not_in(others))
    return or_(alone, col(Quota.title) == user.username)


def _of_breaker(user: User) -> ColumnElement[bool]:
    named = literal("source:") + cast(col(Source.id), String)
    sources = select(named).where(col(Source.user_id) == user.id)
    return or_(col(Breaker.subject) == f"user:{user.id}", col(Breaker.subject).in_(sources))


# By table, in the order in which rows may go: nothing refers to what is gone already.
OF: dict[str, Whose] = {
    "sending": lambda user: col(Sending.datapoint_id).in_(_points(user)),
    "datapoint": _of_datapoint,
    "day": lambda user: col(Day.feed_id).in_(_feeds(user)),
    "cover": lambda user: or_(
        col(Cover.feed_id).in_(_feeds(user)), col(Cover.event_id).in_(_events(user))
    ),
    "event": _of_event,
    "backfill": lambda user: col(Backfill.feed_id).in_(_feeds(user)),
    "feed": lambda user: col(Feed.id).in_(_feeds(user)),
    "errand": lambda user: col(Errand.user_id) == user.id,
    "message": lambda user: col(Message.channel_id).in_(_channels(user)),
    "channel": lambda user: col(Channel.user_id) == user.id,
    "notice": lambda user: col(Notice.user_id) == user.id,
    "run": lambda user: col(Run.source_id).in_(_sources(user)),
    "validator": lambda user: col(Validator.source_id).in_(_sources(user)),
    "sighted": lambda user: col(Sighted.source_id).in_(_sources(user)),
    "deed": lambda user: or_(col(Deed.user_id) == user.id, col(Deed.actor) == user.username),
    "quota": _of_quota,
    "breaker": _of_breaker,
    "login_link": lambda user: func.lower(col(LoginLink.username)) == user.username.lower(),
    "source": lambda user: col(Source.user_id) == user.id,
    "goal": lambda user: col(Goal.user_id) == user.id,
    "user": lambda user: col(User.id) == user.id,
    "alert": lambda _: false(),  # texts for the operator: see `_unnamed`
    "worker": lambda _: false(),
    "tally": lambda _: false(),
}


def counts(session: Session, user: User, names: Collection[str] = OF) -> dict[str, int]:
    """How many rows of each of these tables are this person's."""
    return {
        name: session.connection()
        .execute(select(func.count()).select_from(_table(name)).where(OF[name](user)))
        .scalar_one()
        for name in names
    }


def remove(session: Session, user: User) -> dict[str, int]:
    """Delete all of it; returns how many rows of each table went.

    What operators did to this person's things stays in the log, and names nobody. Whoever works for
    them now finds that its claim is not there any more.
    """
    if session.get_bind().dialect.name == "sqlite":
        # What is deleted is written over, and not only taken out of the index of pages.
        session.connection().exec_driver_sql("PRAGMA secure_delete=ON")
    session.connection().execute(
        select(col(Feed.id)).where(col(Feed.id).in_(_feeds(user))).with_for_update()
    )
    _unnamed(session, user)
    gone = {}
    for name, whose in OF.items():
        done = session.connection().execute(delete(_table(name)).where(whose(user)))
        gone[name] = done.rowcount
    session.expunge(user)
    return gone


def _unnamed(session: Session, user: User) -> None:
    """Take the person's name out of rows that are kept: the operator's log, and texts for them."""
    by_others = and_(
        col(Deed.user_id) == user.id, col(Deed.actor) != user.username, col(Deed.as_operator)
    )
    session.connection().execute(
        update(Deed).where(by_others).values(user_id=None, subject=GONE, details={})
    )
    to_others = and_(
        col(Deed.actor) == user.username,
        or_(col(Deed.user_id).is_(None), col(Deed.user_id) != user.id),
        col(Deed.as_operator),
    )
    session.connection().execute(update(Deed).where(to_others).values(actor=GONE))
    named = _names_of(user)
    for table, texts in (
        (Alert.__table__, ("key", "message")),  # type: ignore[attr-defined]  # made by SQLModel
        (Message.__table__, ("key", "title", "body")),  # type: ignore[attr-defined]
        (Deed.__table__, ("subject",)),  # type: ignore[attr-defined]
    ):
        key = next(iter(table.primary_key))
        where = table.c.channel_id.is_(None) if "channel_id" in table.c else true()
        rows = session.connection().execute(select(key, *(table.c[n] for n in texts)).where(where))
        told = [row[0] for row in rows if any(named.search(str(text)) for text in row)]
        if table.name == "deed":
            session.connection().execute(
                update(table).where(key.in_(told)).values(subject=GONE, details={})
            )
        else:
            session.connection().execute(delete(table).where(key.in_(told)))


def _names_of(user: User) -> re.Pattern[str]:
    """Texts that name this person: by their username, as a whole word."""
    names = {name for name in (user.username, user.declared_username) if name}
    return re.compile(
        rf"(?<![\w-])(?:{'|'.join(re.escape(name) for name in names)})(?![\w-])", re.IGNORECASE
    )


def _table(name: str) -> Table:
    return METADATA.tables[name]
