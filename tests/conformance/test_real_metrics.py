"""What is counted at the real BEMServer, day by day, against the samples that it holds."""

import statistics
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clients import bemserver
from tasks import days
from tasks.knowledge import Knowledge
from tasks.metrics import bemserver as metrics
from tasks.notebook import MemoryNotebook
from tasks.providers import Request

FUNCTIONS = {
    "sum": sum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "count": len,
    "last": lambda values: values[-1],
}
LATER = datetime.fromisoformat("2027-01-01T00:00Z").timestamp()


@pytest.fixture
def read(bem, http):
    class Tokens:
        def access(self):
            return bem.token("bob@bem.test")

        def renew(self, rejected):
            raise AssertionError(f"{rejected[:8]} was refused")

    client = bemserver.BemserverClient(http=http, base_url=bem.url, tokens=Tokens())

    def read(requests, notebook=None):
        knowledge = Knowledge(notebook or MemoryNotebook(), time.time)
        return metrics.Reader(client, knowledge).read(requests)

    return read


def windows(first, count, zone, deadline=0):
    start = date.fromisoformat(first)
    return tuple(days.windows(start, start + timedelta(days=count - 1), ZoneInfo(zone), deadline))


def ask(key, windows, **params):
    params = metrics.Params(data_state="Raw", **params)
    return Request(key=key, metric="timeseries_aggregate", params=params, days=windows, now=LATER)


@pytest.mark.parametrize("aggregation", FUNCTIONS)
@pytest.mark.parametrize(
    ("first", "zone", "deadline"),
    [
        ("2026-03-28", "Europe/Paris", 0),
        ("2026-10-24", "Europe/Paris", 3 * 3600),
        ("2026-03-28", "Europe/Paris", 90),
        ("2026-03-28", "Asia/Kolkata", 0),
        ("2026-03-28", "CET", 0),
        ("2026-03-28", "Atlantic/Azores", 0),
        ("2026-03-28", "US/Pacific", -3600),
    ],
)
def test_days_hold_their_own_samples(bem, read, aggregation, first, zone, deadline):
    """In every zone a day's value is made of exactly the samples in it, clock change or not."""
    asked = windows(first, 3, zone, deadline)
    (answer,) = read([ask(7, asked, timeseries=1, aggregation=aggregation)]).values()
    stored = bem.seed.series[0].samples["Raw"]
    for day in asked:
        values = [value for at, value in stored if day.starts_at <= at < day.ends_at]
        expected = FUNCTIONS[aggregation](values) if values else None
        assert answer[day.daystamp].value == pytest.approx(expected)


def test_a_day_without_samples_is_no_zero(read):
    """Nothing measured is None, beside a series by name that has something."""
    asked = windows("2026-03-30", 1, "UTC")
    answers = read(
        [
            ask(1, asked, timeseries="Temp with gap", campaign="Paris plant"),
            ask(2, asked, timeseries="Elec main meter", campaign=1),
        ]
    )
    assert answers[1]["20260330"].value is None
    assert answers[2]["20260330"].value == pytest.approx(93.0)


def test_one_bad_feed_does_not_harm_its_neighbours(read):
    """Foreign and unknown series get their own errors; the others are read."""
    asked = windows("2026-03-28", 1, "UTC")
    answers = read([ask(series, asked, timeseries=series) for series in (1, 15, 999)])
    assert answers[1]["20260328"].value == pytest.approx(93.0)
    assert (answers[15].reason, answers[999].reason) == ("forbidden", "not_found")


@pytest.mark.parametrize("old", [{"id": 999, "unit": ""}, {"id": 15, "unit": ""}, 999])
def test_what_is_remembered_and_true_no_more_is_refused(read, old):
    """A series that is gone or a stranger's, or a state that is gone: asked what is meant now."""

    class Old(MemoryNotebook):
        def learned(self, names):
            found = super().learned(names).items()
            return {
                name: replace(fact, value=old) if type(fact.value) is type(old) else fact
                for name, fact in found
            }

    notebook = Old()
    asked = [
        ask(1, windows("2026-03-30", 1, "UTC"), timeseries="Elec main meter", campaign=1),
        ask(2, windows("2026-03-30", 1, "UTC"), timeseries=1),
    ]
    for _ in range(2):
        answers = read(asked, notebook)
        values = [answers[key]["20260330"].value for key in (1, 2)]
        assert values == [pytest.approx(93.0)] * 2


@pytest.mark.parametrize("aggregation", ["avg", "min", "max", "last", "sum"])
@pytest.mark.parametrize("deadline", [0, 90])
def test_converted_degrees(bem, read, aggregation, deadline):
    """Each sample is converted before it is counted: a unit with an offset shows who does not."""
    start = datetime.fromisoformat("2026-06-01T00:00Z").timestamp()
    celsius = [(start + 90 + 1200 * number, 10.0 + number) for number in range(60)]
    bem.add_samples(2, celsius)
    asked = windows("2026-06-01", 1, "UTC", deadline)
    params = {"timeseries": 2, "aggregation": aggregation, "convert_to": "°F"}
    (answer,) = read([ask(7, asked, **params)]).values()
    fahrenheit = [value * 1.8 + 32 for _, value in celsius]
    bem.delete_samples(2, start=start, end=start + 86400)
    assert answer["20260601"].value == pytest.approx(FUNCTIONS[aggregation](fahrenheit))
