"""Notices: what a person should know or do, each said once.

Whoever finds a reason raises it, as often as it is found; only the first time is news. When the
reason is gone the notice is cleared, and a later raise is news again. Two workers may raise the
same one at the same moment: the unique key (subject, kind, key) lets one of them be the first.

A notice is told when messages are made of it (`tasks.telling_news`): `told_at` says when that was,
and is None again when its end was told too, or there is nothing more to say.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    cast,
    exists,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import engine, retention
from db.models import UNTOLD, Feed, Notice
from db.once import Once


def raise_(
    session: Session,
    *,
    user_id: int,
    subject: str,
    kind: str,
    key: str = "",
    message: str,
    now: float,
) -> bool:
    """Open this notice, or keep it open with a newer `message`.

    True when it is news: it was never raised, or had been cleared. `subject` is `feed:<id>`,
    `goal:<id>`, `source:<id>` or `user:<id>`; `key` tells apart what may be open at the same time
    (a day, say).
    """
    same = and_(col(Notice.subject) == subject, col(Notice.kind) == kind, col(Notice.key) == key)
    connection = session.connection()
    made = connection.execute(
        engine.insert(session, Notice)
        .values(
            user_id=user_id, subject=subject, kind=kind, key=key, message=message, created_at=now
        )
        .on_conflict_do_nothing()
        .returning(col(Notice.id))
    )
    if made.first() is not None:
        return True
    reopened = connection.execute(
        update(Notice)
        .where(same, col(Notice.cleared_at).is_not(None))
        .values(user_id=user_id, message=message, created_at=now, cleared_at=None, told_at=None)
    )
    if reopened.rowcount:
        return True
    connection.execute(
        update(Notice).where(same, col(Notice.message) != message).values(message=message)
    )
    return False


def clear(session: Session, *, subject: str, kind: str, now: float, key: str | None = None) -> int:
    """The reason is gone; returns how many were open. `key` None: all of this kind."""
    return clear_kinds(session, subject=subject, kinds=[kind], now=now, key=key)


# Named once: to make a statement costs more than to ask with it, and each sync clears some.
_CLEAR = (
    update(Notice)
    .where(
        col(Notice.subject) == bindparam("about"),
        col(Notice.kind).in_(bindparam("kinds", expanding=True)),
        col(Notice.cleared_at).is_(None),
    )
    .values(cleared_at=bindparam("at"))
)
_CLEAR_ONE = _CLEAR.where(col(Notice.key) == bindparam("of_key"))


def clear_kinds(
    session: Session, *, subject: str, kinds: Collection[str], now: float, key: str | None = None
) -> int:
    """The same for several kinds at once."""
    asked: dict[str, object] = {"about": subject, "kinds": list(kinds), "at": now}
    if key is None:
        return session.connection().execute(_CLEAR, asked).rowcount
    return session.connection().execute(_CLEAR_ONE, asked | {"of_key": key}).rowcount


def about_feed() -> ColumnElement[bool]:
    """Feeds about which anything is open: a condition for any query over them."""
    subject = literal("feed:").concat(cast(col(Feed.id), String))
    return (
        exists()
        .where(col(Notice.subject) == subject, col(Notice.cleared_at).is_(None))
        .correlate(Feed)
    )


def expire(session: Session, *, kind: str, raised_before: float, now: float) -> int:
    """Clear news of this kind that everybody has had time to read; returns how many."""
    cleared = session.connection().execute(
        update(Notice)
        .where(
            col(Notice.kind) == kind,
            col(Notice.created_at) < raised_before,
            col(Notice.cleared_at).is_(None),
        )
        .values(cleared_at=now)
    )
    return cleared.rowcount


def clear_all(session: Session, *, subjects: Collection[str], now: float) -> int:
    """Nobody has to know or do anything about these any more; returns how many were open."""
    cleared = session.connection().execute(
        update(Notice)
        .where(col(Notice.subject).in_(subjects), col(Notice.cleared_at).is_(None))
        .values(cleared_at=now)
    )
    return cleared.rowcount


def open_for(session: Session, *, user_id: int | None = None) -> list[Notice]:
    """What is open for this person (None: for everybody), the oldest first."""
    asked = (
        select_rows(Notice)
        .where(col(Notice.cleared_at).is_(None))
        .order_by(col(Notice.created_at), col(Notice.id))
        # Statements above go past the session: what it remembers may be older than the table.
        .execution_options(populate_existing=True)
    )
    if user_id is not None:
        asked = asked.where(col(Notice.user_id) == user_id)
    return list(session.exec(asked))


def any_untold(session: Session, before: float, *, at_once: Collection[str] = ()) -> bool:
    """Is there one of which a beginning or an end is to be told? See `untold`."""
    asked = _any_untold(frozenset(at_once))
    return asked.ask(session, {"before": before}).first() is not None


@cache  # each sweep asks
def _any_untold(at_once: frozenset[str]) -> Once:
    return Once(
        select(col(Notice.id)).where(text(UNTOLD), _ripe(bindparam("before"), at_once)).limit(1)
    )


def untold(
    session: Session, before: float, *, at_once: Collection[str] = (), limit: int
) -> Sequence[Notice]:
    """Those that were raised `before` and not told, and told ones that are over, locked.

    Kinds that are told `at_once` wait for nothing. What is over before it was told never was.
    """
    found: Sequence[Notice] = session.exec(
        _untold(before, at_once)
        .order_by(col(Notice.created_at), col(Notice.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return found


def _untold(before: float, at_once: Collection[str]) -> Any:  # noqa: ANN401 -- SQLModel's select
    return select_rows(Notice).where(text(UNTOLD), _ripe(before, at_once))


def _ripe(before: Any, at_once: Collection[str]) -> ColumnElement[bool]:  # noqa: ANN401 -- a time or a place for one
    return or_(
        col(Notice.created_at) <= before,
        col(Notice.kind).in_(at_once),
        col(Notice.cleared_at).is_not(None),
    )


def forget(session: Session, cleared_before: float) -> int:
    """Delete some of what was cleared before then; returns how many."""
    return retention.some(session, Notice, col(Notice.cleared_at) < cleared_before)
