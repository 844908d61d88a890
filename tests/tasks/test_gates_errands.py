"""Every kind of work says how urgent it is, and is given back when its first request must wait."""

from collections.abc import Callable

import pytest

from clients.limits import Limits
from db import quotas_closing
from db.engine import Ledger
from db.models_points import Datapoint
from db.states import Lane
from simulators.faults import Fault
from tasks import (
    backfill,
    callbacks,
    datasource_change,
    deauthorize,
    deliver,
    gates,
    reconcile,
    sync,
)
from tasks.closings import Closing
from tasks.gates import SLEEP_AT_MOST
from tasks.runtime import Runtime
from tests.tasks.gated import UNKNOWN, House, come_in, deferred, passed
from tests.tasks.past_days import ask, day
from tests.tasks.scenes import all_rows, change_feed
from tests.tasks.sourced import Sourced
from tests.tasks.test_deauthorize import taken_away
from tests.world import DAY, World

CLAIMED = frozenset({"claimed", "backfill.claimed", "reconcile.claimed"})
# Of two seconds: too long for a first request, and not for one after it.
WAIT = 2.0


def close(world: World) -> None:
    """Beeminder limits alice, as another worker has just heard."""
    with world.ledger.write() as session:
        now = world.clock.at
        quotas_closing.close(session, f"beeminder:{world.user_id}", now + WAIT, now=now)


def a_sync(world: World) -> Callable[[Runtime], object]:
    """A callback of a goal that we know."""
    world.call_back()
    return lambda rt: sync.run(rt, Lane.URGENT)


def a_push(world: World) -> Callable[[Runtime], object]:
    """Points that an earlier sync could not send."""
    world.measure(world.series, {world.clock.at - 60: 9.0})
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=500, times=2))
    change_feed(world, due_at=0.0)
    sync.run(world.runtime(), Lane.BULK)
    assert any(point.state == "pending" for point in all_rows(world, Datapoint))
    change_feed(world, due_at=world.clock.at + DAY)
    world.clock.advance(30)
    return deliver.run


def past_days(world: World) -> Callable[[Runtime], object]:
    """Days that a person wants read again."""
    ask(world, first=day(20))
    return backfill.run


def a_comparison(world: World) -> Callable[[Runtime], object]:
    """The daily one."""
    world.clock.advance(DAY + 7200)
    world.work()
    return reconcile.run


def a_look_up(world: World) -> Callable[[Runtime], object]:
    """A callback of a goal that nobody knows."""
    world.call_back("tea")
    callbacks.open_new(world.runtime())
    return callbacks.look_one_up


def a_departure(world: World) -> Callable[[Runtime], object]:
    """A person took our access away."""
    taken_away(world)
    return deauthorize.run


def a_change(world: World) -> Callable[[Runtime], object]:
    """A goal whose data source is to be set."""
    Sourced(world).consider()
    return datasource_change.run


@pytest.mark.usefixtures("landed")
@pytest.mark.parametrize(
    "due", [a_sync, a_push, past_days, a_comparison, a_look_up, a_departure, a_change]
)
def test_work_that_has_not_begun_is_given_back(
    world: World, due: Callable[[World], Callable[[Runtime], object]]
) -> None:
    """Its gate is closed for two seconds after it was claimed: nobody sleeps for that."""
    run = due(world)
    rt = Sourced(world).runtime()
    rt.trace = lambda step: close(world) if step in CLAIMED else None
    if due in (a_look_up, a_departure, a_change):
        close(world)
    asked, began = world.beeminder.faults.count(), world.clock.at
    if due is a_push:
        # Its claim leaves no trace; what is sent first finds a full gate instead.
        rt.closings.note(
            Closing(f"beeminder:{world.user_id}", world.clock.at + WAIT, world.clock.at)
        )

    run(rt)

    assert world.clock.at - began <= SLEEP_AT_MOST
    assert world.beeminder.faults.count() == asked


def test_what_goes_on_beside_its_first_request_waits_as_if_that_had_left(ledger: Ledger) -> None:
    """It would have to begin anew: three seconds are worth it, which they are not at first."""
    house = House(ledger)
    gate = house.gate()
    with gates.errand(Lane.URGENT):
        house.close(3)
        deferred(come_in(gate))
        gates.go_on()
        passed(come_in(gate)).answered(Limits())
    gates.go_on()  # outside of any errand there is nothing to be patient for


def test_a_gate_is_open_when_somebody_has_come_through(ledger: Ledger) -> None:
    """Nobody knows whether the time that was named was the right one before that."""
    house = House(ledger)
    rt = house.runtime()
    gate = house.gate(rt=rt)
    assert gate.is_open()
    house.close(3)
    assert not gate.is_open()
    house.clock.advance(3)
    assert not gate.is_open()
    passed(come_in(gate)).answered(Limits())
    assert gate.is_open()
    rt.closings.note(Closing(UNKNOWN.key("vendor"), house.clock.at + 1, house.clock.at))
    assert not gate.is_open()
