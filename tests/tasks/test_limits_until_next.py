"""How long one request holds up the next, where the pace grows quicker meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import limits
from tasks.limits import Learned


@pytest.mark.parametrize("interval", [0.0, 0.1, 1.0, 7.0, 86400.0 * 30])
def test_a_steady_pace_is_kept_to_the_point(interval: float) -> None:
    """What does not change is not shortened by a hair."""
    assert limits.until_next(lambda _later: interval) == interval


@given(
    interval=st.floats(1.1, 2.0**31),
    window=st.floats(1.0, 2.0**31),
    age=st.floats(-3600.0, 3600.0),
    own=st.floats(0.0, 30.0),
)
def test_the_next_one_leaves_when_the_pace_of_then_allows_it(
    interval: float, window: float, age: float, own: float
) -> None:
    """Not before, and no more than a little after."""
    learned = Learned(interval, window)

    def kept(later: float) -> float:
        return max(own, limits.loosened(learned, age + later))

    found = limits.until_next(kept)
    assert kept(found) <= found * 1.000001
    assert kept(0.98 * found) > 0.97 * found or found <= limits.STEADY


def test_what_is_spread_holds_nobody_up_for_longer_than_its_window() -> None:
    """One in a quarter of an hour until there is more in ten minutes."""
    found = limits.until_next(lambda later: 900.0 if later < 600.0 else 0.0)
    assert 600.0 <= found <= 606.0
