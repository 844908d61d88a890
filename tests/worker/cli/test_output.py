"""Promises of what commands print: short where there is a lot, and nothing left out silently."""

import pytest

from worker.cli import output


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "f0"), (2, "f0, f1"), (3, "f0, f1, f2"), (4, "f0, f1, f2 and 1 more")],
)
def test_some_of_many_names(count, told):
    """The first ones by name, the others by number."""
    assert output.some([f"f{number}" for number in range(count)], at_most=3) == told
