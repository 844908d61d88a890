"""What a trial says: days that end with today, and one expectation for each of them."""

import pytest

from tasks.trial import DAY, NOON, Feed, utc_days


def test_the_days_end_with_the_one_that_runs():
    """Three days of UTC, joined, and now is in the last."""
    days = utc_days(NOON, 3)
    assert [day.daystamp for day in days] == ["20261118", "20261119", "20261120"]
    assert all(day.ends_at - day.starts_at == DAY for day in days)
    assert days[0].ends_at == days[1].starts_at
    assert days[-1].starts_at <= NOON < days[-1].ends_at


def test_a_feed_expects_one_value_or_one_for_each_day():
    """A day that was forgotten is no silent "nothing"."""
    assert Feed(metric="m", params={}, expected=2.0).on("20261120") == 2.0
    assert Feed(metric="m", params={}).on("20261120") is None
    with pytest.raises(KeyError):
        Feed(metric="m", params={}, expected={"20261119": 1.0}).on("20261120")
