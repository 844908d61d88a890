"""When something is tried again: soon at first, bounded later, never before it was asked for."""

import math
import random
from dataclasses import dataclass, field, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.errors import (
    AuthFailed,
    ClientError,
    NotFound,
    RateLimited,
    Unavailable,
    UnexpectedResponse,
)
from tasks import policy
from tasks.policy import Again, Policy, Stop, Tried

NOW = 1_800_000_000.0
TABLE = {name: value for name, value in vars(policy).items() if isinstance(value, Policy)}

seeds = st.integers(0, 2**32).map(random.Random)
policies = st.sampled_from(list(TABLE.values()))
counts = st.integers(0, 10_000)
ages = st.floats(0, 100 * policy.DAY)
trouble = st.builds(
    Tried, attempts=counts, deferrals=counts, garbled=counts, age=ages, deferred_for=ages
)
hints = st.none() | st.floats(0, 1e10)


@dataclass
class Deferral:
    """What a gate raises."""

    until: float
    error: dict[str, str] = field(default_factory=lambda: {"code": "c", "message": "m"})


def decide(
    how: Policy, error: ClientError | Deferral, tried: Tried | None = None, **more: float
) -> Again | Stop:
    """What becomes of it, with a jitter that repeats."""
    rng = random.Random(7)  # noqa: S311 -- repeatable
    return policy.decide(how, error, tried or Tried(), now=NOW, rng=rng, **more)


@pytest.mark.parametrize("name", TABLE)
def test_every_policy_is_one(name: str) -> None:
    """No number is negative, the caps grow, and what dies by its age has some chance before."""
    how = TABLE[name]
    numbers = [getattr(how, each.name) for each in fields(how)]
    assert all(number >= 0 for number in numbers)
    assert 0 < how.floor < how.first <= how.early <= how.late
    # Somebody sits in front of a page and waits.
    assert how.dead_after >= (10 * how.late if how is policy.ERRAND else policy.DAY)
    assert how.deferred_for < how.dead_after


@given(how=policies, attempts=counts, age=ages, rng=seeds)
def test_waits_are_bounded(how: Policy, attempts: int, age: float, rng: random.Random) -> None:
    """Never below the floor, never above the cap of young trouble, then of old trouble."""
    seconds = policy.delay(how, attempts, age=age, rng=rng)
    assert how.floor <= seconds <= (how.early if age < how.young_for else how.late)


@given(rng=seeds, attempts=counts, age=st.floats(0, 599))
def test_what_a_callback_waits_for_is_tried_often(
    rng: random.Random, attempts: int, age: float
) -> None:
    """Within 5 s after the first failure, at gaps of 30 s at most during the first ten minutes."""
    for how in (policy.SYNC, policy.CALLBACK):
        assert policy.delay(how, 1, age=age, rng=rng) <= 5
        assert policy.delay(how, attempts, age=age, rng=rng) <= 30


@given(how=policies, hint=st.floats(2, 1e10), tried=trouble, rng=seeds, limited=st.booleans())
def test_a_hint_is_never_undercut(
    how: Policy, hint: float, tried: Tried, rng: random.Random, *, limited: bool
) -> None:
    """Whatever the server names is waited for, however often and however long it was tried."""
    error = (RateLimited if limited else Unavailable)("x", retry_after=hint)
    decided = policy.decide(how, error, tried, now=NOW, rng=rng)
    if isinstance(decided, Again):
        assert decided.seconds >= hint
        assert decided.deferred is limited
        if limited and how.deferred_floor <= hint:
            assert decided.seconds == hint
    else:
        assert decided.dead


@given(how=policies, wait=st.floats(-1e6, 1e9), tried=trouble, rng=seeds)
def test_a_deferral_is_never_shortened(
    how: Policy, wait: float, tried: Tried, rng: random.Random
) -> None:
    """Before its time nothing is tried, also not when it is free no more."""
    decided = policy.decide(how, Deferral(NOW + wait), tried, now=NOW, rng=rng)
    if isinstance(decided, Again):
        assert decided.deferred
        assert NOW + decided.seconds >= max(NOW, NOW + wait)


