"""How a value is sent to a goal: nobody's total is taken for a level, and no level is summed."""

import itertools
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import fit
from tasks.fit import Fit, Shape
from tasks.providers import ValueKind

KINDS = get_args(ValueKind)
ODD = ("count", "binary", "nonzero", "cap1", "square", "clocky", "skatesum", "muflat", "new")
aggdays = st.sampled_from([None, *sorted(fit.ONE_POINT_IS_ITSELF), *ODD])
known = st.sampled_from([None, False, True])
goals = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "kyoom": known,
        "aggday": aggdays,
        "odom": known,
        "feeds": st.integers(0, 5),
    }
)


def judge(**more: Any) -> Fit:
    """How a total goes to a summing goal, but for what is given."""
    usual: dict[str, Any] = {
        "kind": "total",
        "kyoom": True,
        "aggday": "sum",
        "odom": False,
        "feeds": 1,
        "accept": False,
    }
    return fit.fit(**(usual | more))


@pytest.mark.parametrize(
    ("kind", "kyoom", "aggday", "shape", "told"),
    [
        ("total", True, "sum", Shape.AS_IS, 0),
        ("total", True, "max", Shape.AS_IS, 0),
        ("total", False, "last", Shape.RUNNING, 1),
        ("total", False, "sum", Shape.RUNNING, 1),
        ("total", None, None, Shape.AS_IS, 0),
        ("level", False, "last", Shape.AS_IS, 0),
        ("level", True, "sum", Shape.DIFFERENCE, 1),
        ("level", None, "last", Shape.AS_IS, 0),
        ("counter", False, "max", Shape.AS_IS, 0),
        ("counter", True, "sum", Shape.DIFFERENCE, 1),
        ("events", True, "sum", Shape.EVENTS, 0),
        ("events", True, None, Shape.EVENTS, 0),
        ("events", True, "max", Shape.AS_IS, 1),
        ("events", False, "sum", Shape.RUNNING, 1),
        ("events", None, None, Shape.EVENTS, 0),
    ],
)
def test_a_value_is_sent_in_the_shape_that_fits(kind, kyoom, aggday, shape, told):
    """A total on a goal of levels runs on, a level on a summing goal becomes a difference."""
    found = judge(kind=kind, kyoom=kyoom, aggday=aggday)
    assert (found.shape, len(found.warnings), found.problem) == (shape, told, None)


@pytest.mark.parametrize("aggday", ODD)
@pytest.mark.parametrize("kyoom", [False, True])
def test_a_goal_that_makes_something_else_of_a_point_is_not_written_to(aggday, kyoom):
    """The sum of squares is nobody's energy; also a way of counting that we do not know."""
    problem = judge(aggday=aggday, kyoom=kyoom, name="alice/energy").problem
    assert repr(aggday) in problem
    assert "accept_aggday = true" in problem
    assert "waggle link alice/energy --fix-goal" in problem


@pytest.mark.parametrize(
    ("kyoom", "aggday", "fits"),
    [
        (True, "sum", True),
        (True, None, True),
        (None, None, True),
        (None, "sum", True),
        (True, "max", False),
        (None, "last", False),
        (False, "sum", False),
        (False, None, False),
    ],
)
def test_several_feeds_need_a_goal_that_sums(kyoom, aggday, fits):
    """Of two points a goal that takes the last would lose one."""
    assert (judge(kyoom=kyoom, aggday=aggday, feeds=2).problem is None) is fits
    assert judge(kyoom=kyoom, aggday=aggday, feeds=1).problem is None


@given(goal=goals, accept=st.booleans())
def test_every_goal_has_an_answer(goal, accept):
    """No combination of facts is without a shape, and every text is a sentence to show."""
    found = fit.fit(**goal, accept=accept)
    assert isinstance(found.shape, Shape)
    assert all(text and text == text.strip() for text in (*found.warnings, found.problem or "x"))


@given(goal=goals)
def test_a_person_who_accepts_is_obeyed(goal):
    """With accept_aggday nothing is reshaped, and nothing is a problem."""
    found = fit.fit(**goal, accept=True)
    assert found.problem is None
    assert found.shape is (Shape.EVENTS if goal["kind"] == "events" else Shape.AS_IS)


@given(goal=goals)
def test_what_is_reshaped_is_said(goal):
    """Whatever is sent otherwise than the metric gives it has a warning that says so."""
    found = fit.fit(**goal, accept=False)
    natural = Shape.EVENTS if goal["kind"] == "events" else Shape.AS_IS
    said = [text for text in found.warnings if "sent" in text and "odometer" not in text]
    assert bool(said) is (found.shape is not natural)


@given(goal=goals, unit=st.none() | st.text(), gunits=st.none() | st.text())
def test_units_never_stop_a_feed(goal, unit, gunits):
    """A unit is a word of a person: it can warn, and nothing else."""
    plain = fit.fit(**goal, accept=False)
    found = fit.fit(**goal, accept=False, unit=unit, gunits=gunits)
    assert (found.shape, found.problem) == (plain.shape, plain.problem)
    assert found.warnings[: len(plain.warnings)] == plain.warnings


SAME = [
    ("kWh", "kwh", "kilowatt hours", "kilowatt-hours used", "KWHS", "kW·h"),
    ("h", "hours", "Hour", "hrs"),
    ("min", "minutes", "mins"),
    ("°C", "Celsius", "degrees celsius", "C"),
    ("%", "percent"),
    ("dashboards", "Dashboard", "dashboards published"),
    ("m³", "m3", "cubic metres", "m^3"),
    ("km", "kilometers"),
]


@pytest.mark.parametrize(
    ("one", "other"), [pair for row in SAME for pair in itertools.permutations(row, 2)]
)
def test_spellings_of_one_unit_are_one(one, other):
    """Nobody is warned of kWh on a goal in kilowatt hours."""
    if " used" in one or " published" in one:
        return  # what the goal says more than the source is its own; not the other way round
    assert judge(unit=one, gunits=other).warnings == ()


@pytest.mark.parametrize(
    ("unit", "gunits"),
    [("Wh", "kWh"), ("min", "h"), ("ms", "m"), ("kWh", "pages"), ("°C", "°F"), ("rows", "runs")],
)
def test_different_units_are_told(unit, gunits):
    """A thousandfold mistake is said before it is on the goal, with both units."""
    (text,) = judge(unit=unit, gunits=gunits).warnings
    assert repr(unit) in text
    assert repr(gunits) in text


@pytest.mark.parametrize(("unit", "gunits"), [(None, "kWh"), ("kWh", None), ("", "x"), (" ", "x")])
def test_an_unknown_unit_is_no_mismatch(unit, gunits):
    """Most goals have no units worth the name."""
    assert judge(unit=unit, gunits=gunits).warnings == ()


@pytest.mark.parametrize(
    ("kind", "kyoom", "warned"),
    [("level", False, True), ("counter", False, False), ("total", True, True), ("total", 0, False)],
)
def test_an_odometer_goal_wants_what_only_rises(kind, kyoom, warned):
    """A level that can fall is said there; a counter and a running total belong there."""
    found = judge(kind=kind, kyoom=bool(kyoom), aggday="last", odom=True)
    assert any("odometer" in text for text in found.warnings) is warned


def test_how_a_goal_counts_is_said_in_words():
    """A person reads both halves, also where one is not known."""
    assert fit.counts(kyoom=True, aggday="sum") == (
        "a day's value is the sum of its points; the days are added up"
    )
    assert "each for itself" in fit.counts(kyoom=False, aggday="last")
    assert fit.counts(kyoom=None, aggday=None).count("not known") == 2
