"""Days tile time: every instant belongs to exactly one, in every zone and with every deadline."""

import itertools
import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import beeminder_days
from tasks import days
from tests.tasks.clocks import (
    ODD,
    ZONES,
    by_beeswift,
    by_tallybee,
    changes,
    deadlines,
    moments,
    offset,
)

HOUR = 3600
Moment = tuple[int, ZoneInfo]
near_edges = st.integers(-2 * HOUR, 2 * HOUR)


def close_to_an_edge(moment: Moment, near: int, deadline: int) -> Moment:
    """The moment moved to so many seconds from the start of its day, where rules may differ."""
    instant, tz = moment
    day = days.parse(days.day_of(instant, tz, deadline))
    return int(days.window(day, tz, deadline).starts_at) + near, tz


@settings(max_examples=600, deadline=None)
@given(moment=moments(), deadline=deadlines)
def test_an_instant_is_in_the_window_of_its_day_and_in_no_other(
    moment: Moment, deadline: int
) -> None:
    """The day of an instant is the one, and the only one, whose bounds hold it."""
    instant, tz = moment
    stamp = days.day_of(instant, tz, deadline)
    day = days.parse(stamp)
    around = days.windows(day - timedelta(days=3), day + timedelta(days=3), tz, deadline)

    assert [w.daystamp for w in around if w.starts_at <= instant < w.ends_at] == [stamp]


@settings(max_examples=300, deadline=None)
@given(moment=moments(), deadline=deadlines)
def test_a_day_lasts_to_its_last_fraction_of_a_second(moment: Moment, deadline: int) -> None:
    """The first and the last number that a clock can name in a day are in it, the end is not."""
    instant, tz = moment
    stamp = days.day_of(instant, tz, deadline)
    window = days.window(days.parse(stamp), tz, deadline)

    assert days.day_of(window.starts_at, tz, deadline) == stamp
    assert days.day_of(math.nextafter(window.ends_at, -math.inf), tz, deadline) == stamp
    assert days.day_of(window.ends_at, tz, deadline) > stamp


