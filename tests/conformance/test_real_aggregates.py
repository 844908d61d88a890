"""What our client assumes about buckets of width 1, asked of the real BEMServer."""

import statistics
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

ELEC, GAP, EMPTY = 1, 2, 3
PARIS = "Europe/Paris"
MARCH = {"start_time": "2026-03-27T00:00:00Z", "end_time": "2026-04-01T00:00:00Z"}
FUNCTIONS = {
    "sum": sum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "count": len,
}


@pytest.fixture
def aggregate(bem, http, bob):
    def aggregate(timeseries, unit, function, path="/timeseries_data/aggregate", **query):
        query = {
            "timeseries": timeseries,
            "data_state": 1,
            "bucket_width_value": 1,
            "bucket_width_unit": unit,
            "aggregation": function,
            **query,
        }
        return http.get(bem.url + path, params=query, headers=bob)

    return aggregate


def samples(bem, series, first, end):
    low, high = first.timestamp(), end.timestamp()
    stored = bem.seed.series[series - 1].samples.get("Raw", ())
    return [value for at, value in stored if low <= at < high]


def step(day, unit):
    """Return the start of the next bucket, in wall-clock time of the same zone."""
    if unit == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    if unit == "year":
        return day.replace(year=day.year + 1)
    return day + timedelta(days=7 if unit == "week" else 1)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("first", "end"), [("2026-03-27", "2026-03-31"), ("2026-10-23", "2026-10-28")]
)
def test_days_of_paris_around_the_clock_changes(bem, aggregate, function, first, end):
    """A day of 23 or 25 hours is one bucket that holds exactly its own samples."""
    zone = ZoneInfo(PARIS)
    day, last = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (first, end))
    span = {"start_time": day.isoformat(), "end_time": last.isoformat()}
    expected = {}
    while day < last:
        values = samples(bem, ELEC, day, day + timedelta(days=1))
        expected[day.isoformat()] = pytest.approx(FUNCTIONS[function](values))
        day += timedelta(days=1)
    assert aggregate(ELEC, "day", function, timezone=PARIS, **span).json() == {"1": expected}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("unit", ["hour", "day", "week", "month", "year"])
def test_each_unit_and_function(bem, aggregate, unit, function):
    """Buckets of width 1 hold what is in them, start on their unit, and cover the range."""
    answer = aggregate(ELEC, unit, function, timezone=PARIS, **MARCH).json()["1"]
    starts = [datetime.fromisoformat(stamp) for stamp in answer]
    assert starts[0].timestamp() <= datetime.fromisoformat(MARCH["start_time"]).timestamp()
    assert starts == sorted(starts)
    for start, got in zip(starts, answer.values(), strict=True):
        local = start.astimezone(ZoneInfo(PARIS))
        end = start + timedelta(hours=1) if unit == "hour" else step(local, unit)
        values = samples(bem, ELEC, start, end)
        nothing = 0 if function == "count" else None
        assert got == (pytest.approx(FUNCTIONS[function](values)) if values else nothing)


@pytest.mark.parametrize(("function", "nothing"), [("sum", None), ("avg", None), ("count", 0)])
def test_a_day_without_samples_is_listed(aggregate, function, nothing):
    """No samples is null and never 0; only a count is 0. A series without any is present too."""
    span = {"start_time": "2026-03-30T00:00:00Z", "end_time": "2026-03-31T00:00:00Z"}
    answer = aggregate([GAP, EMPTY], "day", function, **span)
    day = {"2026-03-30T00:00:00+00:00": nothing}
    assert answer.json() == {"2": day, "3": day}


def test_the_range_is_widened_to_whole_buckets(aggregate):
    """The edge buckets hold samples from outside of the asked range."""
    span = {"start_time": "2026-03-28T10:00:00Z", "end_time": "2026-03-28T11:00:00Z"}
    answer = aggregate(ELEC, "day", "count", **span)
    assert answer.json() == {"1": {"2026-03-28T00:00:00+00:00": 24}}


def test_the_second_two_oclock_is_a_bucket_of_its_own(aggregate):
    """In the night of 25 hours the two hours at 02:00 are told apart by their offset."""
    span = {"start_time": "2026-10-25T00:00:00Z", "end_time": "2026-10-25T02:00:00Z"}
    answer = aggregate(ELEC, "hour", "count", timezone=PARIS, **span)
    assert answer.json() == {"1": {"2026-10-25T02:00:00+02:00": 1, "2026-10-25T02:00:00+01:00": 1}}


