"""The sweep rings for what is due, as often as there are hands, and may run at any time."""

import pytest

from db import workers
from db.inbox import NewEvent, store
from db.models import Goal, Worker
from db.models_points import Datapoint
from db.states import EventKind, Lane
from simulators.faults import Fault
from tasks import policy, sweep
from tests.tasks.scenes import all_rows, at_once, change_feed, die, second_source
from tests.world import World, crash_at


def test_nothing_due_rings_nothing(world: World) -> None:
    """A fresh ledger is silent."""
    world.work()
    world.rung.clear()
    assert sweep.run(world.runtime()) == {}
    assert world.rung == []


def test_a_callback_that_nobody_looked_at_is_rung_for(world: World) -> None:
    """Its bell was lost: one urgent bell."""
    world.work()
    world.call_back()
    assert sweep.run(world.runtime()) == {"sync.urgent": 1}


def test_an_expired_lease_is_rung_for(world: World) -> None:
    """A killed worker's feed is tried again when its lease has ended, and not before."""
    die(world, world.runtime(trace=crash_at("claimed")))
    assert sweep.run(world.runtime()) == {}
    world.clock.advance(11)
    assert sweep.run(world.runtime()) == {"suspects.default": 1}


def test_each_lane_has_bells_of_its_own(world: World) -> None:
    """Scheduled work rings in bulk; sources count, not feeds."""
    change_feed(world, lane=Lane.BULK)
    for number in range(5):
        world.link(
            "output",
            label=f"l{number}",
            source=second_source(world, f"s{number // 3}") if number % 3 == 0 else world.source_id,
            lane=Lane.BULK,
        )
    rung = sweep.run(world.runtime())
    assert rung == {"sync.bulk": 2}


def test_bells_are_twice_the_free_slots_at_most(world: World) -> None:
    """Forty sources due and three free slots: six bells; the rest is found by who answers them."""
    for number in range(40):
        world.link("output", label=f"l{number}", source=second_source(world, f"s{number}"))
    with world.ledger.write() as session:
        workers.register(
            session,
            Worker(
                name="w",
                queues="x",
                slots=4,
                busy=1,
                started_at=world.clock.at,
                seen_at=world.clock.at,
            ),
        )
    assert sweep.run(world.runtime()) == {"sync.default": 6}


def test_postponed_points_and_deauthorizations_are_rung_for(world: World) -> None:
    """Each kind of work has a bell of its own name."""
    world.work()
    with world.ledger.write() as session:
        point = session.get_one(Datapoint, all_rows(world, Datapoint)[0].id)
        point.state, point.due_at = "pending", world.clock.at
        session.add(point)
        store(
            session,
            [
                NewEvent(
                    kind=EventKind.DEAUTHORIZED,
                    payload={"token_hashes": []},
                    received_at=world.clock.at,
                )
            ],
        )
    assert sweep.run(world.runtime()) == {"push.default": 1, "deauthorize.default": 1}


def test_data_sources_to_be_changed_are_rung_for(world: World) -> None:
    """Once their time has come, by a bell of their own."""
    world.work()
    with world.ledger.write() as session:
        goal = session.get_one(Goal, world.feed().goal_id)
        goal.datasource_want, goal.datasource_due_at = "waggle", world.clock.at + 1
    assert sweep.run(world.runtime()) == {}
    world.clock.advance(1)
    assert sweep.run(world.runtime()) == {"datasource.default": 1}


def test_events_that_are_too_old_are_dead(world: World) -> None:
    """After a day of trying an event is given up, once; a callback of today goes on."""
    world.bemserver.faults.add(Fault(path="timeseries", status=500, times=None))
    old = world.call_back()
    world.work()
    world.clock.advance(policy.EVENT_MAX_AGE + 1)
    young = world.call_back()
    world.work()

    sweep.run(world.runtime())
    sweep.run(world.runtime())

    assert (world.event(old).state, world.event(young).state) == ("dead", "working")
    assert f"`waggle replay {old}`" in (world.event(old).error or {})["message"]


def test_a_deauthorization_waits_for_longer(world: World) -> None:
    """A token that its owner took back is asked about for a week, not for a day."""
    with world.ledger.write() as session:
        new = NewEvent(
            kind=EventKind.DEAUTHORIZED,
            payload={"token_hashes": []},
            received_at=world.clock.at,
        )
        store(session, [new])
    world.clock.advance(policy.DEAUTHORIZE.dead_after - 1)
    sweep.run(world.runtime())
    assert world.event(new.id).state == "received"
    world.clock.advance(2)
    sweep.run(world.runtime())
    assert world.event(new.id).state == "dead"


def test_a_broker_that_is_away_is_not_rung_again_and_again(world: World) -> None:
    """The first bell that fails ends the sweep; the next sweep tries again."""
    world.call_back()
    tried: list[str] = []

    def away(task: str, _queue: str) -> bool:
        tried.append(task)
        return False

    sweep.run(world.runtime(ring=away))
    assert len(tried) == 1


@pytest.mark.parametrize("sweeps", [2, 6])
def test_sweeps_at_once_do_no_work_twice(world: World, sweeps: int) -> None:
    """Several beats ring and several workers answer: every feed is synced once."""
    for number in range(4):
        series = world.bemserver.state.add_series(f"S{number}", campaign="Home").id
        world.link(
            "output", series=series, label=f"l{number}", source=second_source(world, f"s{number}")
        )
    event_id = world.call_back()

    def beat(_number: int) -> None:
        rt = world.runtime()
        sweep.run(rt)
        world.work(rt)

    at_once(sweeps, beat)

    assert {world.feed(number).epoch for number in range(1, 6)} == {1}
    assert world.event(event_id).state == "done"


def test_a_callback_that_waits_for_a_limit_is_counted_once(world: World) -> None:
    """It is passed over for a minute, then synced: one deferral, one attempt, and no error."""
    world.work()
    world.bemserver.faults.add(Fault(status=429, headers={"Retry-After": "60"}))
    change_feed(world, due_at=world.clock.at)
    world.work()
    event_id = world.call_back()
    for _ in range(62):
        rt = world.runtime()
        world.work(rt)
        sweep.run(rt)
        world.clock.advance(1)
    event = world.event(event_id)
    assert (event.state, event.attempts, event.deferrals) == ("done", 1, 1)
    assert event.error is None
