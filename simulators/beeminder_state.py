"""What the simulated Beeminder knows: users, goals, datapoints, registered apps and tokens."""

import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from simulators import beeminder_days as days
from simulators.beeminder_unknowns import Unknowns

MAX_SLUG = 20


@dataclass(slots=True, kw_only=True)
class Datapoint:
    """One datapoint; `landed_at` and `changed_at` are exact, the API shows whole seconds."""

    id: str
    timestamp: int
    daystamp: str
    value: float
    landed_at: float
    changed_at: float
    comment: str = ""
    requestid: str | None = None
    origin: str = "api"
    creator: str = ""
    is_dummy: bool = False
    is_initial: bool = False


@dataclass(slots=True, kw_only=True)
class Goal:
    """One goal. `facts` replaces any field of its JSON, calculated or not.

    `roadall` is the bright red line as somebody drew it, None for a lenient one; `initval` is
    where it starts. `archivedate` (Unix seconds) may lie ahead: the goal is put away then.
    """

    id: str
    slug: str
    owner: str
    created_at: float
    changed_at: float
    title: str | None = None
    goal_type: str = "hustler"
    gunits: str = "units"
    runits: str = "d"
    rate: float | None = 1.0
    goalval: float | None = None
    goaldate: int | None = None
    deadline: int = 0
    kyoom: bool = True
    aggday: str = "sum"
    yaw: int = 1
    dir: int = 1
    odom: bool = False
    autodata: str | None = None
    initval: float | None = None
    roadall: list[list[Any]] | None = None
    archived: bool = False
    archivedate: int | None = None
    frozen: bool = False
    won: bool = False
    lost: bool = False
    tags: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    datapoints: dict[str, Datapoint] = field(default_factory=dict)
    deleted_requestids: set[str] = field(default_factory=set)
    queued_until: float = 0.0

    def is_archived(self, now: float) -> bool:
        """Whether it has been put away, by hand or because its date has come."""
        return self.archived or (self.archivedate is not None and self.archivedate <= now)


