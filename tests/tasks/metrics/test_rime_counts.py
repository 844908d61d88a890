"""From runs to the numbers of days: which run counts for what, on which day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.errors import UnexpectedResponse
from clients.rime import Run
from clients.rime_models import outcome
from tasks import days
from tasks.days import Window
from tasks.metrics.rime_counts import COUNTS, readings

HOUR = 3600.0
DAYS = (
    Window("20261119", 0.0, 24 * HOUR),
    Window("20261120", 24 * HOUR, 48 * HOUR),
    Window("20261121", 48 * HOUR, 72 * HOUR),
)
NOW = 60 * HOUR
METRICS = tuple(COUNTS)


def run(status: str = "completed", ended: float | None = 30 * HOUR, **more: object) -> Run:
    """A run of five minutes and seven rows that ended then."""
    facts = {
        "id": "r1",
        "rows": 7.0,
        "started": None if ended is None else ended - 300,
        "request_id": "req_1",
    }
    return Run(status=status, outcome=outcome(status), ended=ended, **(facts | more))


def values(metric: str, *runs: Run, windows=DAYS, now: float = NOW) -> list:
    """The metric's value of each day."""
    found = readings(metric, runs, windows, now=now)
    return [found[day.daystamp].value for day in windows]


@pytest.mark.parametrize(
    ("status", "rows", "succeeded", "failed", "minutes"),
    [
        ("completed", 7.0, 1.0, 0.0, 5.0),
        ("Succeeded", 7.0, 1.0, 0.0, 5.0),
        ("partially_failed", 7.0, 0.0, 0.0, 5.0),
        ("failed", 0.0, 0.0, 1.0, 5.0),
        ("timed-out", 0.0, 0.0, 1.0, 5.0),
        ("ERROR", 0.0, 0.0, 1.0, 5.0),
        ("cancelled", 0.0, 0.0, 0.0, 5.0),
        ("skipped", 0.0, 0.0, 0.0, 0.0),
        ("running", 0.0, 0.0, 0.0, 0.0),
        ("mystery", 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_what_counts_for_what(
    status: str, rows: float, succeeded: float, failed: float, minutes: float
) -> None:
    """Rows of runs that failed in part are loaded, those of failed ones not; skipped is none."""
    found = [values(metric, run(status))[1] for metric in METRICS]
    assert found == [rows, succeeded, failed, minutes]


@pytest.mark.parametrize("metric", METRICS)
def test_no_runs_are_a_zero(metric: str) -> None:
    """An empty list is an answer: nothing ran."""
    assert values(metric) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("metric", METRICS)
def test_days_may_come_in_any_order(metric: str) -> None:
    """Backwards or with a day left out, a day is what it is alone."""
    runs = [
        run(status, ended, id=f"{status} {ended}")
        for status in ("completed", "failed")
        for ended in (20 * HOUR, 30 * HOUR, 50 * HOUR)
    ]
    forwards = values(metric, *runs)
    assert 0.0 not in forwards
    assert values(metric, *runs, windows=DAYS[::-1]) == forwards[::-1]
    assert values(metric, *runs, windows=(DAYS[2], DAYS[0])) == [forwards[2], forwards[0]]
    assert [values(metric, *runs, windows=(day,))[0] for day in DAYS] == forwards


@pytest.mark.parametrize(
    ("ended", "day"),
    [
        (24 * HOUR - 0.001, 0),
        (24 * HOUR, 1),
        (48 * HOUR - 0.001, 1),
        (48 * HOUR, 2),
    ],
)
@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_run_belongs_to_the_day_of_its_end(ended: float, day: int, status: str) -> None:
    """Whole, however long before it started, and to one day only."""
    metrics = ("rows_extracted", "runs_succeeded") if status == "completed" else ("runs_failed",)
    for metric in (*metrics, "run_minutes"):
        found = values(metric, run(status, ended, started=ended - 600 * 60))
        assert [bool(value) for value in found] == [number == day for number in range(3)]
    assert values("run_minutes", run(status, ended, started=ended - 36000))[day] == 600.0


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/St_Johns", "UTC"])
@pytest.mark.parametrize("deadline", [-3600, 0, 3 * 3600 + 90])
@given(ends=st.lists(st.integers(1_795_000_000, 1_795_600_000).map(float), max_size=30))
def test_days_of_people_tile_the_runs(zone: str, deadline: int, ends: list) -> None:
    """In any zone and with any deadline each run counts on exactly the day of its end."""
    tz = days.zone(zone)
    first, last = (days.parse(days.day_of(at, tz, deadline)) for at in (1.795e9, 1.7956e9))
    windows = days.windows(first, last, tz, deadline)
    runs = [run(ended=at, id=str(number)) for number, at in enumerate(ends)]
    found = readings("runs_succeeded", runs, windows, now=1.8e9)
    assert sum(reading.value for reading in found.values()) == len(ends)
    for at in set(ends):
        alone = readings("runs_succeeded", [run(ended=at)], windows, now=1.8e9)
        assert alone[days.day_of(at, tz, deadline)].value == 1.0


def wrong(metric: str, *runs: Run, **more: object) -> UnexpectedResponse:
    """The error that a metric ends in."""
    with pytest.raises(UnexpectedResponse) as caught:
        values(metric, *runs, **more)
    return caught.value


@pytest.mark.parametrize("metric", METRICS)
def test_an_end_that_is_missing_is_no_zero(metric: str) -> None:
    """A run that is over and has no end is an error that names field, run and request."""
    status = "failed" if metric == "runs_failed" else "completed"
    lost = run(status, None, started=25 * HOUR, wrong={"ended": "field completed_at is missing"})
    error = wrong(metric, run(), lost)
    assert "run r1" in str(error)
    assert "completed_at is missing" in str(error)
    assert "`ended_pointer`" in str(error)
    assert error.request_id == "req_1"


@pytest.mark.parametrize("metric", METRICS)
def test_an_end_that_can_not_matter(metric: str) -> None:
    """Of a run that started after the days, of one that is not counted, of one that goes on."""
    later = run("failed", None, started=72 * HOUR)
    skipped = run("skipped", None, started=25 * HOUR)
    going = run("running", None, started=25 * HOUR)
    never = run("cancelled", None, wrong={"started": "field started_at is missing"})
    assert values(metric, later, skipped, going, never) == [0.0, 0.0, 0.0]


def test_rows_that_are_missing_are_no_zero() -> None:
    """Of a run that counts, on a day that is asked for; only rows need them."""
    bare = run(rows=None, wrong={"rows": "field total_rows is missing"})
    assert "total_rows is missing" in str(wrong("rows_extracted", bare))
    assert "partially" in str(wrong("rows_extracted", run("partially_failed", rows=None)))
    assert values("runs_succeeded", bare) == [0.0, 1.0, 0.0]
    old = run(ended=-HOUR, rows=None)
    failed = run("failed", rows=None, id="r2")
    assert values("rows_extracted", old, failed) == [0.0, 0.0, 0.0]


def test_minutes_need_both_ends() -> None:
    """A start that is missing or after the end is an error; one run of no time is no minute."""
    error = wrong(
        "run_minutes", run(started=None, wrong={"started": "field started_at is missing"})
    )
    assert "`started_pointer`" in str(error)
    assert "before it starts" in str(wrong("run_minutes", run(started=31 * HOUR)))
    assert values("run_minutes", run(started=30 * HOUR)) == [0.0, 0.0, 0.0]
    assert values("run_minutes", run(), run(started=30 * HOUR - 90)) == [0.0, 6.5, 0.0]


def test_an_end_in_the_future_is_a_wrong_zone() -> None:
    """Times without a zone that are read in another one are told, and no day is wrong."""
    assert "`times_zone`" in str(wrong("runs_succeeded", run(ended=NOW + 3601)))
    assert values("runs_succeeded", run(ended=NOW + 3600)) == [0.0, 0.0, 1.0]


def test_a_status_that_nobody_knows_is_noted() -> None:
    """It is not counted, and the day says so."""
    odd = [run("mystery"), run("mystery", id="r2"), run("half_done", id="r3")]
    found = readings("runs_succeeded", [run(), *odd], DAYS, now=NOW)
    assert found["20261120"].value == 1.0
    assert "1 with 'half_done', 2 with 'mystery'" in (found["20261120"].note or "")
    assert found["20261119"].note is None


def test_units() -> None:
    """What the numbers are, for comments of datapoints."""
    units = [readings(metric, [], DAYS, now=NOW)["20261120"].unit for metric in METRICS]
    assert units == ["rows", "runs", "runs", "minutes"]
