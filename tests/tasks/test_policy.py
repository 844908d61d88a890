"""When something is tried again: soon at first, bounded later, never before it was asked for."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.errors import NotFound, RateLimited, Unavailable
from tasks import policy

seeds = st.integers(0, 2**32).map(random.Random)
ages = st.floats(0, 10 * policy.DAY)


@given(attempts=st.integers(0, 10_000), age=ages, rng=seeds)
def test_waits_are_bounded(attempts: int, age: float, rng: random.Random) -> None:
    """Half a second at least; thirty seconds at most while the trouble is young, then 15 min."""
    seconds = policy.delay(policy.SYNC, attempts, age=age, rng=rng)
    assert 0.5 <= seconds <= (30 if age < 600 else 900)


@given(rng=seeds)
def test_the_first_retry_comes_within_five_seconds(rng: random.Random) -> None:
    """A first failure is tried again at once, nearly."""
    assert policy.delay(policy.SYNC, 1, age=0, rng=rng) <= 5


@given(
    hint=st.floats(2, 10_000),
    attempts=st.integers(0, 50),
    age=ages,
    rng=seeds,
    limited=st.booleans(),
)
def test_a_hint_is_never_undercut(
    hint: float, attempts: int, age: float, rng: random.Random, *, limited: bool
) -> None:
    """Whatever the server names is waited for, and a limit is not waited for longer."""
    error = (RateLimited if limited else Unavailable)("x", retry_after=hint)
    seconds, deferred = policy.wait(error, attempts=attempts, deferrals=0, age=age, rng=rng)
    assert seconds >= hint
    assert deferred is limited
    if limited:
        assert seconds == hint


@given(rng=seeds, hint=st.sampled_from([None, 0.0, 0.3]))
def test_a_limit_without_a_usable_hint(rng: random.Random, hint: float | None) -> None:
    """Ten seconds at most the first time, and never at once: that would be a storm."""
    seconds, deferred = policy.wait(
        RateLimited("x", retry_after=hint), attempts=0, deferrals=0, age=0, rng=rng
    )
    assert 1 <= seconds <= 10
    assert deferred


def test_waits_spread() -> None:
    """Workers that failed together do not come back together."""
    rngs = [random.Random(n) for n in range(20)]  # noqa: S311 -- repeatable
    waits = {policy.delay(policy.SYNC, 5, age=0, rng=rng) for rng in rngs}
    assert len(waits) == 20
    assert max(waits) - min(waits) > 5


@pytest.mark.parametrize("request_id", [None, "abc"])
def test_an_error_as_it_is_stored(request_id: str | None) -> None:
    """Code, where it happened, what, and the vendor's request id where there is one."""
    stored = policy.as_json(NotFound("gone", request_id=request_id), where="source plant")

    assert stored["code"] == "not_found"
    assert stored["message"] == "source plant: gone"
    assert stored.get("request_id") == request_id
