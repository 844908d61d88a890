"""Which days are read: the look-back, and what was missed before it."""

from collections.abc import Mapping

import pytest

from tasks import bounds, days
from tasks.bounds import Known
from tests.tasks.places import DAY, UTC_ZONE, Place, at


def stamps(known: Mapping[str, Known], now: float, **more: object) -> list[str]:
    """The days that would be read in UTC with a deadline of midnight."""
    facts = {"tz": UTC_ZONE, "deadline": 0, "lookback": 2, "since": None}
    return [day.daystamp for day in bounds.days_to_read(now, known=known, **(facts | more))]


def test_days_to_read_end_today_and_start_after_since() -> None:
    """Today and so many days before it, never before `since`, none when it lies ahead."""
    now = at(20, 12)

    assert stamps({}, now) == ["20261118", "20261119", "20261120"]
    assert stamps({}, now, lookback=0) == ["20261120"]
    assert stamps({}, now, since="20261119") == ["20261119", "20261120"]
    assert stamps({}, now, since="20261121") == []


def test_days_missed_while_nothing_ran_are_read() -> None:
    """From the day that was read last, before it had ended, however small the look-back."""
    feed = Place()
    feed.read(at(1, 9))
    feed.read(at(5, 15))

    assert list(feed.read(at(9, 9), lookback=2)) == [f"2026110{day}" for day in range(5, 10)]
    assert list(feed.read(at(9, 10), lookback=2)) == ["20261107", "20261108", "20261109"]


@pytest.mark.parametrize(
    ("read", "since", "first"),
    [
        ([], None, "20261118"),  # nothing known: the look-back only
        ([at(10, 9)], None, "20261110"),
        ([at(10, 9)], "20261112", "20261112"),
        ([at(10, 9)], "20261101", "20261110"),
        ([at(10, 9), at(11, 9)], None, "20261111"),
        ([at(19, 9)], None, "20261118"),
        ([at(1, 9) - 400 * DAY], None, "20251119"),
    ],
)
def test_where_catching_up_begins(read: list[float], since: str | None, first: str) -> None:
    """At what was not read to its end, within `since`, 366 days, and what was ever read."""
    feed = Place()
    for moment in read:
        feed.read(moment)

    assert stamps(feed.known, at(20, 12), since=since)[0] == first


@pytest.mark.parametrize("since", [None, "20261115"])
def test_catching_up_ends(since: str | None) -> None:
    """A day that can't be read any more does not make every sync a long one."""
    feed = Place()
    feed.read(at(1, 9) - 400 * DAY)
    feed.read(at(10, 9), lookback=0, since="20261110")
    feed.read(at(20, 12), since=since)

    assert len(feed.read(at(20, 13), lookback=2, since=since)) == 3


def test_a_hole_that_nobody_asked_for_is_not_filled() -> None:
    """After an outage no more than what it cost is read: a partial backfill stays partial."""
    feed = Place()
    feed.read(at(10, 9), lookback=2)
    feed.backfill("20261001", "20261003", at(10, 9))

    assert stamps(feed.known, at(20, 12))[0] == "20261110"


def test_a_feed_that_was_only_backfilled_goes_on_from_there() -> None:
    """With no sync yet, days between the last one filled and the look-back are not left out."""
    feed = Place()
    feed.backfill("20261110", "20261112", at(13, 9))

    assert stamps(feed.known, at(20, 12))[0] == "20261112"


def test_an_outage_is_caught_up_also_after_a_backfill() -> None:
    """Days in the middle that were filled since do not hide those that were missed before them."""
    feed = Place()
    feed.read(at(5, 15))
    feed.backfill("20261112", "20261119", at(20, 11))

    assert stamps(feed.known, at(20, 12), lookback=0)[0] == "20261105"


def test_a_day_read_in_its_last_second_is_read_again() -> None:
    """Only what was asked for after the end of the day counts as read to its end."""
    feed = Place()
    feed.read(at(21) - 0.5)
    assert list(feed.read(at(21))) == ["20261120", "20261121"]
    assert list(feed.read(at(21) + 1)) == ["20261121"]


def test_a_day_that_was_only_pinned_is_not_caught_up_on() -> None:
    """It stands in the ledger and was never read: the days after it are nobody's wish either."""
    window = days.window(days.parse("20260801"), UTC_ZONE, 0)

    assert stamps({"20260801": Known(window, None)}, at(20, 12))[0] == "20261118"
