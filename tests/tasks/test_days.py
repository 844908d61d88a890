"""Days tile time: every instant belongs to exactly one, in every zone and with every deadline."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import beeminder_days
from tasks import days

ZONES = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Pacific/Apia",  # skipped 2011-12-30
    "America/St_Johns",  # changed at 00:01 until 2011, half hours
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour of DST
    "Africa/Casablanca",  # back for Ramadan
    "Antarctica/Troll",  # two hours of DST
    "America/Sao_Paulo",  # sprang forward at midnight until 2018
    "Asia/Beirut",
    "America/Havana",  # falls back across midnight
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
deadlines = st.integers(-17 * 60, 6 * 60).map(lambda minutes: minutes * 60)
instants = st.floats(
    datetime(2008, 1, 1, tzinfo=UTC).timestamp(), datetime(2032, 1, 1, tzinfo=UTC).timestamp()
)
dates = st.dates(date(2008, 1, 1), date(2031, 12, 31))


@settings(max_examples=400, deadline=None)
@given(instant=instants, zone=zones, deadline=deadlines)
def test_an_instant_is_in_the_window_of_its_day_and_in_no_other(
    instant: float, zone: ZoneInfo, deadline: int
) -> None:
    """The day of an instant is the one, and the only one, whose bounds hold it."""
    stamp = days.day_of(instant, zone, deadline)
    day = days.parse(stamp)
    around = days.windows(day - timedelta(days=3), day + timedelta(days=3), zone, deadline)

    holding = [found.daystamp for found in around if found.starts_at <= instant < found.ends_at]

    assert holding == [stamp]


@settings(max_examples=200, deadline=None)
@given(first=dates, count=st.integers(1, 30), zone=zones, deadline=deadlines)
def test_days_lie_end_to_end(first: date, count: int, zone: ZoneInfo, deadline: int) -> None:
    """No gap and no overlap; a day has 21 to 27 hours, or none where a zone skipped it."""
    found = days.windows(first, first + timedelta(days=count - 1), zone, deadline)

    assert len(found) == count
    for one, next_one in itertools.pairwise(found):
        assert one.ends_at == next_one.starts_at
        assert one.daystamp < next_one.daystamp
    for one in found:
        assert one.ends_at - one.starts_at == 0 or 21 <= (one.ends_at - one.starts_at) / 3600 <= 27


@settings(max_examples=200, deadline=None)
@given(instant=instants.map(int), zone=st.sampled_from(("UTC", "Asia/Kathmandu", "Asia/Tokyo")))
def test_the_rule_in_words(instant: int, zone: str) -> None:
    """Without DST the day is the local date of (instant - deadline)."""
    for deadline in (days.EARLIEST_DEADLINE, -1, 0, 1, days.LATEST_DEADLINE):
        local = datetime.fromtimestamp(instant - deadline, ZoneInfo(zone))
        assert days.day_of(instant, ZoneInfo(zone), deadline) == local.strftime("%Y%m%d")


@settings(max_examples=200, deadline=None)
@given(instant=instants.map(int), zone=st.sampled_from(ZONES), deadline=deadlines)
def test_the_simulated_beeminder_agrees_away_from_changes_of_the_clock(
    instant: int, zone: str, deadline: int
) -> None:
    """Written twice by different people, the rule gives the same day (hours of a change aside)."""
    tz = ZoneInfo(zone)
    day = days.window(days.parse(days.day_of(instant, tz, deadline)), tz, deadline)
    if day.ends_at - day.starts_at != 86400:
        return
    if min(instant - day.starts_at, day.ends_at - instant) < 3 * 3600:
        return

    assert beeminder_days.daystamp_of(instant, zone=zone, deadline=deadline) == day.daystamp


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", "20260329", 23),
        ("Europe/Paris", "20261025", 25),
        ("Australia/Lord_Howe", "20261004", 23.5),
        ("Antarctica/Troll", "20260329", 22),
        ("Pacific/Apia", "20111230", 0),
        ("Pacific/Apia", "20111229", 24),
        ("America/Sao_Paulo", "20181104", 23),
        ("America/Havana", "20261101", 25),
        ("Asia/Kathmandu", "20260329", 24),
    ],
)
def test_days_of_odd_lengths(zone: str, day: str, hours: float) -> None:
    """Days around a change last as long as the zone's clock says."""
    found = days.window(days.parse(day), ZoneInfo(zone), 0)

    assert (found.ends_at - found.starts_at) / 3600 == hours


def test_a_deadline_after_midnight_lets_the_night_count_for_the_day_before() -> None:
    """With a deadline of 3 am, 2 am still counts for yesterday; with -3 h, 10 pm for tomorrow."""
    two = datetime(2026, 11, 20, 2, tzinfo=UTC).timestamp()
    ten = datetime(2026, 11, 20, 22, tzinfo=UTC).timestamp()

    assert days.day_of(two, ZoneInfo("UTC"), 3 * 3600) == "20261119"
    assert days.day_of(ten, ZoneInfo("UTC"), -3 * 3600) == "20261121"


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe/ Paris"])
def test_a_zone_that_nobody_knows_is_our_error(name: str) -> None:
    """Whatever the name: one error of ours that quotes it."""
    with pytest.raises(days.UnknownZoneError) as caught:
        days.zone(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("text", ["2026-11-20", "20261320", "", "today"])
def test_only_daystamps_are_parsed(text: str) -> None:
    """YYYYMMDD or a ValueError."""
    with pytest.raises(ValueError, match=r"no daystamp|no date"):
        days.parse(text)
