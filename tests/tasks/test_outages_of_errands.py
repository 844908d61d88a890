"""What asks Beeminder beside the syncs keeps to the breaker, and its outcomes count as well."""

import pytest

from db.models import Feed
from db.models_limits import Breaker
from simulators.faults import Fault
from tasks import datasource_change, deauthorize, reconcile
from tasks.runtime import Runtime
from tests.tasks.away import broken, faults_of, told
from tests.tasks.scenes import all_rows
from tests.tasks.sourced import GOAL_PATH, Sourced
from tests.tasks.test_deauthorize import kill_token, taken_away
from tests.world import DAY, World

PROBE = 61.0  # seconds after which an open breaker is probed

pytestmark = pytest.mark.usefixtures("landed")


@pytest.fixture
def rt(world: World) -> Runtime:
    """One worker."""
    return world.runtime()


def asked(world: World) -> int:
    """How many requests Beeminder has had."""
    return world.beeminder.faults.count()


def link(world: World) -> Breaker | None:
    """How the link to Beeminder stands; None: all is well."""
    return next((row for row in all_rows(world, Breaker) if row.subject == "user:1"), None)


def overdue(world: World) -> None:
    """Every goal is to be compared, and no feed is due."""
    world.clock.advance(DAY + 7200)
    world.work()
    with world.ledger.write() as session:
        for row in all_rows(world, Feed):
            feed = session.get_one(Feed, row.id)
            feed.due_at, feed.reconciled_at = world.clock.at + DAY, world.clock.at - 3 * DAY


def comparisons(rt: Runtime) -> int:
    """Compare what is due; how many goals that were."""
    count = 0
    while reconcile.run(rt):
        count += 1
    return count


def test_one_goal_is_compared_to_probe(world: World, rt: Runtime) -> None:
    """Six goals are overdue behind an open breaker: one of them asks, and its silence counts."""
    for number in range(5):
        world.beeminder.state.add_goal("alice", f"g{number}", kyoom=True, aggday="sum")
        world.link(f"g{number}")
    overdue(world)
    broken(world, "link")
    with world.ledger.write() as session:
        for row in all_rows(world, Feed):
            session.get_one(Feed, row.id).due_at = world.clock.at + DAY
    before = asked(world)

    assert comparisons(rt) == 0
    world.clock.advance(PROBE)
    assert comparisons(rt) == 1

    assert asked(world) - before <= 2  # one try, repeated once where its connection broke
    row = link(world)
    assert row is not None
    assert row.probes == 1
    assert row.counted_at == world.clock.at


def test_a_comparison_that_is_answered_ends_an_outage(world: World, rt: Runtime) -> None:
    """All pages were read: Beeminder is there, and its owner is told so."""
    overdue(world)
    broken(world, "link")
    faults_of(world, "link").clear()
    with world.ledger.write() as session:
        session.get_one(Feed, world.feed_id).due_at = world.clock.at + DAY
    world.clock.advance(PROBE)

    assert comparisons(rt) == 1

    assert link(world) is None
    assert told(world) == [("recovered", "user:1")]


def test_a_comparison_in_vain_is_trouble(world: World, rt: Runtime) -> None:
    """Nothing else was asked: its failure is counted."""
    overdue(world)
    world.beeminder.faults.add(Fault(path="datapoints", status=500, times=None))

    assert comparisons(rt) == 1

    row = link(world)
    assert row is not None
    assert (row.good, row.bad) == (0.0, 1.0)


def test_a_data_source_is_set_when_beeminder_is_back(world: World) -> None:
    """Behind an open breaker it waits; as a probe it may go, and its answer closes it."""
    house = Sourced(world)
    house.consider()
    broken(world, "link")
    before = asked(world)

    assert house.work() == 0
    assert asked(world) == before
    faults_of(world, "link").clear()
    world.clock.advance(PROBE)
    assert house.work() == 1

    assert house.there == "waggle"
    assert link(world) is None


def test_a_data_source_that_can_not_be_set_is_trouble(world: World) -> None:
    """Beeminder answers 500: that counts as for any other work."""
    house = Sourced(world)
    house.consider()
    world.beeminder.faults.add(Fault(path=GOAL_PATH, status=500, times=None))

    assert datasource_change.run(house.runtime())

    row = link(world)
    assert row is not None
    assert row.bad == 1.0


def test_a_departure_waits_for_the_probe_and_is_confirmed_then(world: World, rt: Runtime) -> None:
    """The token is destroyed once Beeminder is back, and no try is counted until then."""
    broken(world, "link")
    event_id = taken_away(world)
    kill_token(world)
    before = asked(world)

    assert deauthorize.run(rt)
    assert not deauthorize.run(rt)
    event = world.event(event_id)
    assert (event.state, event.attempts, event.deferrals) == ("received", 0, 0)
    assert event.due_at - world.clock.at == 60.0
    assert asked(world) == before
    faults_of(world, "link").clear()
    world.clock.at = event.due_at
    assert deauthorize.run(rt)

    assert world.event(event_id).state == "done"
    assert world.feed().state == "stopped"
    assert link(world) is None


def test_a_departure_in_an_outage_counts(world: World, rt: Runtime) -> None:
    """Nobody answers: that is trouble, and the event is tried again as ever."""
    world.beeminder.faults.add(Fault(path="users/me", status=502, times=None))
    event_id = taken_away(world)

    assert deauthorize.run(rt)

    assert world.event(event_id).attempts == 1
    row = link(world)
    assert row is not None
    assert row.bad == 1.0
