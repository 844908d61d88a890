"""Which feeds are worked on, and which of them only to see whether their goal is awake again.

A goal that is frozen, archived or finished takes no data: its feeds are paused by Waggle, with the
reason. They stay claimable, unlike what a person paused, so a callback or their own slow schedule
finds out when the goal is back.
"""

from sqlalchemy import and_, or_
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from db.models import Feed
from db.states import FeedState

RUNNING = (FeedState.ACTIVE, FeedState.FAILING)
FROZEN, ARCHIVED, FINISHED = "goal_frozen", "goal_archived", "goal_finished"
REASONS = (FROZEN, ARCHIVED, FINISHED)
NOTICE = "resting"  # the kind of notice that tells a person so


def is_resting(state: str, reason: str | None) -> bool:
    """Did Waggle pause a feed in this state, for this reason? False for a person's pause."""
    return state == FeedState.PAUSED and reason in REASONS


def is_claimable(state: str, reason: str | None) -> bool:
    """Does a feed in this state answer callbacks, and its own schedule?"""
    return state in RUNNING or is_resting(state, reason)


def claimable() -> ColumnElement[bool]:
    """The same as a condition on feeds."""
    return or_(
        col(Feed.state).in_(RUNNING),
        and_(col(Feed.state) == FeedState.PAUSED, col(Feed.reason).in_(REASONS)),
    )
