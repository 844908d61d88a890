"""Which goal a name in the file means: goals get renamed at Beeminder, files stay as they are."""

from collections.abc import Mapping, MutableSequence, Sequence

from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models import Goal, User
from tasks.declared import DeclaredFeed

GoalName = tuple[str, str]


def find(
    session: Session,
    feeds: Sequence[DeclaredFeed],
    users: Mapping[str, User],
    *,
    now: float,
    problems: MutableSequence[str],
) -> dict[GoalName, Goal]:
    """The goal of every (username, slug) in the file; those never seen are made.

    A name means the goal that was declared by it, also after a rename at Beeminder; else the goal
    that is called so now. Two names for one goal are a problem.
    """
    found: dict[GoalName, Goal] = {}
    wanted = list(dict.fromkeys((feed.username, feed.slug) for feed in feeds))
    taken: dict[int, str] = {}
    for name in wanted:
        row = _one(session, users[name[0]], declared_slug=name[1])
        if row is not None:
            found[name] = row
            taken[row.id or 0] = name[1]
    for username, slug in wanted:
        if (username, slug) in found:
            continue
        row = _one(session, users[username], slug=slug)
        if row is None:
            row = Goal(
                user_id=users[username].id or 0, slug=slug, declared_slug=slug, created_at=now
            )
        elif (row.id or 0) in taken:
            problems.append(
                f'feeds."{username}/{slug}": is the goal that the file also calls '
                f"{taken[row.id or 0]!r}: it was renamed at Beeminder; use one of the two names"
            )
            continue
        row.declared_slug = slug
        session.add(row)
        session.flush()
        found[username, slug] = row
        taken[row.id or 0] = slug
    return found


def _one(session: Session, user: User, **by: str) -> Goal | None:
    ((column, value),) = by.items()
    return session.exec(
        select_rows(Goal)
        .where(col(Goal.user_id) == user.id, getattr(Goal, column) == value)
        .order_by(col(Goal.id).desc())
    ).first()
