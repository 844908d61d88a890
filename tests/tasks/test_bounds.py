"""Where days start and end when people travel or move deadlines."""

from zoneinfo import ZoneInfo

import pytest

from tasks import bounds, days
from tests.tasks.places import (
    BAKER,
    HONOLULU,
    HOUR,
    KIRITIMATI,
    TOKYO,
    Place,
    at,
)

EARLIEST, LATEST = days.EARLIEST_DEADLINE, days.LATEST_DEADLINE


def test_a_flight_east_ends_the_day_when_it_was_last_read() -> None:
    """Over there today has ended: what was counted for it stays, and tomorrow starts there."""
    feed = Place()
    feed.read(at(20, 18))
    feed.tz = TOKYO  # where the 20th ended at 15:00 UTC

    assert feed.read(at(20, 18.5)) == {
        "20261120": (at(20), at(20, 18)),
        "20261121": (at(20, 18), at(21, 15)),
    }


def test_a_flight_east_keeps_a_day_that_still_lasts_but_ends_it_there() -> None:
    """A day that also runs at the destination keeps its start and ends by the new clock."""
    feed = Place()
    feed.read(at(20, 10))
    feed.tz = TOKYO

    assert feed.read(at(20, 11)) == {"20261120": (at(20), at(20, 15))}
    assert feed.read(at(20, 16)) == {
        "20261120": (at(20), at(20, 15)),
        "20261121": (at(20, 15), at(21, 15)),
    }


def test_a_flight_west_does_not_open_a_day_again() -> None:
    """The day that has begun goes on, for longer; the one before it has kept its bounds."""
    feed = Place(TOKYO)
    feed.read(at(20, 14))
    feed.read(at(20, 16))
    feed.tz = HONOLULU  # where it is the 20th until the 21st at 10:00 UTC

    found = feed.read(at(20, 17), lookback=1)

    assert found == {"20261120": (at(19, 15), at(20, 15)), "20261121": (at(20, 15), at(22, 10))}
    assert feed.today(at(21, 9)) == "20261121"


def test_a_flight_west_just_after_a_day_has_ended_unread() -> None:
    """A day that is over is over, also where nobody has read the next one yet."""
    feed = Place(TOKYO)
    feed.read(at(20, 14))
    feed.tz = HONOLULU

    assert feed.read(at(20, 17)) == {
        "20261120": (at(19, 15), at(20, 15)),
        "20261121": (at(20, 15), at(22, 10)),
    }


def test_across_the_date_line_and_back() -> None:
    """A day of 50 hours one way; the other way one that nothing is left for is empty."""
    feed = Place(KIRITIMATI, EARLIEST)
    feed.read(at(20, 12))
    assert feed.today(at(20, 12)) == "20261121"
    feed.tz, feed.deadline = BAKER, LATEST
    assert feed.read(at(20, 13)) == {"20261121": (at(19, 17), at(22, 18))}

    feed.tz, feed.deadline = KIRITIMATI, EARLIEST

    assert feed.read(at(22, 17.5)) == {
        "20261121": (at(19, 17), at(20, 17)),
        "20261122": (at(20, 17), at(21, 17)),
        "20261123": (at(21, 17), at(22, 17)),
        "20261124": (at(22, 17), at(23, 17)),
    }


def test_a_day_without_time_left_is_empty() -> None:
    """Two days that a flight east jumps over: the first ends when read, the second has nothing."""
    feed = Place(BAKER, LATEST)
    feed.read(at(22, 17))  # still the 21st
    feed.tz, feed.deadline = KIRITIMATI, EARLIEST

    assert feed.read(at(22, 17)) == {
        "20261121": (at(21, 18), at(22, 17)),
        "20261122": (at(22, 17), at(22, 17)),
        "20261123": (at(22, 17), at(22, 17)),
        "20261124": (at(22, 17), at(23, 17)),
    }


