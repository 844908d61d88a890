"""Totals, running totals and differences: what is sent adds up to what the source said."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import shapes
from tasks.fit import Shape
from tasks.providers import Reading, ValueKind
from tasks.shapes import Made

amounts = st.integers(-(10**6), 10**6).map(lambda thousandths: thousandths / 1000)
days = st.lists(st.none() | amounts, max_size=12)


def make(
    shape: Shape,
    values: list[float | None],
    *,
    kind: ValueKind = "total",
    before: float | None = None,
) -> list[Made]:
    """What these days come to."""
    return shapes.make(shape, kind, [Reading(value) for value in values], before=before)


def sent(made: list[Made]) -> list[float | None]:
    """Their values."""
    return [one.value for one in made]


@pytest.mark.parametrize("shape", [Shape.AS_IS, Shape.EVENTS])
@given(values=days)
def test_a_value_that_fits_is_sent_as_it_is(shape: Shape, values: list[float | None]) -> None:
    """Whatever stood before."""
    assert sent(make(shape, values, before=5.0)) == values


@given(values=days, before=st.none() | amounts)
def test_a_running_total_ends_at_all_that_ever_happened(
    values: list[float | None], before: float | None
) -> None:
    """The last day stands at what stood before and every day since; a day unmeasured adds none."""
    made = make(Shape.RUNNING, values, before=before)

    running = before or 0.0
    for value, one in zip(values, made, strict=True):
        assert (one.value is None) is (value is None)
        running += value or 0.0
        if one.value is not None:
            assert math.isclose(one.value, running, abs_tol=1e-6)


@given(values=days, before=amounts)
def test_differences_add_up_to_the_way_from_the_first_reading_to_the_last(
    values: list[float | None], before: float
) -> None:
    """A day without a reading is caught up by the next one that has one."""
    made = make(Shape.DIFFERENCE, values, kind="level", before=before)

    readings = [value for value in values if value is not None]
    total = math.fsum(one.value for one in made if one.value is not None)
    assert math.isclose(total, (readings[-1] - before) if readings else 0.0, abs_tol=1e-6)


@given(values=st.lists(amounts, min_size=1, max_size=8), cut=st.integers(0, 8), before=amounts)
@pytest.mark.parametrize("shape", [Shape.RUNNING, Shape.DIFFERENCE])
def test_it_does_not_matter_where_a_look_back_begins(
    shape: Shape, values: list[float], cut: int, before: float
) -> None:
    """Days decided in two goes come to the same as in one: each starts where the last one ended."""
    whole = sent(make(shape, values, before=before))
    first, second = values[:cut], values[cut:]
    head = sent(make(shape, first, before=before))
    ended = before
    if first:
        ended = first[-1] if shape == Shape.DIFFERENCE else head[-1] or 0.0
    tail = sent(make(shape, second, before=ended))

    assert all(
        math.isclose(a or 0.0, b or 0.0, abs_tol=1e-6)
        for a, b in zip(whole, head + tail, strict=True)
    )


@given(values=st.lists(amounts, min_size=2, max_size=8))
def test_what_is_late_moves_the_days_that_follow(values: list[float]) -> None:
    """One more on the first day is one more on every later day of a running total."""
    early = sent(make(Shape.RUNNING, values))
    late = sent(make(Shape.RUNNING, [values[0] + 1.0, *values[1:]]))
    assert all(
        math.isclose((b or 0.0) - (a or 0.0), 1.0, abs_tol=1e-6)
        for a, b in zip(early, late, strict=True)
    )


@pytest.mark.parametrize("kind", ["level", "counter"])
def test_the_first_reading_is_where_the_count_starts(kind: ValueKind) -> None:
    """A meter that stands at 4711 when it is linked has not counted 4711 on that day."""
    made = make(Shape.DIFFERENCE, [None, 4711.0, 4713.5], kind=kind)
    assert sent(made) == [None, None, 2.5]
    assert "4711" in (made[1].note or "")


def test_a_counter_that_was_reset_starts_at_zero_again() -> None:
    """A new meter does not run backwards; a level that falls does."""
    readings = [100.0, 103.0, 2.0, 5.0]
    assert sent(make(Shape.DIFFERENCE, readings, kind="counter"))[1:] == [3.0, 2.0, 3.0]
    assert sent(make(Shape.DIFFERENCE, readings, kind="level"))[1:] == [3.0, -101.0, 3.0]


@given(values=st.lists(amounts.map(abs), max_size=8), before=amounts.map(abs))
def test_a_counter_never_takes_anything_away(values: list[float], before: float) -> None:
    """However often it is reset."""
    made = make(Shape.DIFFERENCE, list(values), kind="counter", before=before)
    assert all((one.value or 0.0) >= 0.0 for one in made)


def test_every_made_value_says_how_it_was_made() -> None:
    """A person can check the figure by hand: what stood before, and what the source said."""
    (running,) = make(Shape.RUNNING, [2.5], before=10.0)
    (difference,) = make(Shape.DIFFERENCE, [12.5], kind="level", before=10.0)
    assert (running.value, running.note) == (12.5, "10 before, 2.5 on this day")
    assert (difference.value, difference.note) == (2.5, "12.5 after 10")


def test_floats_are_tidied_however_many_are_added() -> None:
    """A thousand days of 0.1 are a hundred, on the day and on the way."""
    made = make(Shape.RUNNING, [0.1] * 1000)
    assert made[-1].value == 100.0
    assert all(
        len(str(one.value)) <= len(str(next_one.value)) + 3
        for one, next_one in itertools.pairwise(made)
    )
