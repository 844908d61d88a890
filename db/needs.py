"""What needs a person: open notices, under the names by which people call what they are about.

What a person did or chose at Beeminder themselves is news, and need not be undone, as little as two
names of one unit, or days that could not be read again: it is shown for two weeks.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import case, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models import Feed, Goal, Notice, Source, User
from db.names import feed_name, source_name

NEWS = {"edited", "deleted", "datasource", "units", "backfill"}
NEWS_SECONDS = 14 * 86400.0
DEAD = {"link", "login"}  # a person's link or a source's login that is refused
RED = "failing_red"  # the goal derails today and its data is not there: nothing is more urgent


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One open notice, since UTC seconds.

    `subject` is alice, alice/energy, alice/energy:roof, or source plant of alice; `about` is the
    notice's own word for it, `feed:7`. `place` is (username, slug, label) of a goal or feed.
    """

    subject: str
    kind: str
    message: str
    since: float
    about: str = ""
    place: tuple[str, str, str] | None = None


def of(
    session: Session,
    now: float,
    *,
    user_id: int | None = None,
    about: Collection[str] | None = None,
    without: Collection[str] = (),
    limit: int | None = None,
) -> list[Need]:
    """What this person (None: anybody) has to know or do, the oldest first.

    `about`: only these (`feed:7`); `without`: none of these kinds. With a `limit` the most urgent
    ones come first.
    """
    asked = select_rows(Notice).where(
        col(Notice.cleared_at).is_(None),
        or_(col(Notice.kind).not_in(NEWS), col(Notice.created_at) > now - NEWS_SECONDS),
    )
    if user_id is not None:
        asked = asked.where(col(Notice.user_id) == user_id)
    if about is not None:
        asked = asked.where(col(Notice.subject).in_(about))
    if without:
        asked = asked.where(col(Notice.kind).not_in(without))
    if limit is not None:
        last = case((col(Notice.kind) == RED, 0), (col(Notice.kind).in_(NEWS), 2), else_=1)
        asked = asked.order_by(last)
    asked = asked.order_by(col(Notice.created_at), col(Notice.id)).limit(limit)
    rows = session.exec(asked.execution_options(populate_existing=True)).all()
    names, places = names_of(session, [row.subject for row in rows])
    return [
        Need(
            subject=names.get(row.subject, row.subject),
            kind=row.kind,
            message=row.message,
            since=row.created_at,
            about=row.subject,
            place=places.get(row.subject),
        )
        for row in rows
    ]


def names_of(
    session: Session, subjects: Iterable[str]
) -> tuple[dict[str, str], dict[str, tuple[str, str, str]]]:
    """What people call `user:<id>`, `goal:<id>`, `feed:<id>` and `source:<id>`.

    And the places (username, slug, label) of the goals and feeds among them.
    """
    ids: dict[str, set[int]] = {"user": set(), "goal": set(), "feed": set(), "source": set()}
    for subject in subjects:
        kind, _, number = subject.partition(":")
        if kind in ids and number.isdecimal():
            ids[kind].add(int(number))
    connection = session.connection()
    names: dict[str, str] = {}
    places: dict[str, tuple[str, str, str]] = {}
    people = select(col(User.id), col(User.username)).where(col(User.id).in_(ids["user"]))
    for user_id, username in connection.execute(people):
        names[f"user:{user_id}"] = username
    goals = (
        select(col(Goal.id), col(User.username), col(Goal.slug))
        .join(User, col(Goal.user_id) == col(User.id))
        .where(col(Goal.id).in_(ids["goal"]))
    )
    for goal_id, username, slug in connection.execute(goals):
        places[f"goal:{goal_id}"] = (username, slug, "")
    feeds = (
        select(col(Feed.id), col(User.username), col(Goal.slug), col(Feed.label))
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .where(col(Feed.id).in_(ids["feed"]))
    )
    for feed_id, *place in connection.execute(feeds):
        places[f"feed:{feed_id}"] = (place[0], place[1], place[2])
    names |= {subject: feed_name(*place) for subject, place in places.items()}
    sources = (
        select(col(Source.id), col(Source.name), col(User.username))
        .join(User, col(User.id) == col(Source.user_id))
        .where(col(Source.id).in_(ids["source"]))
    )
    for source_id, name, username in connection.execute(sources):
        names[f"source:{source_id}"] = source_name(username, name)
    return names, places
