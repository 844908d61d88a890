"""What the simulated BEMServer holds: users, campaigns, scopes, timeseries and their samples."""

import bisect
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from simulators import bemserver_seed

Sample = tuple[float | str, float]
"""(epoch seconds or ISO 8601 with offset, value)."""


@dataclass(slots=True, kw_only=True)
class User:
    """`scopes` are ids of campaign scopes; None reads all there are, also later ones."""

    id: int
    name: str
    email: str
    password: str
    is_admin: bool = False
    is_active: bool = True
    scopes: set[int] | None = None


@dataclass(slots=True, kw_only=True)
class Campaign:
    """A campaign."""

    id: int
    name: str
    timezone: str = "UTC"


@dataclass(slots=True, kw_only=True)
class Scope:
    """A part of a campaign; reading rights hang on it."""

    id: int
    name: str
    campaign_id: int


@dataclass(slots=True, kw_only=True)
class Timeseries:
    """One series."""

    id: int
    name: str
    unit_symbol: str
    campaign_id: int
    campaign_scope_id: int
    description: str | None = None


@dataclass(slots=True)
class Samples:
    """Values by instant in epoch microseconds, which is as fine as the real one stores."""

    times: list[int] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)

    def put(self, instant: int, value: float) -> None:
        """Stores or replaces."""
        if instant not in self.values:
            bisect.insort(self.times, instant)
        self.values[instant] = value

    def drop(self, start: int, end: int) -> None:
        """Removes [start, end)."""
        for instant, _ in self.between(start, end):
            del self.values[instant]
        self.times = sorted(self.values)

    def between(self, start: int, end: int) -> list[tuple[int, float]]:
        """[start, end) in order; empty when end is before start."""
        first, last = bisect.bisect_left(self.times, start), bisect.bisect_left(self.times, end)
        return [(instant, self.values[instant]) for instant in self.times[first:last]]


def microseconds(instant: float | str) -> int:
    """Epoch microseconds; ValueError for text without an offset."""
    if isinstance(instant, str):
        parsed = datetime.fromisoformat(instant)
        if parsed.tzinfo is None:
            raise ValueError(f"{instant} names no offset")
        instant = parsed.timestamp()
    return round(instant * 1_000_000)


class BemserverState:
    """All of it, safe to use from any thread while it is served.

    `growers` are called with the time before every read of samples: a living plant.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.users: dict[int, User] = {}
        self.campaigns: dict[int, Campaign] = {}
        self.scopes: dict[int, Scope] = {}
        self.series: dict[int, Timeseries] = {}
        self.data_states: dict[int, str] = {1: "Raw", 2: "Clean"}
        self.growers: list[Callable[[float], None]] = []
        self._samples: dict[tuple[int, int], Samples] = {}

    def add_user(
        self,
        email: str,
        password: str,
        *,
        name: str | None = None,
        is_admin: bool = False,
        is_active: bool = True,
        scopes: Iterable[int] | None = None,
    ) -> User:
        """Makes a user who may log in."""
        with self.lock:
            user = User(
                id=len(self.users) + 1,
                name=name or email.partition("@")[0],
                email=email,
                password=password,
                is_admin=is_admin,
                is_active=is_active,
                scopes=None if scopes is None else set(scopes),
            )
            self.users[user.id] = user
            return user

    def add_series(
        self,
        name: str,
        *,
        unit: str = "kWh",
        description: str | None = None,
        campaign: str = "Site",
        scope: str = "All",
        values: Iterable[Sample] = (),
        data_state: str = "Raw",
    ) -> Timeseries:
        """Makes a series, and its campaign and scope when they are new."""
        with self.lock:
            place = self.add_scope(scope, campaign=campaign)
            series = Timeseries(
                id=len(self.series) + 1,
                name=name,
                unit_symbol=unit,
                description=description,
                campaign_id=place.campaign_id,
                campaign_scope_id=place.id,
            )
            self.series[series.id] = series
            self.set_values(series.id, values, data_state=data_state)
            return series

    def add_scope(self, name: str, *, campaign: str, timezone: str = "UTC") -> Scope:
        """The scope of that name in that campaign; both are made when they are new."""
        with self.lock:
            home = next((c for c in self.campaigns.values() if c.name == campaign), None)
            if home is None:
                home = Campaign(id=len(self.campaigns) + 1, name=campaign, timezone=timezone)
                self.campaigns[home.id] = home
            for known in self.scopes.values():
                if (known.campaign_id, known.name) == (home.id, name):
                    return known
            scope = Scope(id=len(self.scopes) + 1, name=name, campaign_id=home.id)
            self.scopes[scope.id] = scope
            return scope

    def set_values(
        self,
        series: int | str,
        values: Iterable[Sample],
        *,
        data_state: str = "Raw",
        replace: bool = False,
    ) -> None:
        """Adds or changes samples; `replace` drops all others. KeyError if there is no series."""
        with self.lock:
            samples = self.samples(self.find(series).id, self.state_id(data_state))
            if replace:
                samples.times, samples.values = [], {}
            for instant, value in values:
                samples.put(microseconds(instant), float(value))

    def remove_values(
        self, series: int | str, start: float | str, end: float | str, *, data_state: str = "Raw"
    ) -> None:
        """Drops the samples of [start, end)."""
        with self.lock:
            samples = self.samples(self.find(series).id, self.state_id(data_state))
            samples.drop(microseconds(start), microseconds(end))

    def find(self, series: int | str) -> Timeseries:
        """By id, or the first of that name. KeyError."""
        if isinstance(series, int):
            return self.series[series]
        for known in self.series.values():
            if known.name == series:
                return known
        raise KeyError(series)

    def state_id(self, name: str) -> int:
        """KeyError for an unknown data state."""
        return {known: number for number, known in self.data_states.items()}[name]

    def samples(self, series_id: int, state_id: int) -> Samples:
        """Those of one series and data state."""
        return self._samples.setdefault((series_id, state_id), Samples())

    def grow(self) -> None:
        """Lets the plant live up to now."""
        for grower in self.growers:
            grower(self.clock())

    def load(self, seed: bemserver_seed.Seed) -> None:
        """Fills an empty state with a seed; ids are those that a new real server would give."""
        with self.lock:
            for campaign in seed.campaigns:
                for scope in campaign.scopes:
                    self.add_scope(scope, campaign=campaign.name, timezone=campaign.timezone)
            for user in seed.users:
                rights = {
                    self.add_scope(scope, campaign=campaign).id
                    for group in seed.groups
                    if user.email in group.members
                    for campaign, scope in group.scopes
                }
                self.add_user(
                    user.email,
                    user.password,
                    name=user.name,
                    is_admin=user.admin,
                    is_active=user.active,
                    scopes=rights,
                )
            for item in seed.series:
                made = self.add_series(
                    item.name,
                    unit=item.unit,
                    description=item.description,
                    campaign=item.campaign,
                    scope=item.scope,
                )
                for data_state, values in item.samples.items():
                    self.set_values(made.id, values, data_state=data_state)
