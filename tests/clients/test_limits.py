"""What vendors say about limits is understood, and no more than they say."""

import dataclasses
import datetime as dt
import math
import string

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients import limits, retry_after
from clients.limits import Limits

DATE = "Tue, 20 Aug 2013 14:50:41 GMT"  # of the vendor's example
NOW = 1_377_009_666.0  # by our clock, which is ten minutes slow
COUNTS = st.integers(min_value=0, max_value=10**6)
FIELDS = (
    "Date",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    *(f"{x}RateLimit-{name}" for x in ("", "X-") for name in ("Limit", "Remaining", "Reset")),
)


def read(*pairs, now=NOW):
    raw = [(name.encode(), value.encode()) for name, value in pairs]
    return limits.read(httpx.Headers(raw), now=now)


def three(limit, remaining, reset, prefix="X-RateLimit"):
    names = ("Limit", "Remaining", "Reset")
    return [
        (f"{prefix}-{name}", str(value))
        for name, value in zip(names, (limit, remaining, reset), strict=True)
    ]


def said(**told):
    return {name: told.get(name) for name in ("limit", "window", "remaining", "reset_after")}


def quota(found):
    return {name: value for name, value in dataclasses.asdict(found).items() if name in said()}


def test_bm_parts():
    """BM Parts names the instant of its reset, by its own clock."""
    found = read(("Date", DATE), *three(120, 0, 1377013266))
    assert quota(found) == said(limit=120, remaining=0, reset_after=3025.0)
    assert found.wait == 3025.0
    assert read(*three(10000, 4987, int(NOW) + 60)).reset_after == 60.0


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        ({}, None),
        ({"retry_after": 5.0}, 5.0),
        ({"retry_after": 0.0, "remaining": 0, "reset_after": 9.0}, 0.0),
        ({"retry_after": 5.0, "remaining": 0, "reset_after": 9.0}, 5.0),
        ({"remaining": 0, "reset_after": 9.0}, 9.0),
        ({"remaining": 0}, None),
        ({"remaining": 1, "reset_after": 9.0}, None),
        ({"reset_after": 9.0}, None),
    ],
)
def test_wait(told, wait):
    """Retry-After goes first; a reset is waited for only where nothing is left."""
    assert Limits(**told).wait == wait


DRAFTS = {
    "revision 11": (
        [("RateLimit-Policy", '"default";q=100;w=10'), ("RateLimit", '"default";r=50;t=30')],
        said(limit=100, window=10, remaining=50, reset_after=30),
    ),
    "no time, a partition": (
        [("RateLimit", '"default";r=999;pk=:dHJpYWwxMjEzMjM=:')],
        said(remaining=999),
    ),
    "the policy alone, the smaller of two": (
        [("RateLimit-Policy", '"perhr";q=1000;w=3600,"permin";q=50;w=60')],
        said(limit=50, window=60),
    ),
    "the policy alone, the longer of two": (
        [("RateLimit-Policy", '"sec";q=50;w=1'), ("RateLimit-Policy", '"min";q=50;w=60')],
        said(limit=50, window=60),
    ),
    "the one that is told of, of two": (
        [
            ("RateLimit-Policy", '"hour";q=1000;w=3600, "day";q=5000;w=86400'),
            ("RateLimit", '"day";r=100;t=36000'),
        ],
        said(limit=5000, window=86400, remaining=100, reset_after=36000),
    ),
    "the fewest left, of two": (
        [
            ("RateLimit-Policy", '"burst";q=10;w=10, "daily";q=20;w=86400'),
            ("RateLimit", '"burst";r=10;t=1, "daily";r=0;t=70124'),
        ],
        said(limit=20, window=86400, remaining=0, reset_after=70124),
    ),
    "the longest wait, of two that are used up, in two lines": (
        [("RateLimit", '"a";r=0;t=1'), ("RateLimit", '"b";r=0;t=7')],
        said(remaining=0, reset_after=7),
    ),
    "bytes and connections are no requests": (
        [
            ("RateLimit-Policy", '"bw";q=9;w=1;qu="content-bytes"'),
            ("RateLimit-Policy", '"now";q=5;qu="concurrent-requests", "r";q=7;qu="requests"'),
            ("RateLimit", '"bw";r=0;t=9, "now";r=0, "r";r=3;t=2'),
        ],
        said(limit=7, remaining=3, reset_after=2),
    ),
    "tokens for names": (
        [("RateLimit-Policy", "a;q=10;w=1"), ("RateLimit", "a;r=3;t=1")],
        said(limit=10, window=1, remaining=3, reset_after=1),
    ),
    "revision 07": (
        [("RateLimit-Policy", "100;w=60"), ("RateLimit", "limit=100, remaining=0, reset=30")],
        said(limit=100, window=60, remaining=0, reset_after=30),
    ),
    "revision 06": (
        [("RateLimit-Policy", "10;w=1, 50;w=60"), *three(50, 0, 9, "RateLimit")],
        said(limit=50, window=60, remaining=0, reset_after=9),
    ),
    "revision 03, as Envoy writes it": (
        three("10, 10;w=1;name=a, 1000;w=3600", 4, 1),
        said(limit=10, window=1, remaining=4, reset_after=1),
    ),
    "the draft without a policy beside what is older": (
        [("RateLimit", '"requests";r=3;t=20'), *three(100, 3, int(NOW) + 20)],
        said(limit=100, remaining=3, reset_after=20),
    ),
    "the draft beside what is older": (
        [
            ("RateLimit-Policy", '"requests";q=100;w=60'),
            ("RateLimit", '"requests";r=3;t=20'),
            *three(100, 3, int(NOW) + 20),
        ],
        said(limit=100, window=60, remaining=3, reset_after=20),
    ),
}


