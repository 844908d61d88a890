"""Buckets of the simulated BEMServer: the clock's for one unit, the known trouble for several."""

from zoneinfo import ZoneInfo

import pytest

from simulators import bemserver_buckets as buckets
from simulators.bemserver_state import microseconds

UTC, PARIS, DELHI = ZoneInfo("UTC"), ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kolkata")


def _at(*texts):
    return [microseconds(text) for text in texts]


def _hourly(start, hours, value=1.0):
    first = microseconds(start)
    return [(first + hour * 3_600_000_000, value) for hour in range(hours)]


def _multiplied(start, end, columns, width, function="sum", zone=UTC):
    edges = buckets.grid(*_at(start, end), unit="hour", zone=zone, width=width)
    found = buckets.multiplied(edges, columns, function, unit="hour", width=width, zone=zone)
    return [list(row.values()) for row in found]


@pytest.mark.parametrize(
    ("unit", "zone", "start"),
    [
        ("hour", DELHI, "2026-03-29T10:00+05:30"),
        ("day", PARIS, "2026-03-29T00:00+01:00"),
        ("week", PARIS, "2026-03-23T00:00+01:00"),
        ("month", PARIS, "2026-03-01T00:00+01:00"),
        ("year", UTC, "2026-01-01T00:00+00:00"),
    ],
)
def test_a_bucket_starts_by_the_local_clock(unit, zone, start):
    """Half-hour zones, Mondays, and days that begin before a change of the clock."""
    instant = microseconds("2026-03-29T04:45Z")
    assert buckets.floor(instant, unit=unit, zone=zone) == microseconds(start)


def test_a_grid_is_widened_to_whole_buckets():
    """The days that touch the range, 23 hours long in spring."""
    edges = buckets.grid(*_at("2026-03-29T05:00Z", "2026-03-29T06:00Z"), unit="day", zone=PARIS)
    assert edges == _at("2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00")
    assert edges[1] - edges[0] == 23 * 3_600_000_000


def test_an_average_of_several_hours_is_the_mean_of_their_means():
    """2.25 where all samples together give 2.0, as was seen."""
    crowded = [(microseconds(f"2026-01-01T00:{minute:02}Z"), 1.5) for minute in (0, 20, 40)]
    points = [*crowded, (microseconds("2026-01-01T01:00Z"), 3.0)]
    day = ("2026-01-01T00:00Z", "2026-01-01T02:00Z")
    assert _multiplied(*day, [points], 2, "avg") == [[2.25]]


def test_widths_that_do_not_divide_a_day_find_nothing():
    """72 good hours come out as null, or as a count of 0."""
    day = ("2026-01-01T00:00Z", "2026-01-02T00:00Z")
    points = _hourly("2026-01-01T00:00Z", 72)
    assert set(_multiplied(*day, [points], 5)[0]) == {None}
    assert set(_multiplied(*day, [points], 5, "count")[0]) == {0}


def test_two_day_buckets_depend_on_the_day_of_the_first_sample_of_any_series():
    """Right from a grid day on, null from the day after, and a second series spoils the first."""
    span = ("2026-01-01T00:00Z", "2026-01-09T00:00Z")
    on_grid, beside = _hourly("2026-01-03T00:00Z", 96), _hourly("2026-01-05T00:00Z", 1)
    assert _multiplied(*span, [on_grid], 48)[0] == [None, 48.0, 48.0, None]
    assert _multiplied(*span, [on_grid, beside], 48)[0] == [None, 48.0, 48.0, None]
    a_day_later = _hourly("2026-01-04T00:00Z", 96)
    assert set(_multiplied(*span, [a_day_later], 48)[0]) == {None}
    earlier = _hourly("2026-01-02T00:00Z", 1)
    assert set(_multiplied(*span, [on_grid, earlier], 48)[0]) == {None}


def test_the_sum_over_a_hole_is_zero_inside_and_null_outside():
    """One unit says null in both places."""
    points = [*_hourly("2026-01-01T04:00Z", 2), *_hourly("2026-01-01T10:00Z", 2)]
    day = ("2026-01-01T00:00Z", "2026-01-01T16:00Z")
    assert _multiplied(*day, [points], 2)[0] == [None, None, 2.0, 0.0, 0.0, 2.0, None, None]
    edges = buckets.grid(*_at(*day), unit="hour", zone=UTC)
    single = buckets.buckets(edges, points, "sum")
    assert list(single.values()).count(None) == 12


def test_six_hours_across_a_clock_change_are_lost_when_data_start_after_it():
    """The grid drifts by an hour, the data do not."""
    span = ("2026-03-28T00:00+01:00", "2026-03-31T00:00+02:00")
    points = _hourly("2026-03-30T00:00+02:00", 24)
    assert set(_multiplied(*span, [points], 6, zone=PARIS)[0]) == {None}