@settings(max_examples=200, deadline=None)
@given(moment=moments(), count=st.integers(1, 30), deadline=deadlines)
def test_days_lie_end_to_end(moment: Moment, count: int, deadline: int) -> None:
    """No gap and no overlap; none is shorter than nothing or longer than two days and an hour."""
    instant, tz = moment
    first = days.parse(days.day_of(instant, tz, deadline)) - timedelta(days=count // 2)
    found = days.windows(first, first + timedelta(days=count - 1), tz, deadline)

    assert [w.daystamp for w in found] == [
        (first + timedelta(days=n)).strftime("%Y%m%d") for n in range(count)
    ]
    for one, next_one in itertools.pairwise(found):
        assert one.ends_at == next_one.starts_at
    for one in found:
        assert 0 <= one.ends_at - one.starts_at <= 49 * HOUR


@settings(max_examples=200, deadline=None)
@given(moment=moments(), later=st.integers(0, 3 * 24 * HOUR), deadline=deadlines)
def test_days_never_go_back(moment: Moment, later: int, deadline: int) -> None:
    """A later instant is never of an earlier day, whatever clocks do."""
    instant, tz = moment

    assert days.day_of(instant, tz, deadline) <= days.day_of(instant + later, tz, deadline)


@pytest.mark.parametrize(("name", "year"), ODD)
def test_a_day_is_the_latest_that_a_walk_has_shown(name: str, year: int) -> None:
    """Minute by minute around a change: the latest date of (instant - deadline) seen so far."""
    tz = ZoneInfo(name)
    for changed, deadline in itertools.product(changes(name, year), (0, days.EARLIEST_DEADLINE)):
        shown = date.min
        for instant in range(changed - 26 * HOUR + deadline, changed + 26 * HOUR + deadline, 60):
            shown = max(shown, by_tallybee(instant, tz, deadline))
            if instant >= changed + deadline - 2 * HOUR:
                assert days.day_of(instant, tz, deadline) == shown.strftime("%Y%m%d")


@settings(max_examples=600, deadline=None)
@given(moment=moments(), near=near_edges, deadline=deadlines)
def test_tallybee_agrees_but_where_a_date_comes_back(
    moment: Moment, near: int, deadline: int
) -> None:
    """They differ only while a clock that was put back across midnight shows the old date again."""
    instant, tz = close_to_an_edge(moment, near, deadline)
    ours = days.parse(days.day_of(instant, tz, deadline))
    theirs = by_tallybee(instant, tz, deadline)
    if ours == theirs:
        return
    shifted = instant - deadline
    midnight = int(days.start_of_date(ours, tz))
    back = offset(midnight - 1, tz) - offset(shifted, tz)

    assert theirs == ours - timedelta(days=1)
    assert 0 <= shifted - midnight < back


@settings(max_examples=600, deadline=None)
@given(moment=moments(), near=near_edges, deadline=deadlines)
def test_beeswift_agrees_but_where_the_deadline_lies_across_a_change(
    moment: Moment, near: int, deadline: int
) -> None:
    """They differ only with a change between instant and (instant - deadline), on a day with it."""
    instant, tz = close_to_an_edge(moment, near, deadline)
    ours = days.parse(days.day_of(instant, tz, deadline))
    theirs = by_beeswift(instant, tz, deadline)
    if theirs == by_tallybee(instant, tz, deadline):
        return  # the rules agree: what is left is the test above
    moved = abs(offset(instant, tz) - offset(instant - deadline, tz))
    first, last = sorted((ours, theirs))
    one, other = days.window(first, tz, deadline), days.window(last, tz, deadline)

    assert moved
    assert min(abs(instant - one.ends_at), abs(instant - other.starts_at)) <= moved
    offsets = {offset(int(w.starts_at) + n, tz) for w in (one, other) for n in (-1, 0)}
    assert len(offsets | {offset(int(other.ends_at), tz)}) > 1, "a clock changes in these days"


@settings(max_examples=200, deadline=None)
@given(moment=moments(), deadline=deadlines)
def test_both_rules_agree_away_from_changes(moment: Moment, deadline: int) -> None:
    """On a day with no change of the clock, nor in the one before and after, all rules are one."""
    instant, tz = moment
    day = days.parse(days.day_of(instant, tz, deadline))
    first, last = days.window(day - days.ONE_DAY, tz, deadline), days.window(day, tz, deadline)
    hours = range(int(first.starts_at), int(last.ends_at) + 24 * HOUR, 900)
    if len({offset(moment, tz) for moment in hours}) > 1:
        return

    assert by_tallybee(instant, tz, deadline) == by_beeswift(instant, tz, deadline) == day
    simulated = beeminder_days.daystamp_of(instant, zone=str(tz), deadline=deadline)
    assert simulated == days.stamp(day)


@pytest.mark.parametrize(
    ("zone", "deadline", "utc", "ours", "tallybee", "beeswift"),
    [
        # Midnight plus three hours has come by two o'clock: an hour came twice.
        ("America/New_York", 3, "2026-11-01T07:00", 1, 1, 31),
        ("America/New_York", 3, "2026-11-01T08:00", 1, 1, 1),
        # In spring it comes at four: BeeSwift's day ends an hour earlier.
        ("America/New_York", 3, "2026-03-08T07:30", 7, 7, 8),
        ("America/New_York", 3, "2026-03-08T08:00", 8, 8, 8),
        # An hour comes twice before midnight: three hours before it are two on the wall.
        ("Africa/Cairo", -3, "2026-10-29T18:30", 29, 29, 30),
        ("Africa/Cairo", -3, "2026-10-29T19:00", 30, 30, 30),
        # From 00:01 back to 23:01: the 7th has begun.
        ("America/St_Johns", 0, "2010-11-07T02:30", 7, 7, 7),
        ("America/St_Johns", 0, "2010-11-07T02:31", 7, 6, 6),
        ("America/St_Johns", 0, "2010-11-07T03:30", 7, 7, 7),
    ],
)
def test_hours_in_which_the_published_rules_differ(
    zone: str, deadline: float, utc: str, ours: int, tallybee: int, beeswift: int
) -> None:
    """Day of the month by our rule and by both clients, in the hours that people ask about."""
    instant = int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp())
    tz, seconds = ZoneInfo(zone), int(deadline * HOUR)

    assert days.parse(days.day_of(instant, tz, seconds)).day == ours
    assert by_tallybee(instant, tz, seconds).day == tallybee
    assert by_beeswift(instant, tz, seconds).day == beeswift


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", "20260329", 23),
        ("Europe/Paris", "20261025", 25),
        ("Asia/Kathmandu", "20260329", 24),
        ("Asia/Kathmandu", "19860101", 23.75),
        ("Australia/Lord_Howe", "20261004", 23.5),
        ("Pacific/Chatham", "20260405", 25),
        ("Antarctica/Troll", "20260329", 22),
        ("America/St_Johns", "20101106", 24),
        ("America/St_Johns", "20101107", 25),
        ("America/Sao_Paulo", "20181104", 23),
        ("America/Sao_Paulo", "20180217", 25),
        ("Asia/Beirut", "20260329", 23),
        ("Africa/Cairo", "20260424", 23),
        ("Africa/Cairo", "20261029", 25),
        ("Atlantic/Azores", "20260329", 23),
        ("America/Scoresbysund", "20220327", 23),
        ("America/Havana", "20261101", 25),
        ("America/Toronto", "19190330", 23.5),
        ("America/Toronto", "19190331", 23.5),
        ("Pacific/Apia", "20111229", 24),
        ("Pacific/Apia", "20111230", 0),
        ("Pacific/Apia", "20111231", 24),
        ("Pacific/Kwajalein", "19930821", 0),
        ("Pacific/Kiritimati", "19941231", 0),
        ("Asia/Manila", "18441231", 0),
        ("Pacific/Kwajalein", "19690930", 47),
        ("Pacific/Apia", "18920704", 48),
        ("America/Juneau", "18671019", 48),
    ],
)
def test_days_of_odd_lengths(zone: str, day: str, hours: float) -> None:
    """A day lasts as long as its date: no time where that was skipped, all of it where doubled."""
    found = days.window(days.parse(day), ZoneInfo(zone), 0)

    assert (found.ends_at - found.starts_at) / HOUR == hours