@dataclass(slots=True, kw_only=True)
class User:
    """One user with a personal token, and an OAuth token per app at most."""

    id: str
    username: str
    timezone: str
    token: str
    created_at: float
    changed_at: float
    hook_url: str | None = None
    deadbeat: bool = False
    goals: dict[str, Goal] = field(default_factory=dict)
    app_tokens: dict[str, str] = field(default_factory=dict)
    deleted_goals: list[tuple[str, float]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class App:
    """An app as registered at /apps/new."""

    name: str
    client_id: str
    client_secret: str
    redirect_uri: str
    autofetch_url: str | None = None
    deauthorize_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that happened to a datapoint. `via` is the token kind, or None for a person."""

    at: float
    username: str
    goal_id: str
    slug: str
    kind: Literal["created", "updated", "duplicate", "deleted"]
    id: str
    requestid: str | None
    daystamp: str
    value: float
    comment: str
    via: str | None


class BeeminderState(Unknowns):
    """All of it, safe to use from any thread while it is served."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.clock = clock
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.personal_tokens: dict[str, User] = {}
        self.oauth_tokens: dict[str, tuple[User, str]] = {}
        self.apps: dict[str, App] = {}
        self.history: list[Change] = []
        self.cost_calls: Counter[str] = Counter()
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """24 hex digits; later ids sort after earlier ones."""
        return f"{int(self.clock()):08x}{next(self._numbers):016x}"

    def add_user(
        self, username: str, *, timezone: str = "UTC", token: str | None = None, **more: Any
    ) -> User:
        """Makes a user; the personal token is `token` or `personal-<username>`."""
        with self.lock:
            now = self.clock()
            more.setdefault("id", self.new_id())
            user = User(
                username=username,
                timezone=timezone,
                token=token or f"personal-{username}",
                created_at=now,
                changed_at=now,
                **more,
            )
            self.users[username] = user
            self.personal_tokens[user.token] = user
            return user

    def rename_user(self, username: str, new_username: str) -> User:
        """Changes the name; id, tokens and goals stay. KeyError if there is none or it is taken."""
        with self.lock:
            if new_username in self.users:
                raise KeyError(new_username)
            user = self.users.pop(username)
            user.username = new_username
            self.users[new_username] = user
            for goal in user.goals.values():
                goal.owner = new_username
            user.changed_at = self.clock()
            return user

    def change_user(self, username: str, **fields: Any) -> User:
        """Sets fields of a user as they would in their settings; days that are over stay.

        KeyError if there is none, TypeError for an unknown field.
        """
        with self.lock:
            user = self.users[username]
            _set(user, fields)
            user.changed_at = self.clock()
            if "timezone" in fields:  # every goal's days end at other instants now
                for goal in user.goals.values():
                    self.touch(goal)
            return user

    def add_goal(self, username: str, slug: str, **more: Any) -> Goal:
        """Makes a goal without datapoints; the keywords are fields of `Goal`. KeyError: no user."""
        with self.lock:
            now = self.clock()
            user = self.users[username]
            more.setdefault("id", self.new_id())
            goal = Goal(slug=slug, owner=username, created_at=now, changed_at=now, **more)
            user.goals[slug] = goal
            user.changed_at = now
            return goal

    def goal(self, username: str, slug: str) -> Goal:
        """KeyError if there is none."""
        return self.users[username].goals[slug]

    def change_goal(self, username: str, slug: str, **fields: Any) -> Goal:
        """Sets fields of a goal as its owner would: a deadline, `archived`, `facts`, ….

        KeyError if there is none, TypeError for an unknown field.
        """
        with self.lock:
            goal = self.goal(username, slug)
            _set(goal, fields)
            self.touch(goal)
            return goal

    def rename_goal(self, username: str, slug: str, new_slug: str) -> Goal:
        """Changes the slug, the id stays. KeyError if there is none or the name is taken."""
        with self.lock:
            goals = self.users[username].goals
            if new_slug in goals:
                raise KeyError(new_slug)
            goal = goals.pop(slug)
            goal.slug = new_slug
            goals[new_slug] = goal
            self.touch(goal)
            return goal

    def delete_goal(self, username: str, slug: str) -> None:
        """Removes it with its datapoints; `deleted_goals` tells of it."""
        with self.lock:
            user = self.users[username]
            goal = user.goals.pop(slug)
            user.changed_at = self.clock()
            user.deleted_goals.append((goal.id, user.changed_at))

    def touch(self, goal: Goal) -> None:
        """Marks goal and owner as changed now, and the graph as queued."""
        now = self.clock()
        goal.changed_at = now
        goal.queued_until = now + self.queue_seconds
        self.users[goal.owner].changed_at = now

    def datapoints(self, username: str, slug: str) -> list[Datapoint]:
        """The live datapoints by time."""
        with self.lock:
            points = self.goal(username, slug).datapoints.values()
            return sorted(points, key=lambda point: (point.timestamp, point.id))

    def day_values(self, username: str, slug: str) -> dict[str, list[float]]:
        """Values of each day in order, by daystamp."""
        values: dict[str, list[float]] = {}
        for point in self.datapoints(username, slug):
            values.setdefault(point.daystamp, []).append(point.value)
        return values

    def changes(self, username: str, slug: str) -> list[Change]:
        """All that ever happened on a goal, also under former slugs. KeyError if there is none."""
        with self.lock:
            goal_id = self.goal(username, slug).id
            return [change for change in self.history if change.goal_id == goal_id]

    def write_counts(self, username: str, slug: str) -> dict[str, dict[str, int]]:
        """Per requestid how often it was created, updated, refused as duplicate or deleted."""
        counts: dict[str, dict[str, int]] = {}
        for change in self.changes(username, slug):
            if change.requestid:
                kinds = counts.setdefault(change.requestid, {})
                kinds[change.kind] = kinds.get(change.kind, 0) + 1
        return counts

    def daystamp(self, goal: Goal, timestamp: float) -> str:
        """The day of that goal which the instant counts for."""
        zone = self.users[goal.owner].timezone
        return days.daystamp_of(timestamp, zone=zone, deadline=goal.deadline)


def _set(item: User | Goal, fields: dict[str, Any]) -> None:
    known = {each.name for each in dataclasses.fields(item)}
    if unknown := sorted(fields.keys() - known):
        raise TypeError(f"a {type(item).__name__.lower()} has no field {unknown[0]!r}")
    for name, value in fields.items():
        setattr(item, name, value)
