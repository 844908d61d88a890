"""The default seed really holds what makes it hard on clients."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from simulators import bemserver_seed


def hours_of(name, day):
    seed = bemserver_seed.default_seed()
    zone = ZoneInfo("Europe/Paris")
    samples = seed.series[seed.series_id(name) - 1].samples["Raw"]
    days = [datetime.fromtimestamp(at, tz=zone).date().isoformat() for at, _ in samples]
    return days.count(day)


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Elec main meter", "2026-03-29", 23),
        ("Elec main meter", "2026-10-25", 25),
        ("Temp with gap", "2026-03-28", 6),
        ("Temp with gap", "2026-03-30", 2),
    ],
)
def test_days_of_paris(name, day, hours):
    """The clock changes make days of 23 and 25 hours, and the gap takes hours away."""
    assert hours_of(name, day) == hours


def test_ids_follow_the_order():
    """A series has its place in the seed as id; an unknown name is an error."""
    seed = bemserver_seed.default_seed()
    assert seed.series_id("Elec main meter") == 1
    assert seed.series_id("Foreign meter") == len(seed.series)
    with pytest.raises(ValueError, match="No such"):
        seed.series_id("No such")


def test_the_admin_is_active():
    """The admin who adds samples is one who can log in; without any it is an error."""
    seed = bemserver_seed.default_seed()
    assert seed.admin().email == "ada@bem.test"
    nobody = bemserver_seed.Seed(users=seed.users[1:], campaigns=(), groups=(), series=())
    with pytest.raises(ValueError, match="no active admin"):
        nobody.admin()


def test_something_is_infinite_and_something_empty():
    """The seed has a value that is no JSON number and a series without any."""
    seed = bemserver_seed.default_seed()
    values = [value for series in seed.series for _, value in series.samples.get("Raw", ())]
    assert math.inf in values
    assert any(not series.samples for series in seed.series)


def test_instants_without_zone_are_utc():
    """An instant reads as UTC unless it names another offset."""
    assert bemserver_seed.instant("1970-01-01T01:00") == 3600
    assert bemserver_seed.instant("1970-01-01T01:00+01:00") == 0
