"""Rows that were found: as many as were asked for, or an error that says so."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from db.rows import Rows

NONE, ONE, TWO = Rows([], 0), Rows([(1, "a")], 1), Rows([(1, "a"), (2, "b")], 2)


def test_all_of_them_and_their_first_values() -> None:
    """In order."""
    assert list(TWO) == TWO.all() == [(1, "a"), (2, "b")]
    assert TWO.scalars().all() == [1, 2]
    assert TWO.rowcount == 2


def test_the_first_is_the_first_or_none() -> None:
    """However many there are."""
    assert [found.first() for found in (NONE, ONE, TWO)] == [None, (1, "a"), (1, "a")]
    assert [found.scalar() for found in (NONE, ONE, TWO)] == [None, 1, 1]


def test_one_is_exactly_one() -> None:
    """And its first value."""
    assert ONE.one() == ONE.one_or_none() == (1, "a")
    assert ONE.scalar_one() == ONE.scalar_one_or_none() == 1
    assert NONE.one_or_none() is None
    assert NONE.scalar_one_or_none() is None


@pytest.mark.parametrize("ask", [Rows.one, Rows.one_or_none, Rows.scalar_one])
def test_two_are_not_one(ask: Callable[[Rows], Any]) -> None:
    """Nobody takes the first of several for the only one."""
    with pytest.raises(MultipleResultsFound):
        ask(TWO)


@pytest.mark.parametrize("ask", [Rows.one, Rows.scalar_one])
def test_none_is_not_one(ask: Callable[[Rows], Any]) -> None:
    """Nor does anybody go on with nothing."""
    with pytest.raises(NoResultFound):
        ask(NONE)
