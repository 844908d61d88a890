"""Words: times, numbers and days as pages say them."""

import pytest

from db.states import DatapointState, EventKind, EventState, FeedState, RunState, Stream, UserState
from webhooks import words


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (None, "never"),
        (1000.0, "0 s ago"),
        (941.0, "59 s ago"),
        (940.0, "1 min ago"),
        (1000.0 - 7199, "1 h ago"),
        (1000.0 - 86400 * 2, "2 d ago"),
        (1090.0, "in 1 min"),
    ],
)
def test_ago(at, said):
    """The largest unit that fits, both ways."""
    assert words.ago(at, 1000.0) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, ""), (3.0, "3"), (0.1 + 0.2, "0.3"), (1234567.25, "1234567.25")]
)
def test_number(value, said):
    """No noise of binary fractions, and no digit that matters lost."""
    assert words.number(value) == said


def test_instants_and_days():
    """UTC, to the second; a daystamp with hyphens."""
    assert words.instant(0.0) == "1970-01-01T00:00:00Z"
    assert words.day("20261122") == "2026-11-22"
    assert words.instant(None) == words.day(None) == ""


def test_every_state_has_words():
    """No page shows a state by its name in the code; a new one is shown as it is."""
    states = [*FeedState, *EventState, *DatapointState]

    assert set(states) <= set(words.STATES)
    assert set(EventKind) <= set(words.KINDS)
    assert words.state("brand-new") == "brand-new"


@pytest.mark.parametrize(
    ("fraction", "said"),
    [(None, ""), (0.0, "0 %"), (0.29, "29 %"), (0.9999, "99 %"), (1.0, "100 %"), (7.0, "100 %")],
)
def test_percent(fraction, said):
    """Never more than is done, and never more than all."""
    assert words.percent(fraction) == said


@pytest.mark.parametrize(
    ("counters", "said"),
    [
        ({}, ""),
        ({"steps_done": 1}, "1 step"),
        ({"steps_done": 0, "steps_total": 5, "step": "load"}, "0 of 5 steps, at load"),
        ({"step": "load", "more": 3}, "at load"),
    ],
    ids=["nothing", "done", "all", "step"],
)
def test_steps(counters, said):
    """What is known of them, and no more."""
    assert words.steps(counters) == said


def test_every_state_of_a_run_and_its_stream_has_words():
    """None is shown as we write it down, and one that is new is shown as it is."""
    assert {state.value for state in Stream} == set(words.STREAMS)
    assert {state.value for state in RunState} <= set(words.STATES)
    assert words.stream("brand_new") == "brand_new"


@pytest.mark.parametrize(
    ("interval", "said"),
    [(0.02, "50/s"), (1.0, "1/s"), (2.0, "30/min"), (60.0, "1/min"), (1200.0, "3/h")],
)
def test_pace(interval, said):
    """In the unit in which it is at least one."""
    assert words.pace(interval) == said


def test_every_state_of_a_person_and_an_event_has_words():
    """None of them is shown as we write it down."""
    for states in (UserState, EventState, DatapointState):
        assert {state.value for state in states} <= set(words.STATES)
