"""What happened at a gate last is believed for a second, and by its own clock."""

import pytest

from tasks.quick_gates import AGAIN_SECONDS, QuickGates

NOW = 1_800_000_000.0


def test_nothing_is_known_of_a_gate_at_first() -> None:
    """It is worth a try, and nobody was just there."""
    gates = QuickGates()

    assert gates.may_be("k", NOW)
    assert not gates.was_just("k", NOW)


@pytest.mark.parametrize(("later", "known"), [(0.0, True), (0.9, True), (AGAIN_SECONDS, False)])
def test_it_is_known_for_a_moment(later: float, *, known: bool) -> None:
    """After that somebody else may have closed or opened it."""
    gates = QuickGates()
    gates.passed("open", NOW)
    gates.looked_at("other", NOW)

    assert gates.was_just("open", NOW + later) is known
    assert gates.may_be("other", NOW + later) is not known
    assert gates.may_be("open", NOW + later)


def test_the_last_to_come_counts() -> None:
    """Whatever was known before."""
    gates = QuickGates()
    gates.passed("k", NOW)
    gates.looked_at("k", NOW)
    assert (gates.was_just("k", NOW), gates.may_be("k", NOW)) == (False, False)

    gates.passed("k", NOW)
    assert (gates.was_just("k", NOW), gates.may_be("k", NOW)) == (True, True)


def test_a_clock_that_goes_back_is_not_believed() -> None:
    """What lies in the future is not a moment ago."""
    gates = QuickGates()
    gates.passed("k", NOW + 60)
    gates.looked_at("other", NOW + 60)

    assert not gates.was_just("k", NOW)
    assert gates.may_be("other", NOW)
