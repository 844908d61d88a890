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


@given(wait=st.integers(min_value=0, max_value=2**31))
def test_whole_seconds(wait):
    """A number is that many seconds, whatever the time is and whatever zeros it begins with."""
    assert seconds(str(wait), now=math.nan) == wait
    assert seconds(f"{wait:020d}") == wait


@pytest.mark.parametrize(
    "value",
    ["99999999999", "9" * 5000, "0" * 20 + "9" * 20, "Fri, 31 Dec 9999 23:59:60 GMT"],
)
def test_huge_is_the_longest(value):
    """A wait that is too long to be told apart is waited for, and fits into any calendar."""
    assert seconds(value) == retry_after.LONGEST
    assert seconds(value, server_date="Sat, 01 Jan 0001 00:00:00 GMT") == retry_after.LONGEST
    dt.datetime.fromtimestamp(NOW + 50 * 366 * 86400 + retry_after.LONGEST, dt.UTC)


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 6 Nov 1994 08:50:37 GMT",
        "Sun, 06 Nov 1994 08:50:37 UTC",
        "Sun, 06 Nov 1994 08:50:37 +0000",
        "Sun, 06 Nov 1994 08:50:37 -0000",
        "Sun, 06 Nov 1994 08:50:37",
        "Sun Nov 06 08:50:37 1994",
        "Mon, 06 Nov 1994 08:50:37 GMT",
        " \tSun, 06 Nov 1994 08:50:37 GMT\t ",
    ],
)
def test_what_mail_software_writes(date):
    """A date that can mean only one instant means it, and the day's name proves nothing."""
    assert seconds(date) == 60


def test_measured_by_the_servers_clock():
    """A server whose clock is an hour off still means a minute when it says a minute."""
    assert (
        seconds("Sun, 06 Nov 1994 09:50:37 GMT", server_date="Sun, 06 Nov 1994 09:49:37 GMT") == 60
    )
    assert seconds("Sun, 06 Nov 1994 08:50:37 GMT", server_date="some time ago") == 60


@given(
    wait=st.integers(min_value=0, max_value=10**8),
    server=st.floats(min_value=NOW, max_value=NOW + 10**9),
    ours=st.floats(min_value=0, max_value=4e9),
    forms=st.tuples(st.sampled_from(FORMS), st.sampled_from(FORMS)),
)
def test_never_earlier_by_any_clock(wait, server, ours, forms):
    """Asked for a date, we wait until the server's clock shows it, however wrong ours is."""
    date, until = (
        at.strftime(form.format(day=at.day))
        for form, at in zip(
            forms,
            (dt.datetime.fromtimestamp(math.floor(server + ahead), dt.UTC) for ahead in (0, wait)),
            strict=True,
        )
    )
    # A two-digit year is read by our own clock where it stands in `Date`: it has to be near.
    ours = ours if forms[0] != FORMS[1] else server
    asked = seconds(until, server_date=date, now=ours)
    assert server + asked >= math.floor(server + wait)
    assert asked == math.floor(server + wait) - math.floor(server)


def test_the_earliest_of_several_server_dates():
    """A proxy that adds its own Date does not make a wait shorter."""
    dates = "Sun, 06 Nov 1994 08:50:30 GMT, Sunday, 06-Nov-94 08:49:37 GMT, today"
    assert seconds("Sun, 06 Nov 1994 08:50:37 GMT", server_date=dates) == 60


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
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:50:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        ",",
        "Sun",
        "5\x00",
        "\u00a05",
        "0x5",
        "Sun, 06 Nov 1994 08:50:37 EST",
        "Sun, 06 Nov 1994 08:50:37 +0100",
        "Sun 06 Nov 1994 08:50:37 GMT",
        "Son, 06 Nov 1994 08:50:37 GMT",
        "Sun, 06 Okt 1994 08:50:37 GMT",
        "Sun, 06 Nov ١٩٩٤ 08:50:37 GMT",
    ],
)
def test_malformed_is_none(value):
    """What is no Retry-After names no time."""
    assert seconds(value) is None


def test_longest_of_several():
    """Of several headers the longest wait holds; bad ones don't count."""
    assert seconds("10", "Sun, 06 Nov 1994 08:50:37 GMT", "never") == 60
    assert seconds("-10", "5") == 5
    assert seconds("0", "") == 0
    assert seconds() is None


@given(
    values=st.lists(
        st.sampled_from(
            [
                "0",
                "5",
                "90",
                "",
                "never",
                "-7",
                "Sun, 06 Nov 1994 08:50:37 GMT",
                "Sunday, 06-Nov-94 08:51:37 GMT",
                "Sun Nov  6 08:52:37 1994",
            ]
        )
    ),
    comma=st.sampled_from([",", ", ", " ,\t"]),
)
def test_folded_by_a_proxy(values, comma):
    """Lines that a proxy folds into one ask for the same wait as before."""
    assert seconds(comma.join(values)) == seconds(*values)


@given(
    values=st.lists(st.text(max_size=40) | st.text(string.digits + " ,:-GMTSunNov", max_size=40)),
    server_date=st.none() | st.text(max_size=40) | st.just("Sunday, 06-Nov-94 08:49:37 GMT"),
    now=st.floats(),
)
@example(values=["Sunday, 06-Nov-94 08:49:37 GMT"], server_date=None, now=math.nan)
@example(values=["Sunday, 06-Nov-94 08:49:37 GMT"], server_date=None, now=1e300)
@example(values=["Sunday, 06-Nov-94 08:49:37 GMT"], server_date=None, now=-math.inf)
def test_total(values, server_date, now):
    """Nothing that stands in a header raises, and no wait is negative or endless."""
    wait = seconds(*values, server_date=server_date, now=now)
    assert wait is None or 0 <= wait <= retry_after.LONGEST