@pytest.mark.parametrize(("pairs", "expected"), DRAFTS.values(), ids=DRAFTS)
def test_drafts(pairs, expected):
    """Each revision of the draft means what it says, and of several quotas the strictest counts."""
    assert quota(read(*pairs)) == expected
    assert quota(read(*reversed(pairs))) == expected


RESETS = {
    "0": 0.0,
    "30": 30.0,
    "999999999": 999_999_999.0,
    "1000000000": 0.0,  # an instant, and over
    "1377009726": 60.0,
    "1377009726500": 60.5,
    "1377009606": 0.0,
    "99999999999": retry_after.LONGEST,
    "9" * 5000: retry_after.LONGEST,
    "10, 30": 30.0,
    "-5": None,
    "1.5": None,
    "٣": None,
    "30s": None,
    "Tue, 20 Aug 2013 14:50:41 GMT": None,
    "30\x00": None,
    "": None,
}


@pytest.mark.parametrize("prefix", ["RateLimit", "X-RateLimit"])
@pytest.mark.parametrize(("reset", "expected"), RESETS.items(), ids=[key[:20] for key in RESETS])
def test_resets(reset, expected, prefix):
    """A reset is seconds or an instant; a bad one is ignored, what stands beside it is not."""
    found = read(*three(100, 0, reset, prefix))
    assert quota(found) == said(limit=100, remaining=0, reset_after=expected)


@pytest.mark.parametrize("none", ["0", "-1", "-17", "0.0", "00.00", "-0.5", "5, -1"])
@pytest.mark.parametrize("prefix", ["X-RateLimit", "RateLimit"])
def test_what_is_no_more_than_nothing_is_nothing(none, prefix):
    """Some count on below zero, or in decimals: either way nothing is left."""
    found = read(*three(100, none, 30, prefix=prefix))
    assert quota(found) == said(limit=100, remaining=0, reset_after=30)
    assert found.wait == 30


def test_a_limit_below_zero_is_no_limit():
    """Some say -1 of -1 where they mean that nobody counts."""
    assert quota(read(*three(-1, -1, 30))) == said(reset_after=30)


@pytest.mark.parametrize("bad", ["--1", "ten", "1e3", "0x1", "", "٣", "1 0", "5;x"])
def test_bad_counts(bad):
    """What is no count is not told; least of all is it nothing left."""
    assert quota(read(*three(100, bad, 30))) == said(limit=100, reset_after=30)
    assert quota(read(*three(bad, 5, 30))) == said(remaining=5, reset_after=30)
    assert quota(read(*three("-1", 5, 30))) == said(remaining=5, reset_after=30)


