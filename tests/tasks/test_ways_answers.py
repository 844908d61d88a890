"""What answers that are no refusals ask for: a pause that is named, what is left, a pace."""

import pytest

from clients.limits import Limits
from db.engine import Ledger
from tasks.limits import Quota
from tests.tasks.gated import House, come_in, deferred, passed


@pytest.fixture
def house(ledger: Ledger) -> House:
    """Some processes on a ledger."""
    return House(ledger)


@pytest.mark.parametrize("counted", [True, False])
def test_a_time_that_any_answer_names_is_kept(house: House, *, counted: bool) -> None:
    """A page that is not there, a permission, a good answer: nothing leaves before, from anyone."""
    quota = Quota(account="x", title="plant", unknown=counted)
    gate, other = house.gate(quota), house.gate(quota, rt=house.runtime("b"))
    passed(come_in(gate)).answered(Limits(retry_after=60.0))

    assert house.row(quota).closed_until == house.clock.at + 60
    assert (house.row(quota).seen_limit, house.row(quota).title) == ("pause", "plant")
    for one in (gate, other):
        assert deferred(come_in(one)).until >= house.clock.at + 60
    house.clock.advance(60)
    passed(come_in(other)).answered(Limits())
    assert house.row(quota).learned_interval == 0.0


def test_the_first_one_that_names_a_time_closes_it_again(house: House) -> None:
    """Its answer opens the gate, and what it says holds for those after it."""
    gate = house.gate()
    house.close(10)
    house.clock.advance(10)
    passed(come_in(gate)).answered(Limits(retry_after=30.0))
    assert deferred(come_in(gate)).until >= house.clock.at + 30
    assert house.row().closed_at == house.clock.at


@pytest.mark.parametrize("wait", [0.0, 0.4])
def test_at_once_is_no_pause(house: House, wait: float) -> None:
    """Nobody is asked to wait: nothing is closed."""
    gate = house.gate()
    passed(come_in(gate)).answered(Limits(retry_after=wait))
    passed(come_in(gate)).answered(Limits())
    assert house.row().closed_until == 0.0
