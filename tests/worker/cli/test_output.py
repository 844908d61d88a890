"""Promises of what commands print: short where there is a lot, and nothing left out silently."""

import pytest

from worker.cli import output


@pytest.mark.parametrize(
    ("at", "told"),
    [(1_793_880_000.0, "2026-11-05 12:00:00"), (1_793_880_000.01, "2026-11-05 12:00:01")],
)
def test_an_opening_is_told_in_whole_seconds(at, told):
    """Never earlier than it is."""
    assert output.opening(at) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "f0"), (2, "f0, f1"), (3, "f0, f1, f2"), (4, "f0, f1, f2 and 1 more")],
)
def test_some_of_many_names(count, told):
    """The first ones by name, the others by number."""
    assert output.some([f"f{number}" for number in range(count)], at_most=3) == told
