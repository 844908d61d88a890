"""Windows allow what they say, tell a wait that is enough, and know how quick anybody can be."""

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.window_meters import SLACK
from simulators.windows import Window, rounded

START = 1_795_300_000.0
KINDS = ("gcra", "fixed", "sliding")
ROUNDINGS = ("ceil", "exact", "date")


@st.composite
def windows(draw):
    """Any window that a vendor may have, in eighths of a second."""
    kind = draw(st.sampled_from(KINDS))
    return Window(
        kind=kind,
        requests=draw(st.integers(1, 20)),
        seconds=draw(st.integers(1, 100)) / 8,
        burst=draw(st.none() | st.integers(1, 20)) if kind == "gcra" else None,
        rounding=draw(st.sampled_from(ROUNDINGS)),
    )


# Pauses in shares of the window: mostly crowds, now and then a rest.
PAUSES = st.lists(st.just(0.0) | st.floats(0, 0.2) | st.floats(0, 2.5), min_size=1, max_size=60)


def arrivals(window, pauses):
    """Instants at which somebody asks."""
    at, found = START, []
    for pause in pauses:
        at += pause * window.seconds
        found.append(at)
    return found


def served_at(window, pauses):
    """The instants of the requests that were served."""
    meter = window.meter()
    return [now for now in arrivals(window, pauses) if meter.ask(now).served]


def by_asking(window, jobs, *, start, told):
    """Seconds that a client without latency takes: it asks on until it is refused, and waits."""
    meter, now = window.meter(), start
    while jobs:
        verdict = meter.ask(now)
        if verdict.served:
            jobs -= 1
        else:
            now += window.told(verdict.wait, now=now) if told else verdict.wait
    return now - start


@given(windows(), PAUSES)
def test_no_span_has_more_than_the_window_allows(window, pauses):
    """Whatever the traffic: from any served request to any later one."""
    served = served_at(window, pauses)
    for first, began in enumerate(served):
        for last in range(first, len(served)):
            span, count = served[last] - began, last - first + 1
            if window.kind == "gcra":
                assert count <= window.at_once + (span + 2 * SLACK) / window.interval
            elif window.kind == "sliding":
                assert count <= window.requests or span >= window.seconds - 2 * SLACK
            else:  # the end of one window and the beginning of the next
                assert count <= 2 * window.requests or span >= window.seconds - 2 * SLACK


@given(windows(), PAUSES)
def test_a_fixed_window_holds_its_requests_and_no_more(window, pauses):
    """Counted by hand: a window begins with the first request after the one before."""
    if window.kind != "fixed":
        return
    meter, ends, used = window.meter(), -math.inf, 0
    for now in arrivals(window, pauses):
        if now >= ends - SLACK:
            ends, used = now + window.seconds, 0
        used += 1
        assert meter.ask(now).served == (used <= window.requests)


@given(windows(), PAUSES)
def test_who_waits_as_long_as_it_was_told_is_served(window, pauses):
    """In every rounding; and a moment earlier than the exact wait it would not have been."""
    meter = window.meter()
    for now in arrivals(window, pauses):
        verdict = meter.ask(now)
        if verdict.served:
            assert verdict.wait == 0
            continue
        for rounding in ROUNDINGS:
            told = rounded(verdict.wait, rounding, now=now)
            assert copy.deepcopy(meter).ask(now + told).served
        early = now + verdict.wait - 3 * SLACK
        assert early <= now or not copy.deepcopy(meter).ask(early).served


@given(windows(), PAUSES)
def test_what_remains_is_served_and_comes_back(window, pauses):
    """`remaining` more go through at once and not one beyond; after `reset` there are more."""
    meter = window.meter()
    for now in arrivals(window, pauses):
        verdict = meter.ask(now)
        rest = copy.deepcopy(meter)
        assert all(rest.ask(now).served for _ in range(verdict.remaining))
        assert not rest.ask(now).served
        later = copy.deepcopy(meter)
        assert verdict.reset > 0
        again = now + verdict.reset
        assert all(later.ask(again).served for _ in range(verdict.remaining + 1))


@given(windows(), PAUSES)
def test_nobody_is_quicker_than_the_ideal(window, pauses):
    """Any client whatsoever took at least that long for what it got."""
    served = served_at(window, pauses)
    assert served[-1] - served[0] >= window.ideal(len(served)) - 2 * SLACK


@given(windows(), st.integers(0, 150), st.integers(0, 7))
def test_the_ideals_are_reached_by_asking(window, jobs, eighth):
    """The formulas give what a client without latency takes, all-knowing or only obedient."""
    start = START + eighth / 8
    assert window.ideal(jobs) == pytest.approx(
        by_asking(window, jobs, start=start, told=False), abs=1e-3
    )
    assert window.ideal_obeying(jobs, start=start) == pytest.approx(
        by_asking(window, jobs, start=start, told=True), abs=1e-3
    )


@pytest.mark.parametrize(
    ("window", "ideal", "obeying"),
    [
        (Window(kind="fixed"), 11.0, 11.0),
        (Window(kind="sliding", rounding="exact"), 11.0, 11.0),
        (Window(kind="fixed", requests=125, seconds=2.5), 10.0, 12.0),
        (Window(kind="gcra"), 11.0, 11.0),
        (Window(kind="gcra", burst=10), 11.8, 59.0),
        (Window(kind="gcra", burst=10, rounding="exact"), 11.8, 11.8),
        (Window(kind="gcra", requests=3, seconds=2, burst=2), 1196 / 3, 399.0),
    ],
)
def test_the_ideals_of_600_requests(window, ideal, obeying):
    """Worked out by hand: what whole seconds cost depends on what is free after them."""
    assert window.ideal(600) == pytest.approx(ideal)
    assert window.ideal_obeying(600) == pytest.approx(obeying)


@given(st.floats(1e-5, 1e5), st.sampled_from(ROUNDINGS), st.floats(START, START + 1e6))
def test_a_wait_is_rounded_up_as_it_says(wait, rounding, now):
    """Never shorter, less than a second longer, and of the form that it should have."""
    told = rounded(wait, rounding, now=now)
    assert wait - SLACK <= told < wait + (2 * SLACK if rounding == "exact" else 1 + SLACK)
    if rounding == "ceil":
        assert told == int(told)
    if rounding == "date":
        assert now + told == pytest.approx(round(now + told), abs=SLACK)


@pytest.mark.parametrize("rounding", ["ceil", "date"])
def test_a_rounding_error_costs_nobody_a_second(rounding):
    """What sums of floats leave above a whole number is not rounded up to the next."""
    assert rounded(5 + 1e-7, rounding, now=START) == pytest.approx(5)
    assert rounded(5 + 1e-3, rounding, now=START) == pytest.approx(6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_goes_back_gives_nothing(kind):
    """Time stands still until it has caught up."""
    meter = Window(kind=kind, requests=2, seconds=10).meter()
    assert meter.ask(START).served
    assert meter.ask(START - 100).served
    assert not meter.ask(START - 50).served
    assert not meter.ask(START + 1).served
    assert meter.ask(START + 10).served


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "leaky"},
        {"rounding": "floor"},
        {"kind": "fixed", "burst": 5},
        {"requests": 0},
        {"requests": 2.5},
        {"burst": 0},
        {"seconds": 0},
        {"seconds": math.inf},
        {"seconds": "10"},
    ],
)
def test_what_can_not_be_is_refused_by_name(wrong):
    """The error names the field, so that whoever typed it finds it."""
    with pytest.raises(ValueError, match="|".join(wrong)):
        Window(**wrong)
