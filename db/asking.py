"""A person asks for a goal to be synced now: an event in the ledger, like every callback."""

from collections.abc import Sequence

from sqlmodel import Session

from db import inbox, resting
from db.inbox import NewEvent
from db.models import Feed, Goal, User
from db.states import EventKind


class AsleepError(Exception):
    """No feed of the goal would answer: `feed` is the first of those that are paused or stopped."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(f"{feed.state} ({feed.reason})")
        self.feed = feed


def sync(session: Session, user: User, goal: Goal, feeds: Sequence[Feed], now: float) -> NewEvent:
    """Store the wish; whoever calls this rings once it is committed.

    `feeds` are the goal's. Raises `AsleepError` where none of them may run.
    """
    if not any(resting.is_claimable(feed.state, feed.reason) for feed in feeds):
        raise AsleepError(feeds[0])
    event = NewEvent(
        kind=EventKind.SYNC,
        payload={"username": user.username, "slug": goal.slug},
        received_at=now,
        user_id=user.id,
        goal_id=goal.id,
        id=inbox.new_id(now),
    )
    inbox.store(session, [event])
    return event