@given(how=policies, tried=trouble, rng=seeds, hint=hints, permanent=st.booleans())
def test_a_decision_is_always_made(
    how: Policy, tried: Tried, rng: random.Random, hint: float | None, *, permanent: bool
) -> None:
    """Total: whatever came before, the answer is a finite time or a reason."""
    error = NotFound("x") if permanent else Unavailable("x", retry_after=hint)
    decided = policy.decide(how, error, tried, now=NOW, rng=rng)
    seconds = decided.look_again if isinstance(decided, Stop) else decided.seconds
    assert 0 < seconds < math.inf


@given(rng=seeds, hint=st.sampled_from([None, 0.0, 0.3]))
def test_a_limit_without_a_usable_hint(rng: random.Random, hint: float | None) -> None:
    """Ten seconds at most the first time, and never at once: that would be a storm."""
    error = RateLimited("x", retry_after=hint)
    decided = policy.decide(policy.SYNC, error, Tried(), now=NOW, rng=rng)
    assert isinstance(decided, Again)
    assert 1 <= decided.seconds <= 10
    assert decided.free


def test_refusals_in_a_row_without_a_hint_wait_longer_and_longer() -> None:
    """Somebody who says nothing but no is not asked every few seconds for ever."""
    error = RateLimited("x")

    def longest(deferrals: int, deferred_for: float) -> float:
        tried = Tried(deferrals=deferrals, deferred_for=deferred_for)
        rngs = [random.Random(n) for n in range(50)]  # noqa: S311 -- repeatable
        return max(policy.refused(error.retry_after, tried, rng=rng) for rng in rngs)

    assert longest(0, 0) <= 8 < longest(3, 60) <= 30 < longest(9, 700) <= 900


OFTEN, LONG = 10, policy.HOUR
LIMIT = Deferral(NOW + 60)


@pytest.mark.parametrize(
    ("deferrals", "deferred_for", "free"),
    [
        (0, 0.0, True),
        (OFTEN - 1, 9 * LONG, True),  # a few long closings: the vendor says when it is back
        (500, LONG - 1, True),  # many short ones: a queue at the gate
        (OFTEN, LONG, False),
    ],
)
def test_waiting_for_a_limit_is_free_up_to_a_ceiling(
    deferrals: int, deferred_for: float, *, free: bool
) -> None:
    """So often and so long at once: then each costs an attempt, and says why and what helps."""
    tried = Tried(deferrals=deferrals, deferred_for=deferred_for)
    decided = decide(policy.SYNC, LIMIT, tried)
    assert isinstance(decided, Again)
    assert (decided.seconds, decided.deferred, decided.free) == (60.0, True, free)
    stored = policy.as_json(LIMIT, where="source plant", decided=decided)
    if free:
        assert stored == LIMIT.error
    else:
        assert stored["code"] == "limited_for_long"
        assert stored["message"].startswith("m; a limit has put it off 10 times in 1 h; ")
        assert "`every`" in stored["message"]


GONE, GARBLED, DOWN = NotFound("gone"), UnexpectedResponse("?"), Unavailable("down")
WEEK = 7 * policy.DAY
HOURLY, DAILY = policy.HOUR, policy.DAY

STOPS = [
    (policy.SYNC, GONE, Tried(), Stop("not_found", DAILY)),
    (policy.SYNC, GONE, Tried(attempts=9, age=WEEK), Stop("not_found", DAILY)),
    (policy.SYNC, GARBLED, Tried(attempts=3, garbled=3), Stop("unexpected_response", 900.0)),
    (policy.CALLBACK, GONE, Tried(), Stop("not_found", DAILY)),
    (policy.CALLBACK, GARBLED, Tried(attempts=3, garbled=3), Stop("unexpected_response", 900.0)),
    (policy.CALLBACK, DOWN, Tried(attempts=1, age=DAILY), Stop("dead", DAILY, dead=True)),
    (policy.CALLBACK, LIMIT, Tried(age=DAILY), Stop("dead", DAILY, dead=True)),
    (policy.DEAUTHORIZE, DOWN, Tried(age=WEEK), Stop("dead", HOURLY, dead=True)),
    (policy.DEAUTHORIZE, GONE, Tried(age=WEEK), Stop("dead", HOURLY, dead=True)),
    (policy.BACKFILL, GONE, Tried(), Stop("not_found", DAILY)),
    (policy.BACKFILL, DOWN, Tried(attempts=10, age=WEEK), Stop("dead", DAILY, dead=True)),
    (policy.BACKFILL, LIMIT, Tried(deferrals=10, age=WEEK), Stop("dead", DAILY, dead=True)),
    (policy.RECONCILE, GONE, Tried(), Stop("not_found", DAILY)),
    (policy.RECONCILE, GARBLED, Tried(), Stop("unexpected_response", HOURLY)),
    (policy.DATASOURCE, AuthFailed("no"), Tried(), Stop("auth_failed", DAILY)),
]


