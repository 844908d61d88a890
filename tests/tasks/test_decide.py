"""What should be at Beeminder: pure decisions, day by day."""

import itertools
import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import days, decide
from tasks.days import Window
from tasks.decide import Rules
from tasks.providers import Reading

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
    landed: dict[str, float] | None = None,
) -> decide.Verdict:
    """The verdict on one day."""
    readings = {day.daystamp: Reading(value, "kWh")}
    return decide.decide(made, [day], readings, now=now, landed=landed or {})[0]


def test_a_total_becomes_a_point_of_its_day() -> None:
    """Value, comment and daystamp; the id is made of the digest and the day."""
    point = one(rules(), 2.5).point

    assert point is not None
    assert (point.value, point.daystamp, point.timestamp) == (2.5, "20261119", None)
    assert point.comment == "2.5 kWh from plant"
    assert point.requestid == "wg-0123456789abcdef-20261119"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_was_not_measured_is_no_point(value: float | None) -> None:
    """Nothing, NaN and infinity are not zeros: there is no point, and the reason says so."""
    verdict = one(rules(), value)

    assert verdict.point is None
    assert verdict.why


def test_a_day_that_the_source_left_out_is_no_point() -> None:
    """A day without any reading at all is nothing measured."""
    (verdict,) = decide.decide(rules(), [TODAY], {}, now=NOW, landed={})
    assert verdict.point is None


@pytest.mark.parametrize(
    ("changes", "day", "now", "landed", "sent"),
    [
        ({}, YESTERDAY, NOW, {}, True),
        ({"zeros": False}, YESTERDAY, NOW, {}, False),
        ({"zeros": False}, YESTERDAY, NOW, {"20261119": 4.0}, True),
        ({}, TODAY, NOW, {}, False),
        ({}, TODAY, NOW, {"20261120": 4.0}, True),
        ({"yaw": 1}, TODAY, TODAY.ends_at - 60, {}, False),
        ({"yaw": -1}, TODAY, TODAY.ends_at - 60, {}, True),
        ({"yaw": -1}, TODAY, TODAY.ends_at - 16 * 60, {}, False),
        ({"odom": True}, YESTERDAY, NOW, {}, False),
        ({"odom": True}, YESTERDAY, NOW, {"20261119": 4.0}, False),
        ({"kind": "level"}, TODAY, NOW, {}, True),
    ],
)
def test_when_a_zero_is_sent(
    changes: dict, day: Window, now: float, landed: dict[str, float], *, sent: bool
) -> None:
    """Finished days yes, today only at the end of a do-less day, an odometer never."""
    verdict = one(rules(**changes), 0.0, day=day, now=now, landed=landed)

    assert (verdict.point is not None) is sent
    assert verdict.why


def test_a_level_without_history_is_of_the_day_in_which_it_was_read() -> None:
    """A past day gets no level that was read today."""
    level = rules(kind="level", history=False)

    assert one(level, 5.0).point is None
    assert one(level, 5.0, day=TODAY).point is not None


def test_sums_of_floats_are_tidied() -> None:
    """0.1 + 0.2 is 0.3 on somebody's goal, and where people look at what the source said."""
    verdict = one(rules(), 0.1 + 0.2)
    assert verdict.point is not None
    assert verdict.point.value == verdict.reading.value == 0.3


@given(value=st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_any_finite_value_makes_a_finite_point(value: float) -> None:
    """Huge, tiny and negative values survive rounding, and the comment stays short."""
    point = one(rules(zeros=True), value).point
    assert point is not None
    assert math.isfinite(point.value)
    assert len(point.comment) <= decide.COMMENT_LENGTH


@pytest.mark.parametrize(
    "word",
    [
        "DERAIL",
        "SELFDESTRUCT",
        "THISWILLSELFDESTRUCT",
        "RESTART",
        "TARE",
        "ARCHIVE",
        "derail",
        "Tare",
    ],
)
@pytest.mark.parametrize("mark", "#@")
def test_orders_are_taken_apart(word: str, mark: str) -> None:
    """No word that commands Beeminder's engine comes through, from a source or a template."""
    for text in (f"{mark}{word}", f"x{mark}{word}y", f"{mark}{mark}{word}"):
        assert f"{mark}{word}" not in decide.neutral(text)
        point = one(rules(source=text), 1.0).point
        assert point is not None
        assert f"{mark}{word}" not in point.comment


def test_orders_cannot_hide_behind_invisible_letters() -> None:
    """Zero-width letters and line breaks are spaces before the words are looked for."""
    point = one(rules(source="a\u200b\n#DERAIL\x00"), 1.0).point
    assert point is not None
    assert point.comment.isprintable()
    assert "#DERAIL" not in point.comment


@given(
    st.text(
        alphabet=st.sampled_from("#@DERAILTAR \u200b\n"),
        max_size=40,
    )
)
def test_no_text_becomes_an_order_by_being_cleaned(text: str) -> None:
    """Taking apart never puts together."""
    cleaned = decide.neutral(text)
    assert not decide.ORDERS.search(cleaned)
    assert not decide.ORDERS.search(" ".join(cleaned.split()))


def test_days_to_read_end_today_and_start_after_since() -> None:
    """Today and so many days before it, never before `since`, none when it lies ahead."""

    def stamps(**more: object) -> list[str]:
        facts = {"tz": UTC_ZONE, "deadline": 0, "lookback": 2, "since": None, "known": {}}
        return [day.daystamp for day in decide.days_to_read(NOW, **(facts | more))]

    assert stamps() == ["20261118", "20261119", "20261120"]
    assert stamps(lookback=0) == ["20261120"]
    assert stamps(since="20261119") == ["20261119", "20261120"]
    assert stamps(since="20261121") == []


@given(
    lookback=st.integers(0, 10),
    moved=st.integers(-6 * 3600, 6 * 3600),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]),
)
def test_finished_days_keep_their_bounds_when_a_person_travels(
    lookback: int, moved: int, zone: str
) -> None:
    """A new zone or deadline moves no finished day, and days go on without gap or overlap."""
    before = decide.days_to_read(
        NOW, tz=UTC_ZONE, deadline=0, lookback=lookback + 1, since=None, known={}
    )
    known = {day.daystamp: day for day in before}

    after = decide.days_to_read(
        NOW, tz=ZoneInfo(zone), deadline=moved, lookback=lookback, since=None, known=known
    )

    for day in after:
        if day.daystamp in known and known[day.daystamp].ends_at <= NOW:
            assert day == known[day.daystamp]
    for one_day, next_day in itertools.pairwise(after):
        assert one_day.ends_at == next_day.starts_at
        assert one_day.starts_at <= one_day.ends_at
