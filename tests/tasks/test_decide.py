"""What should be at Beeminder: pure decisions, day by day."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.outbox import Point
from tasks import days, decide
from tasks.days import Window
from tasks.decide import Past, Rules
from tasks.fit import Shape
from tasks.providers import Reading, Record

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
TODAY = days.window(days.parse("20261120"), UTC_ZONE, 0)
YESTERDAY = days.window(days.parse("20261119"), UTC_ZONE, 0)


def rules(**more: object) -> Rules:
    """Rules of a total with history, with what a test changes about them."""
    facts = {
        "digest": "0123456789abcdef",
        "kind": "total",
        "history": True,
        "source": "plant",
        "goal": "energy",
        "metric": "m",
    }
    return Rules(**(facts | more))


def one(
    made: Rules,
    value: float | None,
    *,
    day: Window = YESTERDAY,
    now: float = NOW,
    past: Past | None = None,
) -> decide.Verdict:
    """The verdict on one day."""
    readings = {day.daystamp: Reading(value, "kWh")}
    return decide.decide(made, [day], readings, now=now, past=past)[0]


def only(verdict: decide.Verdict) -> Point:
    """The one point of this day."""
    (point,) = verdict.points
    return point


def test_a_total_becomes_a_point_of_its_day() -> None:
    """Value, comment and daystamp; the id is made of the digest and the day."""
    point = only(one(rules(), 2.5))

    assert (point.value, point.daystamp, point.timestamp) == (2.5, "20261119", None)
    assert point.comment == "2.5 kWh from plant"
    assert point.requestid == "wg-0123456789abcdef-20261119"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_was_not_measured_is_no_point(value: float | None) -> None:
    """Nothing, NaN and infinity are not zeros: there is no point, and the reason says so."""
    verdict = one(rules(), value)

    assert verdict.points == ()
    assert verdict.value is None
    assert verdict.why


def test_a_day_that_the_source_left_out_is_no_point() -> None:
    """A day without any reading at all is nothing measured."""
    (verdict,) = decide.decide(rules(), [TODAY], {}, now=NOW)
    assert verdict.points == ()


DO_LESS, DO_MORE = {"yaw": -1}, {"yaw": 1}
FIFTEEN, LATE = TODAY.ends_at - 15 * 60, TODAY.ends_at - 60


@pytest.mark.parametrize(
    ("changes", "day", "now", "there", "sent"),
    [
        ({}, YESTERDAY, NOW, False, True),
        ({}, YESTERDAY, NOW, True, True),
        ({"zeros": False}, YESTERDAY, NOW, False, False),
        ({"zeros": False}, YESTERDAY, NOW, True, True),
        ({}, TODAY, NOW, False, False),
        ({}, TODAY, NOW, True, False),
        (DO_MORE, TODAY, LATE, False, False),
        (DO_MORE, TODAY, LATE, True, False),
        (DO_LESS, TODAY, FIFTEEN - 1, False, False),
        (DO_LESS, TODAY, FIFTEEN - 1, True, False),
        (DO_LESS, TODAY, FIFTEEN, False, True),
        (DO_LESS, TODAY, LATE, False, True),
        (DO_LESS, TODAY, LATE, True, True),
        ({"yaw": None}, TODAY, LATE, False, False),
        ({"odom": True}, YESTERDAY, NOW, False, False),
        ({"odom": True}, YESTERDAY, NOW, True, False),
        ({"odom": True, "yaw": -1}, TODAY, LATE, True, False),
        ({"kind": "level"}, TODAY, NOW, False, True),
        ({"kind": "level"}, YESTERDAY, NOW, False, True),
        ({"kind": "level", "odom": True}, TODAY, NOW, False, False),
        ({"kind": "counter"}, TODAY, NOW, False, True),
        ({"kind": "counter", "odom": True}, TODAY, NOW, False, False),
    ],
)
def test_when_a_zero_is_sent(
    changes: dict, day: Window, now: float, *, there: bool, sent: bool
) -> None:
    """Finished days yes, today only at the end of a do-less day, an odometer never."""
    past = Past(there=frozenset({day.daystamp} if there else ()))
    verdict = one(rules(**changes), 0.0, day=day, now=now, past=past)

    assert bool(verdict.points) is sent
    assert verdict.why


@pytest.mark.parametrize("yaw", [1, -1])
def test_a_running_total_waits_for_the_day_that_added_nothing(yaw: int) -> None:
    """Today's total is what today added: none is a zero, whatever the running total is."""
    running = rules(shape=Shape.RUNNING, yaw=yaw)
    past = Past(before=100.0)

    assert one(running, 0.0, day=TODAY, past=past).points == ()
    assert only(one(running, 0.0, past=past)).value == 100.0
    late = one(running, 0.0, day=TODAY, now=LATE, past=past)
    assert [point.value for point in late.points] == ([100.0] if yaw == -1 else [])


@pytest.mark.parametrize("kind", ["level", "counter"])
def test_a_difference_of_nothing_today_is_a_zero(kind: str) -> None:
    """The meter stands at five and has not moved today: there may be something yet."""
    difference = rules(shape=Shape.DIFFERENCE, kind=kind)
    past = Past(before=5.0)

    assert one(difference, 5.0, day=TODAY, past=past).points == ()
    assert only(one(difference, 5.0, past=past)).value == 0.0
    assert only(one(difference, 7.5, day=TODAY, past=past)).value == 2.5


