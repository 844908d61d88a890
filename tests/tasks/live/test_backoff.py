"""Reconnecting: soon, not all at once, and not for ever."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.live import backoff
from tasks.live.backoff import FRESH, Tries

NOW = 1_800_000_000.0
seeds = st.integers(0, 2**32).map(random.Random)


@given(rng=seeds, failed=st.integers(0, 10**6))
def test_pauses_double_up_to_a_minute(rng, failed):
    """From nothing up to a bound that doubles from one second to sixty."""
    bound = min(60.0, 2.0 ** min(max(failed, 1) - 1, 6))
    assert 0 <= backoff.pause(Tries(failed), rng=rng) <= bound


def test_pauses_are_spread_over_all_of_it():
    """Those who were cut off together don't come back together."""
    rng = random.Random(7)  # noqa: S311 -- jitter that repeats
    pauses = [backoff.pause(Tries(9), rng=rng) for _ in range(1000)]
    assert min(pauses) < 3
    assert max(pauses) > 57
    assert 25 < sum(pauses) / 1000 < 35


@given(rng=seeds, failed=st.integers(0, 20), asked=st.floats(0, 2.0**31))
def test_what_was_asked_for_is_never_undercut(rng, failed, asked):
    """Retry-After is the least, however long it is, and the crowd is spread after it."""
    pause = backoff.pause(Tries(failed), rng=rng, retry_after=asked)
    assert asked <= pause <= asked + 60
    assert backoff.pause(Tries(failed), rng=rng, retry_after=-5.0) >= 0


def test_what_stood_for_a_minute_makes_up_for_the_rest():
    """A connection that was good begins anew; one that ends at once goes on counting."""
    tries = FRESH
    for _ in range(3):
        tries = backoff.ended(tries, "again", stood=59.9)
    assert tries.failed == 3
    assert backoff.ended(tries, "again", stood=60.0).failed == 1


@pytest.mark.parametrize(
    ("verdict", "times"), [("done", 1), ("stop", 1), ("login", 2), ("few", 4), ("again", None)]
)
def test_when_it_is_left(verdict, times):
    """A token is renewed once, nonsense is met three times more, and outages never end it."""
    tries, ends = FRESH, []
    for _ in range(200):
        tries = backoff.ended(tries, verdict, stood=0.0)
        ends.append(backoff.gives_up(tries, verdict))
    assert (ends.index(True) + 1 if True in ends else None) == times


def test_a_token_that_ends_each_hour_is_renewed_each_hour():
    """What stood in between shows that the renewal was good."""
    tries = FRESH
    for _ in range(10):
        tries = backoff.ended(tries, "login", stood=3600.0)
        assert not backoff.gives_up(tries, "login")


@given(rng=seeds, lasts=st.none() | st.floats(1.0, 1e6))
def test_connections_are_changed_in_time(rng, lasts):
    """Before gateways cut them at two hours, before the token ends, and never at once."""
    ends = None if lasts is None else NOW + lasts
    at = backoff.planned(NOW, rng=rng, token_ends_at=ends)
    most = min(7200.0, lasts or 7200.0)
    assert NOW + most * 0.79 <= at < NOW + most


@given(rng=seeds, ago=st.floats(0, 1e6))
def test_a_token_that_had_ended_already_says_nothing(rng, ago):
    """The server let it in: a connection is not changed again and again for it."""
    assert backoff.planned(NOW, rng=rng, token_ends_at=NOW - ago) >= NOW + 5000


def test_silence():
    """Five minutes without a word."""
    assert not backoff.is_silent(NOW, now=NOW + 299)
    assert backoff.is_silent(NOW, now=NOW + 300)