def test_every_zone_there_is() -> None:
    """In each zone of the tables the days around the changes of a year lie end to end."""
    for name, deadline in itertools.product(ZONES, (days.EARLIEST_DEADLINE, days.LATEST_DEADLINE)):
        tz = days.zone(name)
        for changed in changes(name, 2026):
            day = days.parse(days.day_of(changed, tz, deadline))
            before, during, after = days.windows(
                day - days.ONE_DAY, day + days.ONE_DAY, tz, deadline
            )
            assert before.ends_at == during.starts_at <= changed < during.ends_at == after.starts_at
            moved = offset(changed - 1, tz) - offset(changed, tz)
            lengths = [w.ends_at - w.starts_at for w in (before, during, after)]
            assert sum(lengths) in {72 * HOUR, 72 * HOUR + moved}
            assert all(22 * HOUR <= length <= 26 * HOUR for length in lengths)


@settings(max_examples=200, deadline=None)
@given(moment=moments(), deadline=st.integers(-1_000_000, 1_000_000))
def test_a_deadline_outside_its_range_is_a_deadline(moment: Moment, deadline: int) -> None:
    """Whatever number Beeminder may send: an instant is in the window of its day."""
    instant, tz = moment
    window = days.window(days.parse(days.day_of(instant, tz, deadline)), tz, deadline)

    assert window.starts_at <= instant < window.ends_at


def test_a_deadline_after_midnight_lets_the_night_count_for_the_day_before() -> None:
    """With a deadline of 3 am, 2 am still counts for yesterday; with -3 h, 10 pm for tomorrow."""
    two = datetime(2026, 11, 20, 2, tzinfo=UTC).timestamp()
    ten = datetime(2026, 11, 20, 22, tzinfo=UTC).timestamp()

    assert days.day_of(two, ZoneInfo("UTC"), 3 * HOUR) == "20261119"
    assert days.day_of(ten, ZoneInfo("UTC"), -3 * HOUR) == "20261121"


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe/ Paris", "a\0b"])
def test_a_zone_that_nobody_knows_is_our_error(name: str) -> None:
    """Whatever the name: one error of ours that quotes it."""
    with pytest.raises(days.UnknownZoneError) as caught:
        days.zone(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["2026-11-20", "20261320", "", "today", "2026112", " 2026112", "٢٠٢٦١١٢٠"]
)
def test_only_daystamps_are_parsed(text: str) -> None:
    """YYYYMMDD or a ValueError."""
    with pytest.raises(ValueError, match=r"no daystamp|no date"):
        days.parse(text)


@given(st.dates())
def test_a_daystamp_is_the_date_it_names(day: date) -> None:
    """There and back, for every year; and daystamps sort as dates do."""
    assert days.parse(days.stamp(day)) == day
    if day < date.max:
        assert days.following(days.stamp(day)) > days.stamp(day)
