"""What a BEMServer holds when it starts, as plain data, and a default that is hard on clients.

Ids follow from the order in a new database: the first campaign, scope, user, group and series each
have id 1. The same seed fills the real server and can fill a stand-in, so answers can be compared.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

Samples = tuple[tuple[float, float], ...]
"""Pairs of (instant in epoch seconds, value in the unit of the series)."""

DATA_STATES = {"Raw": 1, "Clean": 2}
"""The data states, with their ids, that a new BEMServer database has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who logs in; an admin sees everything, an inactive user nothing."""

    name: str
    email: str
    password: str
    admin: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign with its scopes; the name of a scope is unique in its campaign only."""

    name: str
    scopes: tuple[str, ...]
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Users (by email) who may read these (campaign, scope) pairs."""

    name: str
    members: tuple[str, ...]
    scopes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One timeseries; `samples` by the name of the data state."""

    name: str
    unit: str
    campaign: str
    scope: str
    description: str | None = None
    samples: dict[str, Samples] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """All of it; at least one user must be an admin, who adds samples later."""

    users: tuple[User, ...]
    campaigns: tuple[Campaign, ...]
    groups: tuple[Group, ...]
    series: tuple[Series, ...]

    def admin(self) -> User:
        """Return the first active admin; ValueError when there is none."""
        for user in self.users:
            if user.admin and user.active:
                return user
        raise ValueError("the seed has no active admin")

    def series_id(self, name: str) -> int:
        """Return the id that the series of this name gets; ValueError when it is unknown."""
        return [series.name for series in self.series].index(name) + 1


def instant(text: str) -> float:
    """Return the epoch seconds of an ISO 8601 text, read as UTC when it names no zone."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def hourly(start: str, end: str) -> Iterator[tuple[int, float]]:
    """Yield (number of the hour, epoch seconds) from `start` on, `end` left out."""
    first, last = instant(start), instant(end)
    for index in range(math.ceil((last - first) / 3600)):
        yield index, first + 3600 * index


def _around_both_dst_changes() -> Samples:
    spring = hourly("2026-03-27T00:00", "2026-04-01T00:00")
    autumn = hourly("2026-10-23T00:00", "2026-10-28T00:00")
    return tuple((at, 1 + index % 24 / 4) for hours in (spring, autumn) for index, at in hours)


def _with_a_gap() -> Samples:
    # Nothing from 03:00 to 20:59 UTC on 28 March, nothing at all on 30 March.
    missing = {*range(27, 45), *range(72, 96)}
    hours = hourly("2026-03-27T00:00", "2026-04-01T00:00")
    return tuple((at, 20 - index / 8) for index, at in hours if index not in missing)


def default_seed() -> Seed:
    """Return a plant in Paris around both clock changes of 2026, and one that is not ours."""
    return Seed(
        users=(
            User(name="Ada", email="ada@bem.test", password="ada-pw-1", admin=True),  # noqa: S106 - made up
            User(name="Bob", email="bob@bem.test", password="bob-pw-1"),  # noqa: S106 - made up
            User(name="Gone", email="gone@bem.test", password="gone-pw-1", active=False),  # noqa: S106 - made up
        ),
        campaigns=(
            Campaign(name="Paris plant", scopes=("Offices", "Roof"), timezone="Europe/Paris"),
            Campaign(name="Other plant", scopes=("Hall",)),
        ),
        groups=(
            Group(
                name="Readers",
                members=("bob@bem.test", "gone@bem.test"),
                scopes=(("Paris plant", "Offices"),),
            ),
            Group(name="Strangers", members=(), scopes=(("Other plant", "Hall"),)),
        ),
        series=_default_series(),
    )


def _default_series() -> tuple[Series, ...]:
    dst, may = _around_both_dst_changes(), instant("2026-05-01")
    clean = tuple((at, value * 2) for at, value in dst[:24])
    fractions = ((may + 0.25, 1.5), (may + 0.75, 2.5), (may + 1, 3.5))
    ours: list[tuple[str, str, dict[str, Samples]]] = [
        ("Elec main meter", "kWh", {"Raw": dst, "Clean": clean}),
        ("Temp with gap", "°C", {"Raw": _with_a_gap()}),
        ("Nothing yet", "m³", {}),
        ('Été, "100 %" / A&B + #1?', "", {"Raw": ((0.0, 1.0),)}),
        ("Fractions", "Wh", {"Raw": fractions}),
        ("Overflow", "W", {"Raw": ((may, math.inf), (may + 3600, 5.0))}),
        # Enough to fill a second page.
        *((f"Spare {number:02}", "ppm", {}) for number in range(1, 8)),
    ]
    noon = instant("2026-03-29T12:00")
    return (
        *(
            Series(
                name=name,
                unit=unit,
                campaign="Paris plant",
                scope="Offices",
                description="hourly, both clock changes" if samples.get("Raw") == dst else None,
                samples=samples,
            )
            for name, unit, samples in ours
        ),
        Series(name="Roof sun", unit="W/m²", campaign="Paris plant", scope="Roof"),
        Series(
            name="Foreign meter",
            unit="kWh",
            campaign="Other plant",
            scope="Hall",
            samples={"Raw": ((noon, 99.0),)},
        ),
    )
