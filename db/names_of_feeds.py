"""A feed with the rows that name it."""

from dataclasses import dataclass

from db.models import Feed, Goal, User
from db.names import feed_name


@dataclass(frozen=True, slots=True)
class Named:
    """A feed with the rows that name it."""

    feed: Feed
    goal: Goal
    user: User

    @property
    def name(self) -> str:
        """user/goal or user/goal:label."""
        return feed_name(self.user.username, self.goal.slug, self.feed.label)
