"""Who is early, what a closing is, and how many were refused within one."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from simulators.limiter_counts import Closing, Counter, Report
from simulators.window_meters import SLACK

START = 1_795_300_000.0
GRACE = 0.1


def play(steps):
    """A counter that saw (pause, wait) for each request; a wait of 0 stands for a served one."""
    counter, now = Counter(grace=GRACE), START
    for pause, wait in steps:
        now += pause
        counter.arrive(now)
        if wait:
            counter.refuse(now, wait=wait, told=True)
        else:
            counter.serve(now)
    return counter.tally()


def test_a_request_in_a_closed_window_is_early_even_if_it_is_served():
    """From a tenth of a second after the refusal until the time that it named, not a bit longer."""
    tally = play([(0, 5), (0.05, 0), (0.05, 0), (0.01, 0), (4.88, 0), (0.01, 0), (1, 0)])

    assert (tally.early, tally.served, tally.refused) == (2, 6, 1)
    assert abs(tally.earliest - 4.89) < SLACK


def test_whoever_was_told_a_later_time_binds_all():
    """A refusal of a request on its way may name a later time than the first one did."""
    obeying_the_first = play([(0, 1), (0.05, 1), (0.95, 0)])
    obeying_both = play([(0, 1), (0.05, 1), (1.0, 0)])

    assert (obeying_the_first.early, obeying_both.early) == (1, 0)


def test_nobody_is_early_before_the_refusal_can_be_known():
    """Any number of requests that were on their way is forgiven, for a tenth of a second."""
    tally = play([(0, 60)] + [(0.001, 60)] * 100 + [(0.001, 60)])

    assert (tally.early, tally.refused) == (1, 102)
    assert (tally.closings, tally.on_their_way, tally.late, tally.most_late) == (1, 100, 1, 1)


def test_a_closing_ends_with_the_last_time_that_was_named_in_it():
    """The refusal after it begins another; each keeps its own figures."""
    tally = play([(0, 1), (0.05, 1), (0.15, 1), (1.0, 2), (2.5, 0), (0, 3)])

    assert tally.closings == 3
    shown = [
        (round(each.at - START, 3), round(each.until - START, 3), each.on_their_way, each.late)
        for each in tally.closed
    ]
    assert shown == [(0, 1.2, 1, 1), (1.2, 3.2, 0, 0), (3.7, 6.7, 0, 0)]


def test_an_earlier_time_that_is_named_later_opens_nothing():
    """Who was told five seconds is not freed by somebody who was told one."""
    tally = play([(0, 5), (0.05, 1), (1.95, 1), (3, 1)])

    assert (tally.early, tally.closings, tally.on_their_way, tally.late) == (1, 2, 1, 1)


def test_a_rounding_error_makes_nobody_early():
    """Sums of floats end half a microsecond beside the time that was meant."""
    tally = play([(0, 1 + 5e-7), (1, 1)])

    assert (tally.early, tally.closings) == (0, 2)


def test_a_refusal_that_names_no_time_makes_nobody_early():
    """But those that come while it is closed are counted as late."""
    counter = Counter(grace=GRACE)
    for at in (0, 0.05, 0.5):
        counter.arrive(START + at)
        counter.refuse(START + at, wait=1 - at, told=False)
    tally = counter.tally()

    assert (tally.early, tally.on_their_way, tally.late) == (0, 1, 1)


def test_an_answer_that_says_that_nothing_is_left_names_a_time():
    """Whoever can have read it and does not wait is early; it begins no closing."""
    counter = Counter(grace=GRACE)
    counter.tell(START, until=START + 5)
    for after in (0.1, 0.2, 4.9, 5.0):
        counter.arrive(START + after)
    tally = counter.tally()

    assert (tally.early, round(tally.earliest, 3), tally.closings) == (2, 4.8, 0)


def test_a_tally_is_a_copy():
    """What is counted afterwards does not change a report that somebody holds."""
    counter = Counter(grace=GRACE)
    counter.refuse(START, wait=1, told=True)
    before = counter.tally()
    counter.refuse(START + 0.01, wait=1, told=True)

    assert (before.refused, before.closed) == (1, [Closing(START, START + 1)])


def test_a_report_adds_the_keys_up():
    """And shows them in JSON as they are."""
    report = Report({"a": play([(0, 1), (0.5, 1)]), "b": play([(0, 1), (0.5, 0)])})

    assert (report.served, report.refused, report.early, report.late) == (1, 3, 2, 1)
    shown = report.as_json()
    assert (shown["early"], shown["keys"]["b"]["closed"][0]["until"]) == (2, START + 1)
    assert (shown["keys"]["a"]["first_at"], shown["keys"]["a"]["served_at"]) == (START, None)
    assert shown["keys"]["b"]["served_at"] == START + 0.5


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.03, 0.1, 0.11, 0.5]), st.sampled_from([0, 0.02, 0.3, 1, 7])
        ),
        max_size=40,
    )
)
def test_early_is_what_the_words_say(steps):
    """Against the definition, read off all refusals so far."""
    at = list(itertools.accumulate((pause for pause, _ in steps), initial=START))[1:]
    expected = sum(
        any(
            now - left > GRACE and now < left + wait - SLACK
            for left, (_, wait) in zip(at[:number], steps, strict=False)
            if wait
        )
        for number, now in enumerate(at)
    )

    assert play(steps).early == expected
