"""Words: times, numbers and days as pages say them."""

import pytest

from db.states import DatapointState, EventKind, EventState, FeedState
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