@pytest.mark.parametrize(("how", "error", "tried", "expected"), STOPS)
def test_what_is_not_tried_again(
    how: Policy, error: ClientError, tried: Tried, expected: Stop
) -> None:
    """What a person has to mend ends at once, what has lasted for too long ends as dead."""
    assert decide(how, error, tried) == expected


AGAIN = [
    (policy.SYNC, GARBLED, Tried(attempts=2, garbled=2), 0.5, 12.0),
    (policy.SYNC, GARBLED, Tried(attempts=50, garbled=2), 0.5, 30.0),  # an outage came before
    (policy.SYNC, DOWN, Tried(attempts=4000, age=50 * policy.DAY), 0.5, 900.0),
    (policy.CALLBACK, DOWN, Tried(attempts=4000, age=DAILY - 1), 0.5, 900.0),
    (policy.DEAUTHORIZE, GONE, Tried(attempts=7, age=WEEK - 1), HOURLY, HOURLY),
    (policy.DEAUTHORIZE, DOWN, Tried(), 0.5, 5.0),
    (policy.BACKFILL, DOWN, Tried(), 0.5, 3.0),
    (policy.BACKFILL, DOWN, Tried(attempts=9), 0.5, 900.0),
    (policy.BACKFILL, DOWN, Tried(attempts=9, age=2 * WEEK), 0.5, 900.0),  # it was switched off
    (policy.RECONCILE, DOWN, Tried(), 3600.0, 5400.0),
    (policy.RECONCILE, LIMIT, Tried(), 3600.0, 3600.0),
    (policy.DATASOURCE, DOWN, Tried(), 60.0, 900.0),
    (policy.DATASOURCE, GARBLED, Tried(), 60.0, 900.0),
]


@pytest.mark.parametrize(("how", "error", "tried", "least", "most"), AGAIN)
def test_what_is_tried_again(
    how: Policy, error: ClientError, tried: Tried, least: float, most: float
) -> None:
    """Each kind of work at its own pace, as long as it is worth it."""
    decided = decide(how, error, tried)
    assert isinstance(decided, Again)
    assert least <= decided.seconds <= most


def test_a_vendor_that_answers_nonsense_is_looked_at_by_the_schedule() -> None:
    """It may mend itself: after a quarter of an hour, or when the feed's own time comes."""
    tried = Tried(attempts=3, garbled=3)
    assert decide(policy.SYNC, GARBLED, tried, every=7200.0) == Stop("unexpected_response", 7200.0)
    assert decide(policy.SYNC, GARBLED, tried, every=60.0) == Stop("unexpected_response", 900.0)
    assert decide(policy.SYNC, GONE, tried, every=7200.0) == Stop("not_found", DAILY)


def test_an_error_that_is_neither_is_a_mistake_of_ours() -> None:
    """The tree has two branches; what hangs on neither is not retried for ever in silence."""
    with pytest.raises(TypeError, match="neither"):
        decide(policy.SYNC, ClientError("x"))


def test_waits_spread() -> None:
    """Workers that failed together do not come back together."""
    rngs = [random.Random(n) for n in range(20)]  # noqa: S311 -- repeatable
    waits = {policy.delay(policy.SYNC, 5, age=0, rng=rng) for rng in rngs}
    assert len(waits) == 20
    assert max(waits) - min(waits) > 5


@pytest.mark.parametrize("request_id", [None, "abc"])
def test_an_error_as_it_is_stored(request_id: str | None) -> None:
    """Code, where it happened, what, what to do, and the vendor's request id where there is one."""
    stored = policy.as_json(NotFound("gone", request_id=request_id), where="source plant")

    assert stored["code"] == "not_found"
    assert stored["message"].startswith("source plant: gone; choose ")
    assert stored.get("request_id") == request_id
    down = policy.as_json(Unavailable("down"), where="source plant")
    assert down == {"code": "unavailable", "message": "source plant: down"}
