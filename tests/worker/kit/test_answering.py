"""Neighbours at a vendor that has all that can be named: something is taken away from it."""

import dataclasses

import pytest

from tests.worker.kit import breaking
from tests.worker.kit.sample import PROVIDER, TRIAL, played, with_reader
from worker.kit.answering import neighbours_are_spared

ALL_THERE = dataclasses.replace(TRIAL, absent=None)


def test_a_good_provider_spares_what_is_still_there() -> None:
    """Each feed loses what it asks for in turn, and the other one has its values."""
    assert played(neighbours_are_spared, PROVIDER, ALL_THERE).problems == ()


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        (breaking.AllOrNothing, "thing, without /things/a: an error where a number is due"),
        (breaking.Skips, "thing, without /things/a: None for 20261118 where 1.0 is due"),
    ],
    ids=["AllOrNothing", "Skips"],
)
def test_who_does_not_spare_them_is_found_without_an_absent_feed(reader, says) -> None:
    """The promise is the same as with a feed that is not there."""
    outcome = played(neighbours_are_spared, with_reader(reader), ALL_THERE)
    assert any(says in problem for problem in outcome.problems), outcome.problems


def test_where_all_ask_for_the_same_an_absent_feed_is_wanted() -> None:
    """What nothing can be taken from proves nothing."""
    alone = dataclasses.replace(ALL_THERE, feeds=TRIAL.feeds[:1])
    (problem,) = played(neighbours_are_spared, PROVIDER, alone).problems
    assert "(`absent`)" in problem
