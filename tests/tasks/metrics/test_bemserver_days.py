"""From samples or hours to a day's number: both ways give the same."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.days import Window
from tasks.metrics import bemserver_days as days

HOUR = 3600
DAYS = (
    Window("20261119", 0.0, 23 * HOUR),
    Window("20261120", 23 * HOUR, 47 * HOUR),
    Window("20261121", 47 * HOUR, 72 * HOUR),
)
samples = st.lists(
    st.tuples(
        st.integers(0, 72 * HOUR - 1).map(float),
        st.floats(-1e6, 1e6).map(lambda value: round(value, 3)),
    ),
    max_size=60,
    unique_by=lambda sample: sample[0],
).map(sorted)


def hours_of(name: str, found: list, until: float) -> list:
    """What a server answers: hours of width one, null (0 when counting) for an empty one."""
    buckets = []
    for start in range(0, int(until), HOUR):
        values = [value for at, value in found if start <= at < start + HOUR]
        if name == "count":
            buckets.append((float(start), float(len(values))))
        elif not values:
            buckets.append((float(start), None))
        else:
            made = {"sum": math.fsum, "min": min, "max": max}[name](values)
            buckets.append((float(start), made))
    return buckets


@pytest.mark.parametrize("aggregation", ["sum", "avg", "min", "max", "count"])
@given(found=samples, now=st.integers(0, 80 * HOUR).map(float))
def test_hours_give_what_samples_give(aggregation: str, found: list, now: float) -> None:
    """On days of full hours, at any moment, with forecasts in the series: the same number."""
    begun = now // HOUR * HOUR
    names = ("sum", "count") if aggregation == "avg" else (aggregation,)
    latest = [(at, value) for at, value in found if at >= begun]
    hours = {
        name: days.with_samples(name, hours_of(name, found, min(begun, 72 * HOUR)), latest)
        for name in names
    }

    by_hours = days.of_hours(aggregation, DAYS, hours, now)
    by_samples = days.of_samples(aggregation, DAYS, found, now)

    assert by_hours.keys() == by_samples.keys()
    for stamp, value in by_samples.items():
        assert by_hours[stamp] == (value if value is None else pytest.approx(value, abs=1e-6))


@pytest.mark.parametrize("aggregation", ["sum", "avg", "min", "max", "count", "last"])
def test_a_day_without_samples_is_nothing_and_no_zero(aggregation: str) -> None:
    """A missing measurement is None."""
    assert set(days.of_samples(aggregation, DAYS, [], 72 * HOUR).values()) == {None}


@given(found=samples, now=st.floats(0, 80 * HOUR))
def test_forecasts_do_not_count(found: list, now: float) -> None:
    """What lies after now changes nothing."""
    past = [(at, value) for at, value in found if at <= now]
    for aggregation in ("sum", "last", "count"):
        assert days.of_samples(aggregation, DAYS, found, now) == days.of_samples(
            aggregation, DAYS, past, now
        )


def test_the_bounds_of_a_day() -> None:
    """The first instant belongs to it, the last one to the next."""
    day = DAYS[1]
    assert days.counts(day.starts_at, day, 1e9)
    assert not days.counts(day.ends_at, day, 1e9)
    assert days.counts(day.starts_at, day, day.starts_at)
    assert not days.counts(day.starts_at + 1, day, day.starts_at)


def test_the_last_sample_of_a_day_is_its_last() -> None:
    """In the order in which the server gave them."""
    found = [(1.0, 5.0), (2.0, 4.0), (23 * HOUR + 1.0, 9.0)]
    assert days.of_samples("last", DAYS[:2], found, 1e9) == {"20261119": 4.0, "20261120": 9.0}
