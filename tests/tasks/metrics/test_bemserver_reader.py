"""Reading a (simulated) BEMServer: by id and by name, hours and samples, odd values."""

import pytest

from clients.errors import NotFound
from db.models import Source
from tasks import connecting, days
from tasks.metrics.bemserver import Params
from tasks.providers import Answer, Looks, Request
from tests.tasks.scenes import all_rows
from tests.world import DAY, NOON, World

HOURS_AND_NOT = [0, 90]  # deadlines: with the second one days end within an hour


def ask(world: World, *, deadline: int = 0, now: float = NOON, **params: object) -> Answer:
    """What the reader says of yesterday and today."""
    utc = days.zone("UTC")
    last = days.parse(days.day_of(now, utc, deadline))
    first = days.parse(days.day_of(now - DAY, utc, deadline))
    facts = {"timeseries": world.series} | params
    request = Request(
        key=1,
        metric="timeseries_aggregate",
        params=Params(**facts),
        days=tuple(days.windows(first, last, utc, deadline)),
        now=now,
    )
    (source,) = all_rows(world, Source)
    return connecting.connect(world.runtime(), source).read([request])[1]


def values(answer: Answer) -> list[float | None]:
    """The values in the order of the days."""
    assert not isinstance(answer, Exception), answer
    return [reading.value for reading in answer.values()]


@pytest.mark.parametrize("deadline", HOURS_AND_NOT)
@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("sum", [7.0, 2.5]),
        ("avg", [7.0, 1.25]),
        ("min", [7.0, 0.5]),
        ("max", [7.0, 2.0]),
        ("count", [1.0, 2.0]),
        ("last", [7.0, 0.5]),
    ],
)
def test_every_aggregation(
    world: World, aggregation: str, expected: list[float], deadline: int
) -> None:
    """The same numbers from hours as from samples."""
    assert values(ask(world, aggregation=aggregation, deadline=deadline)) == expected


@pytest.mark.parametrize("deadline", HOURS_AND_NOT)
def test_forecasts_are_left_out(world: World, deadline: int) -> None:
    """Samples of later today, also of the hour that has begun, are not what happened."""
    now = NOON + 1800
    world.measure(world.series, {now - 60: 1.0, now + 60: 100.0, now + 7200: 100.0})
    assert values(ask(world, now=now, deadline=deadline)) == [7.0, 3.5]


def test_a_series_by_name(world: World) -> None:
    """In the campaign of that name or number; an unknown one says which there are."""
    named = {"timeseries": "Main meter"}
    assert values(ask(world, **named, campaign="Home")) == [7.0, 2.5]
    assert values(ask(world, **named, campaign=1)) == [7.0, 2.5]
    wrong = ask(world, **named, campaign="Hom")
    assert isinstance(wrong, NotFound)
    assert "Home" in str(wrong)
    assert isinstance(ask(world, timeseries="Main", campaign="Home"), NotFound)


@pytest.mark.parametrize("deadline", HOURS_AND_NOT)
def test_days_may_come_in_any_order(world: World, deadline: int) -> None:
    """The span of a request is that of all its days, not from its first to its last."""
    utc = days.zone("UTC")
    last = days.parse(days.day_of(NOON, utc, deadline))
    asked = tuple(days.windows(last - days.ONE_DAY, last, utc, deadline))[::-1]
    params = Params(timeseries=world.series)
    (source,) = all_rows(world, Source)
    request = Request(key=1, metric="timeseries_aggregate", params=params, days=asked, now=NOON)
    answer = connecting.connect(world.runtime(), source).read([request])[1]
    assert values(answer) == [2.5, 7.0]


def test_another_state_is_other_data(world: World) -> None:
    """Raw is empty here: nothing was measured. An unknown state says which there are."""
    assert values(ask(world, data_state="Raw")) == [None, None]
    wrong = ask(world, data_state="raw")
    assert isinstance(wrong, NotFound)
    assert "Clean" in str(wrong)


@pytest.mark.parametrize("deadline", HOURS_AND_NOT)
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_what_is_not_finite_is_nothing(world: World, value: float, deadline: int) -> None:
    """The server may hold infinity: no datapoint, and a note that says why."""
    world.measure(world.series, {NOON - 60: value})
    answer = ask(world, deadline=deadline)
    assert values(answer)[1] is None
    assert list(answer.values())[1].note


@pytest.mark.parametrize("deadline", HOURS_AND_NOT)
def test_a_unit_is_converted_and_named(world: World, deadline: int) -> None:
    """KWh as MWh; without a wish the series' own unit; samples are counted as samples."""
    answer = ask(world, convert_to="MWh", deadline=deadline)
    assert values(answer) == [pytest.approx(0.007), pytest.approx(0.0025)]
    assert {reading.unit for reading in answer.values()} == {"MWh"}
    assert {reading.unit for reading in ask(world, deadline=deadline).values()} == {"kWh"}
    counted = ask(world, aggregation="count", deadline=deadline)
    assert {reading.unit for reading in counted.values()} == {"samples"}


def test_names_are_asked_for_once(world: World) -> None:
    """States and series are believed for an hour by one process."""
    rt = world.runtime()
    world.work(rt)
    world.call_back()
    world.work(rt)
    assert world.bemserver.faults.count("timeseries_data_states/") == 1
    assert world.bemserver.faults.count(r"timeseries/\d+") == 1


def test_a_look_shows_one_page_and_says_how_many_more(world: World) -> None:
    """Thousands of series are not read to show some."""
    for number in range(120):
        world.bemserver.state.add_series(f"Meter {number:03}", campaign="Home", unit="kWh")
    (source,) = all_rows(world, Source)
    connection = connecting.connect(world.runtime(), source)
    assert isinstance(connection, Looks)

    found = connection.look()

    series = [one for one in found if one.kind == "timeseries"]
    assert len(series) == 101
    assert series[-1].name == "and 22 more"
    assert "in kWh, campaign Home" in {one.detail for one in series}
    asked = [request.path for request in world.bemserver.faults.requests]
    assert asked.count("/timeseries/") == 1