def test_a_deadline_that_moves_and_comes_back_on_the_same_day() -> None:
    """From -17 h to +6 h and back: nothing is counted twice, and no hour is left out."""
    feed = Place(deadline=EARLIEST)
    feed.read(at(20, 10))
    feed.deadline = LATEST
    assert feed.read(at(20, 11)) == {"20261121": (at(20, 7), at(22, 6))}
    feed.deadline = EARLIEST
    assert feed.read(at(20, 12)) == {"20261121": (at(20, 7), at(21, 7))}
    feed.deadline = LATEST
    assert feed.read(at(21, 7.25), lookback=1) == {
        "20261121": (at(20, 7), at(21, 7)),
        "20261122": (at(21, 7), at(23, 6)),
    }
    feed.deadline = EARLIEST
    assert feed.read(at(22, 8)) == {
        "20261122": (at(21, 7), at(22, 7)),
        "20261123": (at(22, 7), at(23, 7)),
    }


def test_a_started_day_keeps_its_start_when_the_deadline_moves_later() -> None:
    """What was counted for the first day ever read stays its own; the day before ends there."""
    feed = Place()
    feed.read(at(20, 10))
    feed.deadline = 3 * HOUR

    assert feed.read(at(20, 11), lookback=1) == {
        "20261119": (at(19, 3), at(20)),
        "20261120": (at(20), at(21, 3)),
    }


def test_a_clock_that_went_back_moves_no_day() -> None:
    """With a `now` before the last read the day that was read goes on."""
    feed = Place()
    feed.read(at(20, 10))

    assert feed.read(at(20, 9)) == {"20261120": (at(20), at(21))}

    feed.read(at(21, 0.1))
    feed.known.pop("20261120")
    assert feed.read(at(20, 23.9)) == {"20261120": (at(20), at(21))}

    feed = Place()
    feed.read(at(20, 20))
    feed.tz = TOKYO
    assert feed.read(at(20, 18))["20261121"] == (at(20, 18), at(21, 15))


def test_a_backfill_ends_where_a_stored_day_starts() -> None:
    """Days before a change of the deadline are laid against the days that were read."""
    feed = Place()
    feed.read(at(20, 12), lookback=1)
    feed.deadline = LATEST

    assert feed.backfill("20261117", "20261118", at(20, 12)) == {
        "20261117": (at(17, 6), at(18, 6)),
        "20261118": (at(18, 6), at(19)),
    }
    assert feed.backfill("20261120", "20261120", at(20, 13)) == {"20261120": (at(20), at(21, 6))}


def test_a_backfill_starts_where_the_day_before_ended() -> None:
    """Also where that day was never read again since its person flew east."""
    feed = Place()
    feed.read(at(20, 18))
    feed.tz = TOKYO

    assert feed.backfill("20261121", "20261121", at(20, 19)) == {
        "20261121": (at(20, 18), at(21, 15))
    }
    # The row of the 20th was not written again. By that it would last until midnight.
    assert feed.known["20261120"].window.ends_at == at(21)
    found = bounds.days_to_read(
        at(21, 1), tz=TOKYO, deadline=0, lookback=1, since=None, known=feed.known
    )
    assert [(day.starts_at, day.ends_at) for day in found] == [
        (at(20), at(20, 18)),
        (at(20, 18), at(21, 15)),
    ]
    feed.tz = ZoneInfo("Asia/Kolkata")  # where the 20th ended at 18:30 UTC
    assert feed.read(at(20, 19.5))["20261120"] == (at(20), at(20, 18))


def test_days_before_since_keep_what_was_counted_for_them() -> None:
    """A day that is not read any more, and far behind after a flight, still ends when it did."""
    feed = Place(BAKER, LATEST)
    feed.read(at(22, 17))  # still the 21st
    feed.tz, feed.deadline = KIRITIMATI, EARLIEST

    assert feed.read(at(22, 17.1), since="20261123") == {
        "20261123": (at(22, 17), at(22, 17)),
        "20261124": (at(22, 17), at(23, 17)),
    }


def test_no_day_that_has_not_begun_is_backfilled() -> None:
    """Today may be; tomorrow is an error that names today; nothing lies between reversed days."""
    feed = Place()
    assert list(feed.backfill("20261119", "20261120", at(20, 12))) == ["20261119", "20261120"]
    assert feed.backfill("20261120", "20261119", at(20, 12)) == {}
    with pytest.raises(ValueError, match="20261121 has not begun: today is 20261120"):
        feed.backfill("20261119", "20261121", at(20, 12))
    with pytest.raises(ValueError, match="no daystamp"):
        feed.backfill("yesterday", "20261119", at(20, 12))