def test_a_level_without_history_is_of_the_day_in_which_it_was_read() -> None:
    """A past day gets no level that was read today."""
    level = rules(kind="level", history=False)

    assert one(level, 5.0).points == ()
    assert one(level, 5.0, day=TODAY).points != ()


def test_what_a_source_without_history_said_of_a_day_stands() -> None:
    """Of a day that is over counts what was read on it, not what is read now."""
    level = rules(kind="level", history=False)
    past = Past(read={"20261119": Reading(4.0, "kWh")})

    verdict = one(level, 5.0, past=past)

    assert (only(verdict).value, verdict.reading.value) == (4.0, 4.0)
    assert only(one(level, 5.0, day=TODAY, past=past)).value == 5.0


@pytest.mark.parametrize(
    ("shape", "sent"), [(Shape.AS_IS, []), (Shape.RUNNING, [14.0]), (Shape.DIFFERENCE, [-6.0])]
)
def test_what_later_days_build_on_is_remembered(shape: Shape, sent: list[float]) -> None:
    """A value that was counted and vanished stays in a sum or a difference, and nowhere else."""
    read = {"20261119": Reading(4.0, "kWh")}
    there = frozenset({"20261119"})
    made = rules(shape=shape)

    verdict = one(made, None, past=Past(there=there, read=read, before=10.0))
    assert [point.value for point in verdict.points] == sent

    never_sent = one(made, None, past=Past(read=read, before=10.0))
    assert never_sent.points == ()


def test_a_pinned_day_is_left_as_it_is() -> None:
    """Whatever the source says of it, also today."""
    for day in (YESTERDAY, TODAY):
        verdict = one(rules(), 2.5, day=day, past=Past(pinned=frozenset({day.daystamp})))
        assert verdict.points == ()
        assert "pinned" in verdict.why


def test_a_day_that_is_there_keeps_its_id() -> None:
    """A changed parameter makes other ids, but not for days that have a point already."""
    past = Past(ids={"20261119": "wg-ffffffffffffffff-20261119"})

    assert only(one(rules(), 2.5, past=past)).requestid == "wg-ffffffffffffffff-20261119"
    assert only(one(rules(), 2.5, day=TODAY, past=past)).requestid == (
        "wg-0123456789abcdef-20261120"
    )


EVENTS = Reading(3.5, records=(Record("run/1", NOW - 60, 2.0), Record("run/2", NOW - 30, 1.5)))


def test_each_event_is_a_point_with_its_own_time() -> None:
    """The ids are made of the source's record ids, the times are the events' own."""
    events = rules(kind="events", shape=Shape.EVENTS)

    (verdict,) = decide.decide(events, [TODAY], {"20261120": EVENTS}, now=NOW)

    assert [(p.value, p.timestamp, p.daystamp) for p in verdict.points] == [
        (2.0, NOW - 60, "20261120"),
        (1.5, NOW - 30, "20261120"),
    ]
    assert len({point.requestid for point in verdict.points}) == 2
    assert verdict.value == 3.5


def test_a_day_without_events_is_no_point() -> None:
    """Nothing happened: there is nothing to add, finished or not."""
    events = rules(kind="events", shape=Shape.EVENTS)
    for day in (YESTERDAY, TODAY):
        verdict = one(events, 0.0, day=day)
        assert verdict.points == ()
        assert "nothing happened" in verdict.why


def test_the_sum_of_events_is_a_total_where_the_goal_wants_one_point() -> None:
    """One point of the day, whose zeros are told as those of any total."""
    summed = rules(kind="events", shape=Shape.AS_IS)

    (verdict,) = decide.decide(summed, [YESTERDAY], {"20261119": EVENTS}, now=NOW)

    assert (only(verdict).value, only(verdict).timestamp) == (3.5, None)
    assert one(summed, 0.0, day=TODAY).points == ()


def test_sums_of_floats_are_tidied() -> None:
    """0.1 + 0.2 is 0.3 on somebody's goal, and where people look at what the source said."""
    verdict = one(rules(), 0.1 + 0.2)
    assert only(verdict).value == verdict.reading.value == verdict.value == 0.3


@pytest.mark.parametrize("shape", [Shape.RUNNING, Shape.DIFFERENCE])
def test_a_value_that_is_too_large_is_not_sent(shape: Shape) -> None:
    """What no longer is a number once it is added up fails nobody's batch."""
    past = Past(before=1.7e308 if shape == Shape.RUNNING else -1.7e308)
    verdict = one(rules(shape=shape, kind="level"), 1.7e308, past=past)
    assert verdict.points == ()
    assert "too large" in verdict.why


@given(value=st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_any_finite_value_makes_a_finite_point(value: float) -> None:
    """Huge, tiny and negative values survive rounding, and the comment stays short."""
    point = only(one(rules(zeros=True), value))
    assert math.isfinite(point.value)
    assert len(point.comment) <= decide.COMMENT_LENGTH
