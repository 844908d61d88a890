"""Values that are cheap to make."""

import dataclasses

import pytest

from clients.values import value


@value
class Pair:
    """Two numbers."""

    left: int
    right: int = 2


def test_a_value_is_a_dataclass():
    """It compares, hashes and shows itself by its fields, and is copied with changes."""
    assert Pair(left=1) == Pair(left=1, right=2) != Pair(left=1, right=3)
    assert len({Pair(left=1), Pair(left=1, right=2)}) == 1
    assert repr(Pair(left=1)) == "Pair(left=1, right=2)"
    assert dataclasses.replace(Pair(left=1), right=3) == Pair(left=1, right=3)


def test_a_value_has_its_fields_and_no_more():
    """Fields are named where it is made, and none is made up."""
    with pytest.raises(TypeError):
        Pair(1, 2)
    with pytest.raises(AttributeError):
        Pair(left=1).middle = 3
