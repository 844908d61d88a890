"""Which feeds are worked on, and which of them only to see whether their goal is awake again.

A goal that is frozen, archived or finished takes no data: its feeds are paused by Waggle, with the
reason. They stay claimable, unlike what a person paused, so a callback or their own slow schedule
finds out when the goal is back.

A feed that killed its worker again and again is set aside (`db.deaths`): it is `failing`, and
unlike all others that fail it is not tried any more before a person says so.
"""

from sqlalchemy import and_, func, literal_column, or_
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from db.models import Feed
from db.one_or_many import fixed
from db.states import FeedState

RUNNING = (FeedState.ACTIVE, FeedState.FAILING)
FROZEN, ARCHIVED, FINISHED = "goal_frozen", "goal_archived", "goal_finished"
REASONS = (FROZEN, ARCHIVED, FINISHED)
NOTICE = "resting"  # the kind of notice that tells a person so
SET_ASIDE = "set_aside"  # the reason of such a feed, and the kind of notice that tells of it


def is_resting(state: str, reason: str | None) -> bool:
    """Did Waggle pause a feed in this state, for this reason? False for a person's pause."""
    return state == FeedState.PAUSED and reason in REASONS


def is_running(state: str, reason: str | None) -> bool:
    """Is a feed in this state worked on, whatever its goal says?"""
    return state in RUNNING and not is_set_aside(state, reason)


def running() -> ColumnElement[bool]:
    """The same as a condition on feeds."""
    return and_(fixed(col(Feed.state), RUNNING), func.coalesce(col(Feed.reason), "") != SET_ASIDE)


def is_set_aside(state: str, reason: str | None) -> bool:
    """Was a feed in this state set aside, until a person says that it may run again?"""
    return state == FeedState.FAILING and reason == SET_ASIDE


def aside() -> ColumnElement[bool]:
    """The same as a condition on feeds, in the words of their index."""
    reason: ColumnElement[str] = literal_column(f"'{SET_ASIDE}'")
    return and_(col(Feed.state) == FeedState.FAILING, col(Feed.reason) == reason)


def is_claimable(state: str, reason: str | None) -> bool:
    """Does a feed in this state answer callbacks, and its own schedule?"""
    return is_running(state, reason) or is_resting(state, reason)


def claimable() -> ColumnElement[bool]:
    """The same as a condition on feeds."""
    rests = and_(col(Feed.state) == FeedState.PAUSED, fixed(col(Feed.reason), REASONS))
    return or_(running(), rests)