@pytest.mark.parametrize("zone", ["US/Pacific", "Asia/Calcutta", "Europe/Kiev"])
def test_aliases_of_zones_are_refused(aggregate, zone):
    """The server's own list of zones lacks aliases and newer names: a person's zone may be 422."""
    assert aggregate(ELEC, "day", "count", timezone=zone, **MARCH).status_code == 422


def test_days_of_an_abbreviated_zone_are_lost(aggregate):
    """Fault of the server: in summer the days of CET are told empty, though samples are there."""
    span = {"start_time": "2026-03-30T00:00:00+02:00", "end_time": "2026-04-01T00:00:00+02:00"}
    days = {"2026-03-30T00:00:00+02:00": 0, "2026-03-31T00:00:00+02:00": 0}
    assert aggregate(ELEC, "day", "count", timezone="CET", **span).json() == {"1": days}
    hours = aggregate(ELEC, "hour", "count", timezone="CET", **span).json()["1"]
    assert list(hours.values()) == [1] * 48


def test_days_of_a_zone_whose_midnight_is_skipped(aggregate):
    """Fault of the server: 500, or a day told empty, where the clock change leaves midnight out."""
    span = {"end_time": "2026-03-31T00:00:00Z", "timezone": "Atlantic/Azores"}
    before = aggregate(ELEC, "day", "count", start_time="2026-03-28T06:00:00Z", **span)
    assert before.status_code == 500
    within = aggregate(ELEC, "day", "count", start_time="2026-03-29T06:00:00Z", **span)
    assert within.json() == {"1": {"2026-03-29T01:00:00+00:00": 23, "2026-03-30T01:00:00+00:00": 0}}
    hours = aggregate(ELEC, "hour", "count", start_time="2026-03-28T06:00:00Z", **span)
    assert set(hours.json()["1"].values()) == {1}


def test_hours_of_a_zone_that_moves_by_half_an_hour(aggregate, bem):
    """Fault of the server: after such a clock change most hours are told empty, but not in UTC."""
    spare = bem.seed.series_id("Spare 03")
    start = datetime.fromisoformat("2026-04-04T12:00Z").timestamp()
    bem.add_samples(spare, [(start + 3600 * number, 1.0) for number in range(24)])
    span = {"start_time": "2026-04-04T12:00:00Z", "end_time": "2026-04-05T12:00:00Z"}
    counted = {
        zone: sum(
            aggregate(spare, "hour", "count", timezone=zone, **span).json()[str(spare)].values()
        )
        for zone in ("Australia/Lord_Howe", "UTC")
    }
    bem.delete_samples(spare, start=start, end=start + 86400)
    assert counted == {"Australia/Lord_Howe": 3, "UTC": 24}


def test_buckets_by_name(aggregate):
    """By name the same answer is keyed by the name."""
    span = {"start_time": "2026-03-28T00:00:00Z", "end_time": "2026-03-29T00:00:00Z"}
    path = "/timeseries_data/campaign/1/aggregate"
    answer = aggregate("Temp with gap", "day", "count", path=path, **span)
    assert answer.json() == {"Temp with gap": {"2026-03-28T00:00:00+00:00": 6}}


def test_converted_buckets(aggregate):
    """`convert_to` scales what was aggregated."""
    span = {"start_time": "2026-03-27T00:00:00Z", "end_time": "2026-03-28T00:00:00Z"}
    plain = aggregate(ELEC, "day", "sum", **span).json()["1"]["2026-03-27T00:00:00+00:00"]
    scaled = aggregate(ELEC, "day", "sum", convert_to="Wh", **span).json()["1"]
    assert scaled == {"2026-03-27T00:00:00+00:00": pytest.approx(plain * 1000)}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"bucket_width_unit": "fortnight"}, 422),
        ({"bucket_width_value": 0}, 422),
        ({"aggregation": "last"}, 422),
        ({"bucket_width_unit": "day", "bucket_width_value": 2}, 422),
        ({"timeseries": 15}, 403),
        ({"convert_to": "°C"}, 500),
    ],
)
def test_what_cannot_be_aggregated_is_refused(aggregate, query, status):
    """A malformed question is 422, a foreign series 403; a unit that does not fit is a 500."""
    answer = aggregate(**{"timeseries": ELEC, "unit": "day", "function": "sum", **MARCH, **query})
    assert answer.status_code == status