@pytest.mark.parametrize(
    "bad",
    ['"a";r=0;t=9,', '"a";r=-1;t=9', '"a";r="0"', '"a";r;t=9', '"a";t=9', "r=0;t=9", '("a");r=0'],
)
def test_malformed_drafts(bad):
    """A service limit that does not fit is ignored, and the one beside it is read."""
    assert quota(read(("RateLimit", bad))) == said()
    assert quota(read(("RateLimit", bad), ("RateLimit", '"b";r=5;t=2'))) == said(
        remaining=5, reset_after=2
    )
    assert quota(read(("RateLimit", bad), *three(9, 5, 2))) == said(
        limit=9, remaining=5, reset_after=2
    )


def test_bad_times_of_the_draft():
    """A limit without a good time is a limit still."""
    found = read(("RateLimit-Policy", '"a";q=9;w=0'), ("RateLimit", '"a";r=0;t=1.5'))
    assert quota(found) == said(limit=9, remaining=0)


def test_repeated():
    """Lines that are there twice, or folded, count once: the strictest."""
    assert quota(read(*three("100, 50", "7, 0", "10, 30"))) == said(
        limit=50, remaining=0, reset_after=30
    )
    assert quota(read(*three(100, 7, 10), *three(50, 0, 30))) == said(
        limit=50, remaining=0, reset_after=30
    )


def test_retry_after_stands_for_itself():
    """Retry-After is read beside all else, by the server's clock."""
    found = read(("Date", DATE), ("Retry-After", "Tue, 20 Aug 2013 14:51:41 GMT"), *three(9, 3, 7))
    assert found == Limits(retry_after=60.0, limit=9, remaining=3, reset_after=7.0)
    assert read() == Limits()


@given(
    quotas=st.lists(
        st.tuples(COUNTS, st.integers(min_value=1, max_value=10**6), COUNTS, COUNTS), min_size=1
    )
)
def test_the_strictest_of_many(quotas):
    """Whatever the order, none that is told of has fewer requests left, or as few for longer."""
    policies = ", ".join(f'"{n}";q={q};w={w}' for n, (q, w, _, _) in enumerate(quotas))
    rests = ", ".join(f'"{n}";r={r};t={t}' for n, (_, _, r, t) in enumerate(quotas))
    found = read(("RateLimit-Policy", policies), ("RateLimit", rests))
    told = (found.limit, found.window, found.remaining, found.reset_after)
    assert told in quotas
    assert (found.remaining, -found.reset_after) == min((r, -t) for _, _, r, t in quotas)


@given(server=st.integers(min_value=10**9, max_value=3 * 10**9), ahead=COUNTS, now=st.floats())
def test_instants_by_the_servers_clock(server, ahead, now):
    """A reset is never waited for shorter than the server's own clock says, whatever ours does."""
    date = dt.datetime.fromtimestamp(server, dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert read(("Date", date), *three(9, 0, server + ahead), now=now).wait == ahead


@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from(FIELDS),
            st.binary(max_size=40)
            | st.text(string.digits + ' ,;="qrtw-.:GMTSunNov', max_size=60).map(str.encode)
            | st.sampled_from([b'"a";r=0;t=5', b'"a";q=7;w=2', b"0", b"9" * 30]),
        )
    ),
    now=st.floats(),
)
@example(pairs=[("RateLimit", b'"a";r=999999999999999;t=999999999999999')], now=NOW)
@example(pairs=[("RateLimit-Policy", b'"a";q=999999999999999;w=999999999999999')], now=NOW)
@example(pairs=[("X-RateLimit-Reset", b"1" * 5000)], now=-math.inf)
@example(pairs=[("X-RateLimit-Reset", b"1377013266")], now=math.nan)
def test_total(pairs, now):
    """Any bytes in any header are answered with numbers within the bounds that are promised."""
    found = limits.read(httpx.Headers([(name.encode(), value) for name, value in pairs]), now=now)
    for seconds in (found.retry_after, found.reset_after, found.wait):
        assert seconds is None or 0 <= seconds <= retry_after.LONGEST
    assert found.window is None or 1 <= found.window <= retry_after.LONGEST
    for count in (found.limit, found.remaining):
        assert count is None or 0 <= count <= limits.MOST
