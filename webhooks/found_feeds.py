"""Which feeds the address of a page or form is about: `{user}/{goal}`, the goal with or without a
label. What is somebody else's does not exist.

`energy` is all feeds of the goal, as in a command; `energy:roof` is one of them, and `energy:` the
one that has no label.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, func, select, true

from db import names
from db.models import Feed, Goal, Source, User
from webhooks import errors
from webhooks.services import DayBounds, ServiceError
from webhooks.visits import Visit

DAYSTAMP = re.compile(r"(\d{4})(-?)(\d{2})\2(\d{2})")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose goal, and which of its feeds; `label` None: all of them."""

    username: str
    slug: str
    label: str | None

    @property
    def path(self) -> str:
        """Where it was asked for, for links on the page and the way back to it."""
        return f"/feeds/{self.username}/{self.goal}"

    @property
    def goal(self) -> str:
        """The part of the path after the person."""
        return self.slug if self.label is None else f"{self.slug}:{self.label}"


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of the ledger: feeds of one goal, at least one, by label."""

    feeds: Sequence[Feed]
    goal: Goal
    user: User
    sources: Sequence[Source]

    @property
    def ids(self) -> list[int]:
        """The feeds' ids."""
        return [feed.id or 0 for feed in self.feeds]

    def name(self, feed: Feed) -> str:
        """What commands call this one of them."""
        return names.feed_name(self.user.username, self.goal.slug, feed.label)

    @property
    def names(self) -> str:
        """What commands call all of them."""
        return ", ".join(self.name(feed) for feed in self.feeds)


def place(visit: Visit) -> Place:
    """What the address says."""
    slug, colon, label = visit.path("goal").partition(":")
    return Place(visit.path("user"), slug, label if colon else None)


def of(visit: Visit, session: Session) -> Found:
    """The feeds that the address is about. Raises `NotFoundError`."""
    asked = place(visit)
    whose = visit.only_user_id
    rows = session.exec(
        select(Feed, Goal, User, Source)
        .join(Goal, col(Goal.id) == col(Feed.goal_id))
        .join(User, col(User.id) == col(Goal.user_id))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .where(
            true() if whose is None else col(User.id) == whose,
            func.lower(col(User.username)) == asked.username.lower(),
            col(Goal.slug) == asked.slug.lower(),
            true() if asked.label is None else col(Feed.label) == asked.label,
        )
        .order_by(col(Feed.label))
    ).all()
    if not rows:
        raise errors.NotFoundError
    return Found([row[0] for row in rows], rows[0][1], rows[0][2], [row[3] for row in rows])


def day(visit: Visit, found: Found, text: str | None) -> DayBounds | None:
    """The day of the goal that was written as 2026-11-20 or 20261120; None for what is none.

    `text` None: today.
    """
    stamp = None
    if text is not None:
        written = DAYSTAMP.fullmatch(text.strip())
        if written is None:
            return None
        stamp = "".join(written.group(1, 3, 4))
    try:
        return visit.receiver.services.day(
            stamp, timezone=found.user.timezone, deadline=found.goal.deadline, now=visit.now
        )
    except ServiceError:
        return None
