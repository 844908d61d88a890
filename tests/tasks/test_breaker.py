"""Breakers open on failure over time and rate, never on a count, and close on one success."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.breakers import PROBE_SECONDS, WELL, Health
from tasks import breaker, policy
from tasks.breaker import State

NOW = 1_800_000_000.0


def seconds(low: float, high: float) -> st.SearchStrategy[float]:
    """Eighths of seconds, which a float holds exactly for a few centuries."""
    return st.integers(int(low * 8), int(high * 8)).map(lambda eighths: eighths / 8)


OUTCOMES = st.lists(st.tuples(seconds(0, 1000), st.booleans()), max_size=80)
seeds = st.integers(0, 2**32).map(random.Random)


def rng() -> random.Random:
    """Random numbers that repeat."""
    return random.Random(7)  # noqa: S311 -- jitter that repeats


def run(outcomes: Sequence[tuple[float, bool]], was: Health = WELL) -> list[Health]:
    """The health after each outcome; outcomes are (seconds after NOW, answered)."""
    healths, numbers = [], rng()
    for seconds, ok in outcomes:
        was = breaker.after(was, ok=ok, now=NOW + seconds, reason=f"at {seconds:g}", rng=numbers)
        healths.append(was)
    return healths


def timed(gaps: Sequence[tuple[float, bool]]) -> list[tuple[float, bool]]:
    """The same outcomes by their instants."""
    instants = accumulate(gap for gap, _ in gaps)
    return [(at, ok) for at, (_, ok) in zip(instants, gaps, strict=True)]


def failing(*, every: float, until: float, since: float = 0.0) -> list[tuple[float, bool]]:
    """Failures at regular gaps."""
    count = int((until - since) / every) + 1
    return [(since + every * number, False) for number in range(count)]


def opened(at: float = 0.0) -> Health:
    """A breaker that was opened then."""
    health = run(failing(every=10, until=at, since=at - 600))[-1]
    assert health.opened_at == NOW + at
    return health


@given(outcomes=OUTCOMES)
def test_it_opens_exactly_when_the_rule_says(outcomes: list[tuple[float, bool]]) -> None:
    """Each opening and each trouble that opens nothing agrees with the counts worked out anew."""
    events = timed(outcomes)
    before = WELL
    for index, health in enumerate(run(events)):
        at, ok = events[index]
        if before.opened_at is None and health.troubled_since is not None:
            since = health.troubled_since - NOW
            past = [event for event in events[: index + 1] if event[0] >= since]
            gaps = [30.0, *(min(30.0, then - last) for (last, _), (then, _) in pairwise(past))]
            weights = [
                (0.5 ** ((at - then) / 300), fine, gap)
                for (then, fine), gap in zip(past, gaps, strict=True)
            ]
            bad = sum(weight for weight, fine, _ in weights if not fine)
            good = sum(weight for weight, fine, _ in weights if fine)
            share = bad / (good + bad)
            failed_for = sum(weight * gap for weight, fine, gap in weights if not fine)
            if health.opened_at is not None:
                assert not ok
                assert at - since >= 600
                assert failed_for >= 150 - 1e-6 or (at - since >= 5400 and good <= 0.05 + 1e-6)
                assert share >= 0.8 - 1e-6
            elif not ok:
                assert at - since < 600 or failed_for < 150 + 1e-6 or share < 0.8 + 1e-6
                assert at - since < 5400 or good > 0.05 - 1e-6 or share < 0.8 + 1e-6
        before = health


@given(count=st.integers(1, 600), lasted=st.floats(0.1, 599))
def test_it_never_opens_on_a_mere_count(count: int, lasted: float) -> None:
    """Hundreds of failures within ten minutes open nothing: it may be a restart."""
    health = run([(lasted * number / count, False) for number in range(count)])[-1]

    assert health.opened_at is None


@given(moments=st.integers(2, 4), count=st.integers(1, 300), gap=seconds(150, 900))
def test_a_few_moments_open_nothing(moments: int, count: int, gap: float) -> None:
    """Whatever failed in each of them, and if nothing was asked in between: no outage was seen."""
    outcomes = [
        (number * gap + place / count, False) for number in range(moments) for place in range(count)
    ]

    assert all(health.opened_at is None for health in run(outcomes))


@given(rate=seconds(0.25, 20), every=st.integers(5, 20))
def test_it_opens_at_any_rate_of_outcomes(rate: float, every: int) -> None:
    """Nine in ten fail, at four a second or at three a minute: that is an outage either way."""
    outcomes = [(rate * number, number % every == 1) for number in range(int(800 / rate))]

    assert any(health.opened_at is not None for health in run(outcomes))


@given(every=seconds(1, 300), good=st.integers(0, 2), count=st.integers(10, 400))
def test_it_never_opens_while_one_in_three_is_answered(every: float, good: int, count: int) -> None:
    """However long it lasts, and wherever in the pattern it began."""
    outcomes = [(every * number, number % 3 == good) for number in range(count)]

    assert all(health.opened_at is None for health in run(outcomes))


@given(every=seconds(0.5, 60), until=seconds(700, 20_000))
def test_it_opens_once_trouble_has_lasted(every: float, until: float) -> None:
    """At the first failure after ten minutes, at any pace that retries keep meanwhile."""
    outcomes = failing(every=every, until=min(until, 600 + 300 * every))
    healths = run(outcomes)
    first = next(at for at, _ in outcomes if at >= 600)

    assert healths[-1].opened_at == NOW + first
    assert healths[-1].troubled_since == NOW


@given(seed=st.integers(0, 2**32), lost=st.floats(0.05, 60))
def test_old_work_opens_it_after_a_while(seed: int, lost: float) -> None:
    """Retries that are a quarter of an hour apart, of which none is answered: that is told too."""
    numbers, health, age = random.Random(seed), WELL, 0.0  # noqa: S311 -- repeats
    while health.opened_at is None and age < 2 * 3600:
        health = breaker.after(health, ok=False, now=NOW + age, rng=numbers)
        age += policy.delay(policy.SYNC, 20, age=1e6, rng=numbers) + lost

    assert health.opened_at is not None
    assert health.troubled_since == NOW
    assert health.opened_at - NOW >= 600


def test_an_answer_an_hour_is_no_trouble() -> None:
    """One feed fails at every try, another is read once an hour and answered: no outage."""
    outcomes = [(at, at % 3600 == 1800) for at in range(0, 86_400, 450)]

    assert {health.opened_at for health in run(outcomes)} == {None}


def test_a_read_leaves_it_open_and_lets_a_push_probe() -> None:
    """At most once a minute, and without a word about how it stands."""
    was = replace(opened(), probe_at=NOW + 900)

    assert breaker.read(was, NOW + 59) == was
    assert breaker.read(was, NOW + 60) == replace(was, probe_at=NOW + 60)


def test_few_tries_open_it_late() -> None:
    """One try in a hundred seconds is a trickle: after an hour and a half its owner is told."""
    healths = run(failing(every=100, until=86_400))

    assert next(health.opened_at for health in healths if health.opened_at) == NOW + 5400


@given(seed=st.integers(0, 2**32), lost=st.floats(0.05, 30))
def test_a_single_feed_that_waits_as_long_as_it_may_opens_it(seed: int, lost: float) -> None:
    """The retries of one callback are enough, also when each of them waits for a timeout."""
    numbers, health, age, tries = random.Random(seed), WELL, 0.0, 0  # noqa: S311 -- repeats
    while health.opened_at is None and age < 660:
        health = breaker.after(health, ok=False, now=NOW + age, rng=numbers)
        tries += 1
        age += policy.delay(policy.SYNC, tries, age=age, rng=numbers) + lost

    assert health.opened_at is not None


@given(gap=seconds(1200, 100_000), count=st.integers(1, 200))
def test_sporadic_failures_are_forgotten(gap: float, count: int) -> None:
    """A failure now and then with nothing in between is new trouble each time."""
    healths = run([(gap * number, False) for number in range(count)])

    assert {health.bad for health in healths} == {1.0}
    assert healths[-1].troubled_since == healths[-1].counted_at
    assert {health.opened_at for health in healths} == {None}


def test_failures_between_successes_are_forgotten_at_once() -> None:
    """A blip that is over leaves nothing behind."""
    assert run([(0, False), (1, True)])[-1] == WELL
    assert run([(0, False), (1, False), (2, True)])[-1] != WELL
    assert run([(0, False), (1, False), (2, True), (3, True)])[-1] == WELL


@given(failures=st.lists(st.floats(0, 3000), max_size=20), last=st.floats(0, 10_000))
def test_one_success_closes_it(failures: list[float], last: float) -> None:
    """Whatever failed while it was open, the first answer is the end of it."""
    tried = [(at, False) for at in sorted(failures)]

    assert run([*tried, (max([last, *failures]), True)], opened())[-1] == WELL


@given(open_for=st.floats(0, 1e7), rng=seeds)
def test_pauses_between_probes_are_bounded(open_for: float, rng: random.Random) -> None:
    """Never under a minute, never over a quarter of an hour."""
    assert 60 <= breaker.pause(open_for, rng) <= 900


def test_pauses_between_probes_grow_to_the_cap() -> None:
    """About a minute at first, twice as long each time, and then between half the cap and it."""
    health, pauses = opened(), []
    numbers = rng()
    for _ in range(12):
        now = health.probe_at
        pauses.append(now - health.counted_at)
        health = breaker.after(health, ok=False, now=now, rng=numbers)

    assert 60 <= pauses[0] <= 90
    assert all(450 <= pause <= 900 for pause in pauses[-3:])
    assert all(after > before * 0.5 for before, after in pairwise(pauses))
    assert sum(pauses[:6]) < 3600


def test_pauses_have_jitter() -> None:
    """Breakers that opened together do not probe together."""
    first, later = (
        {breaker.pause(seconds, random.Random(seed)) for seed in range(20)}  # noqa: S311 -- repeats
        for seconds in (0.0, 3000.0)
    )
    assert len(first) == len(later) == 20
    assert max(first) - min(first) > 20
    assert max(later) - min(later) > 300


def test_callbacks_that_probe_do_not_make_the_pauses_grow() -> None:
    """Twenty urgent probes in the first two minutes leave the next pause at about two minutes."""
    health = run([(6.0 * number, False) for number in range(1, 21)], opened())[-1]

    assert 60 <= health.probe_at - (NOW + 120) <= 180


def test_an_open_breaker_keeps_its_story() -> None:
    """Since when stays, why is the latest, and nothing is opened a second time."""
    health = run([(100, False), (200, False)], opened())[-1]

    assert (health.troubled_since, health.opened_at) == (NOW - 600, NOW)
    assert health.reason == "at 200"


@pytest.mark.parametrize(
    ("seconds", "probed", "expected"),
    [
        (0, None, State.OPEN),
        (59, None, State.OPEN),
        (100, None, State.HALF_OPEN),  # a probe is due
        (101, 100, State.HALF_OPEN),  # and under way
        (30, 25, State.HALF_OPEN),  # a callback's
        (25 + PROBE_SECONDS, 25, State.OPEN),  # of which nothing was heard
    ],
)
def test_what_an_open_breaker_is_called(
    seconds: float, probed: float | None, expected: State
) -> None:
    """Open until the probe is due, half open until its outcome is known."""
    health = replace(opened(), probe_at=NOW + 100)
    if probed is not None:
        health = replace(health, probed_at=NOW + probed, probe_at=NOW + probed + PROBE_SECONDS)
        health = replace(health, probe_at=max(health.probe_at, NOW + 100))

    assert breaker.state(health, NOW + seconds) == expected


def test_what_is_not_open_is_closed() -> None:
    """Trouble that is still counted lets everything through."""
    assert breaker.state(WELL, NOW) == State.CLOSED
    assert breaker.state(run([(0, False)])[-1], NOW) == State.CLOSED


@given(outcomes=OUTCOMES, back=st.floats(0, 1000))
def test_a_clock_that_goes_back_makes_nothing_heavier(
    outcomes: list[tuple[float, bool]], back: float
) -> None:
    """Machines differ by a little: counts never grow but by the outcome itself."""
    before = run([*timed(outcomes), (1e6, False)])[-1]
    after = run([(1e6 - back, False)], before)[-1]

    assert after.bad <= before.bad + 1
    assert after.counted_at == before.counted_at
