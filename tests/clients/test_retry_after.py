"""Retry-After is read right or not at all, whatever stands in it."""

import datetime as dt
import math
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients import retry_after

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the instant of RFC 9110's examples
FORMS = (
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b {day:>2} %H:%M:%S %Y",
)
INSTANTS = st.datetimes(min_value=dt.datetime(1995, 1, 1), max_value=dt.datetime(2043, 12, 31))  # noqa: DTZ001  # UTC by what follows


def seconds(*values, server_date=None, now=NOW):
    return retry_after.seconds(list(values), server_date=server_date, now=now)


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 1994 08:50:37 GMT",
        "Sunday, 06-Nov-94 08:50:37 GMT",
        "Sun Nov  6 08:50:37 1994",
    ],
)
def test_three_forms_of_a_date(date):
    """All three forms that RFC 9110 obliges a recipient to read mean the same instant."""
    assert seconds(date) == 60


@given(at=INSTANTS, form=st.sampled_from(FORMS))
def test_dates_round_trip(at, form):
    """Any date that a server writes is read to the second."""
    at = at.replace(microsecond=0, tzinfo=dt.UTC)
    written = at.strftime(form.format(day=at.day))
    assert seconds(written) == at.timestamp() - NOW


@given(wait=st.integers(min_value=0, max_value=10**9))
def test_whole_seconds(wait):
    """A number is that many seconds, whatever the time is."""
    assert seconds(str(wait), now=math.nan) == wait


def test_measured_by_the_servers_clock():
    """A server whose clock is an hour off still means a minute when it says a minute."""
    assert (
        seconds("Sun, 06 Nov 1994 09:50:37 GMT", server_date="Sun, 06 Nov 1994 09:49:37 GMT") == 60
    )
    assert seconds("Sun, 06 Nov 1994 08:50:37 GMT", server_date="some time ago") == 60


def test_past_dates_mean_now():
    """A date that is over asks for no wait, and never for a negative one."""
    assert seconds("Sun, 06 Nov 1994 08:49:36 GMT") == 0


def test_two_digit_years_turn_over():
    """A two-digit year more than 50 years ahead is one of the century before."""
    assert seconds("Sunday, 06-Nov-44 08:49:37 GMT") > 0
    assert seconds("Sunday, 06-Nov-45 08:49:37 GMT") == 0


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-5",
        "+5",
        "5.5",
        "1e3",
        "5 s",
        "soon",
        "٣",
        "9" * 5000,
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "5,",
    ],
)
def test_malformed_is_none(value):
    """What is no Retry-After names no time."""
    assert seconds(value) is None


def test_longest_of_several():
    """Of several headers, or of a folded one, the longest wait holds; bad ones don't count."""
    assert seconds("10", "Sun, 06 Nov 1994 08:50:37 GMT", "never") == 60
    assert seconds("5, 90") == 90
    assert seconds() is None


@given(
    values=st.lists(st.text(max_size=40) | st.text(string.digits + " ,:-GMTSunNov", max_size=40)),
    server_date=st.none() | st.text(max_size=40) | st.just("Sunday, 06-Nov-94 08:49:37 GMT"),
    now=st.floats(),
)
@example(values=["Sunday, 06-Nov-94 08:49:37 GMT"], server_date=None, now=math.nan)
@example(values=["Sunday, 06-Nov-94 08:49:37 GMT"], server_date=None, now=1e300)
@example(values=["Sunday, 06-Nov-94 08:49:37 GMT"], server_date=None, now=-math.inf)
def test_total(values, server_date, now):
    """Nothing that stands in a header raises, and no wait is negative."""
    wait = seconds(*values, server_date=server_date, now=now)
    assert wait is None or wait >= 0
