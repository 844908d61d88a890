"""Work without a lease: which of it may be tried, and how it is counted."""

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from db import deaths, tries
from db.engine import Ledger
from db.models import Source

pytestmark = pytest.mark.usefixtures("linked")


def put(ledger: Ledger, value: object) -> int:
    """Set how often it was begun; what it is then."""
    with ledger.write() as session:
        session.connection().execute(update(Source).values(renew_tries=value))
        return session.connection().execute(select(col(Source.renew_tries))).scalars().all()[0]


def open_to(ledger: Ledger, *, alone: bool) -> bool:
    """May it be tried?"""
    where = tries.open_to(col(Source.renew_tries), alone=alone)
    with ledger.read() as session:
        return session.connection().execute(select(col(Source.id)).where(where)).first() is not None


@pytest.mark.parametrize(
    ("begun", "beside", "alone"),
    [(0, True, False), (1, False, True), (6, False, True), (tries.GIVEN_UP, False, False)],
)
def test_what_was_begun_and_never_ended_is_tried_alone(
    ledger: Ledger, begun: int, *, beside: bool, alone: bool
) -> None:
    """Nobody dies with it twice, and nobody tries what was given up."""
    put(ledger, begun)
    assert (open_to(ledger, alone=False), open_to(ledger, alone=True)) == (beside, alone)


def test_it_is_given_up_after_as_many_deaths_alone_as_a_feed() -> None:
    """The first try is made beside others, so it is not counted."""
    assert not tries.too_many(deaths.MOST)
    assert tries.too_many(1 + deaths.MOST)


@pytest.mark.parametrize(("begun", "left"), [(1, 0), (4, 3), (0, 0), (tries.GIVEN_UP, -1)])
def test_what_is_put_back_does_not_count(ledger: Ledger, begun: int, left: int) -> None:
    """What went before still does, and what was given up meanwhile stays so."""
    put(ledger, begun)
    assert put(ledger, tries.without_the_last(col(Source.renew_tries))) == left
