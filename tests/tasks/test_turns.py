"""A request that several quotas count: its turn comes under all of them, or it takes none."""

from collections.abc import Callable

import pytest

from clients.limits import Limits
from db.engine import Ledger
from db.states import Lane
from tasks.gates import LedgerPassage
from tasks.limits import Pace, Quota
from tests.tasks.gated import ENDPOINT, TENANT, House, come_in, deferred, passed
from tests.tasks.scenes import at_once
from tests.world import ManualClock


@pytest.fixture
def house(ledger: Ledger) -> House:
    """Some processes on a ledger."""
    return House(ledger)


def test_a_request_takes_its_turn_under_all_quotas_or_none(house: House) -> None:
    """While one kind of calls is held back, nothing of the account is used up in vain."""
    gate, closed = house.gate(TENANT, ENDPOINT), "GET things/*"
    passed(come_in(gate)).answered(Limits())
    assert (house.row(TENANT).passed, house.row(ENDPOINT, closed).passed) == (1, 1)
    house.close(60, ENDPOINT, closed)

    for number in range(20):
        deferred(come_in(gate, f"things/{number}"))
    assert (house.row(TENANT).passed, house.row(ENDPOINT, closed).passed) == (1, 1)

    passed(come_in(gate, "others/1")).answered(Limits())
    assert house.row(TENANT).passed == 2


def test_who_goes_first_under_one_quota_does_not_keep_others_back(house: House) -> None:
    """The account is half open, the calls are closed: the first turn is not taken either."""
    gate = house.gate(TENANT, ENDPOINT)
    house.close(10, TENANT)
    house.close(60, ENDPOINT, "GET things/*")
    house.clock.advance(10)
    deferred(come_in(gate))

    assert house.row(TENANT).probe_until == 0.0
    passed(come_in(gate, "others/1"))


def test_threads_in_two_processes_do_not_wait_in_a_circle(house: House) -> None:
    """Two quotas, named in either order: nobody holds one while they wait for the other."""
    several = (TENANT, Quota(account="address", unknown=True))

    def go(number: int) -> int:
        order = several if number % 2 else several[::-1]
        gate = house.gate(*order, rt=house.runtime(f"{number}"))
        return sum(isinstance(come_in(gate), LedgerPassage) for _ in range(8))

    # As many as may leave at once, the slots that can be waited for, and no more.
    assert 1 <= sum(at_once(6, go)) <= 48


class Sleeper(ManualClock):
    """Before each sleep something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens = happens

    def sleep(self, seconds: float) -> None:
        """It happens, and the time goes by."""
        self.happens()
        super().sleep(seconds)


@pytest.mark.parametrize("proven", [True, False])
def test_a_slot_from_before_a_closing_is_not_used_after_it(ledger: Ledger, *, proven: bool) -> None:
    """Closed for less than the sleep: one goes first, and nobody on an old slot beside it."""
    house = House(ledger)
    sleeper = House(ledger, Sleeper(lambda: None))
    sleeper.clock.at = house.clock.at
    gate, slow = sleeper.gate(pace=Pace(0.8)), house.gate(pace=Pace(0.8))
    passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())

    def closes() -> None:
        sleeper.clock.happens = lambda: None
        house.close(0.3)
        house.clock.advance(0.3)
        first = passed(come_in(slow))
        if proven:
            first.answered(Limits())

    sleeper.clock.happens = closes
    deferred(come_in(gate, lane=Lane.URGENT))


def test_who_finds_a_closing_over_goes_first(ledger: Ledger) -> None:
    """Nobody else is there when it opens: the one whose slot is gone asks, and alone."""
    house = House(ledger, Sleeper(lambda: None))
    gate = house.gate(pace=Pace(0.8))
    passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())

    def closes() -> None:
        house.clock.happens = lambda: None
        house.close(0.3)

    house.clock.happens = closes
    first = passed(come_in(gate, lane=Lane.URGENT))
    assert house.row().probe_until > house.clock.at
    first.answered(Limits())
    assert house.row().proven_at == house.clock.at
