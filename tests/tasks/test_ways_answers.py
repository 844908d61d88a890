"""What answers that are no refusals ask for: a pause that is named, what is left, a pace."""

import pytest
from sqlalchemy import literal
from sqlmodel import select

from clients.limits import Limits
from db import quotas, quotas_closing
from db.engine import Ledger
from db.models_limits import Quota as Row
from tasks.limits import Pace, Quota
from tests.tasks.gated import House, come_in, deferred, passed, refusal


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


def test_what_was_spread_ends_when_there_is_more(house: House) -> None:
    """Two were left for an hour; then another answer tells of thousands: nobody waits that hour."""
    gate = house.gate()
    passed(come_in(gate)).answered(Limits(remaining=2, reset_after=3600.0))
    under_way = passed(come_in(gate))
    assert deferred(come_in(gate)).until >= house.clock.at + 1700
    under_way.answered(Limits(remaining=50, reset_after=3600.0))
    assert house.row().spread_until > house.clock.at

    under_way.answered(Limits(remaining=5000, reset_after=3600.0))

    assert (house.row().spread_interval, house.row().spread_until) == (0.0, 0.0)
    passed(come_in(gate)).answered(Limits(remaining=4999, reset_after=3600.0))
    passed(come_in(gate))


def test_the_usual_pace_is_kept_to_after_a_spread(house: House) -> None:
    """More is left again, at one in two seconds: the next one waits no less and no longer."""
    gate = house.gate(pace=Pace(2.0))
    passed(come_in(gate)).answered(Limits(remaining=2, reset_after=3600.0))
    house.clock.advance(2.0)
    passed(come_in(gate)).answered(Limits(remaining=5000, reset_after=3600.0))
    assert house.row().next_free_at == house.clock.at + 2.0


def test_a_gate_opened_by_hand_keeps_nothing_that_was_spread(house: House) -> None:
    """Refused while the last two are spread over an hour, then opened: the hour is over."""
    gate = house.gate()
    passed(come_in(gate)).answered(Limits(remaining=2, reset_after=3600.0))
    deferred(passed(come_in(gate)).refused(refusal(3600.0), Limits(retry_after=3600.0)))
    house.clock.advance(10)
    with house.ledger.write() as session:
        assert quotas_closing.open_now(session, [house.row().key]) == 1

    again = house.gate(rt=house.runtime("b"))
    passed(come_in(again)).answered(Limits(remaining=5000, reset_after=3600.0))
    passed(come_in(again)).answered(Limits())
    passed(come_in(again))


@pytest.mark.parametrize("days", [30, 2.0**31 / 86400])
def test_a_pace_that_was_named_once_holds_nobody_up_for_years(house: House, days: float) -> None:
    """A policy of one request in decades, in one answer: within hours that is forgotten."""
    gate = house.gate()
    passed(come_in(gate)).answered(Limits(limit=1, window=days * 86400.0))
    passed(come_in(gate)).answered(Limits(limit=1000, window=60.0))
    assert deferred(come_in(gate)).until <= house.clock.at + 3600
    with house.ledger.read() as session:
        held = select(Row.key).where(quotas.full(Row, house.clock.at + 3600, literal(0.5)))
        assert session.exec(held).first() is None
    house.clock.advance(3600)
    passed(come_in(gate)).answered(Limits(limit=1000, window=60.0))


def test_what_is_spread_ends_with_its_window(house: House) -> None:
    """The last one but one of an hour's requests left ten minutes before its end."""
    gate = house.gate()
    passed(come_in(gate)).answered(Limits(remaining=2, reset_after=3600.0))
    house.clock.advance(3000)
    passed(come_in(gate)).answered(Limits())
    assert house.clock.at + 600 <= deferred(come_in(gate)).until <= house.clock.at + 607
