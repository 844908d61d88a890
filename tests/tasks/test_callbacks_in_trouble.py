"""Names that are looked up while Beeminder is slow or away: they keep nobody waiting."""

import httpx
import pytest

from db.breakers import PROBE_SECONDS, URGENT_SECONDS
from db.models_limits import Breaker
from db.states import Lane
from tasks import callbacks, sync
from tasks.runtime import Runtime
from tests.tasks.away import Slow, broken, faults_of, go
from tests.tasks.scenes import all_rows, look_up
from tests.world import World


@pytest.fixture
def rt(world: World) -> Runtime:
    """One worker; everything that was due is done."""
    rt = world.runtime()
    world.work(rt)
    return rt


def asked(world: World) -> int:
    """How many requests Beeminder has had."""
    return world.beeminder.faults.count()


def link(world: World) -> Breaker:
    """How the link to Beeminder stands."""
    (row,) = [row for row in all_rows(world, Breaker) if row.subject == "user:1"]
    return row


def test_a_feed_goes_before_all_names(world: World, rt: Runtime) -> None:
    """Six unknown names came first, and each would take 8 s: the seventh callback is answered."""
    go(world, "link", path="goals.json", action="status", status=500)
    for number in range(6):
        world.call_back(f"unknown-{number}")
    event_id = world.call_back()

    with httpx.Client(transport=Slow(world, path="goals.json")) as http:
        rt.http, began = http, world.clock.at
        assert sync.run(rt, Lane.URGENT)

    assert world.event(event_id).state == "done"
    assert world.clock.at == began


def test_names_are_looked_up_one_at_a_time(world: World, rt: Runtime) -> None:
    """A callback that comes while a name is looked up waits for that one, and for no other."""
    go(world, "link", path="goals.json", action="status", status=500)
    for number in range(6):
        world.call_back(f"unknown-{number}")

    with httpx.Client(transport=Slow(world, path="goals.json")) as http:
        rt.http, began = http, world.clock.at
        assert sync.run(rt, Lane.URGENT)
        event_id = world.call_back()
        assert sync.run(rt, Lane.URGENT)

    assert world.event(event_id).state == "done"
    assert world.clock.at == began + 8


def test_names_are_looked_up_when_no_feed_is_due(world: World, rt: Runtime) -> None:
    """Each round does one piece of work, and says when there was none."""
    ids = [world.call_back(f"unknown-{number}") for number in range(3)]

    rounds = 0
    while sync.run(rt, Lane.URGENT):
        rounds += 1

    assert rounds == len(ids)
    assert {world.event(event_id).state for event_id in ids} == {"failed"}


def test_an_open_breaker_is_probed_by_one_name(world: World, rt: Runtime) -> None:
    """Thirty names behind it, and one of them may ask: the next one three seconds later."""
    broken(world, "link")
    before = asked(world)
    ids = [world.call_back(f"unknown-{number}") for number in range(30)]

    look_up(world, rt)
    assert asked(world) == before
    world.clock.advance(URGENT_SECONDS)
    look_up(world, rt)
    assert asked(world) - before <= 2  # one try, repeated once where its connection broke
    assert (link(world).probes, link(world).bad > 20) == (1, True)
    world.clock.advance(URGENT_SECONDS - 0.1)
    look_up(world, rt)
    assert link(world).probes == 1
    assert {world.event(event_id).state for event_id in ids} == {"received"}
    assert sum(world.event(event_id).attempts for event_id in ids) == 1


def test_a_name_that_is_found_out_closes_the_breaker(world: World, rt: Runtime) -> None:
    """An answer to a look-up is one of Beeminder's; then all the others go as well."""
    broken(world, "link")
    ids = [world.call_back(f"unknown-{number}") for number in range(5)]
    faults_of(world, "link").clear()

    world.clock.advance(URGENT_SECONDS)
    look_up(world, rt)

    assert all_rows(world, Breaker) == []
    assert {world.event(event_id).state for event_id in ids} == {"failed"}


def test_look_ups_that_fail_are_trouble(world: World, rt: Runtime) -> None:
    """Nothing else is due: the look-ups alone say that Beeminder is away, and that it is back."""
    go(world, "link", path="goals.json", action="status", status=500)
    event_id = world.call_back("unknown")
    look_up(world, rt)
    assert (link(world).good, link(world).bad) == (0.0, 1.0)

    faults_of(world, "link").clear()
    world.clock.at = world.event(event_id).due_at
    look_up(world, rt)

    assert all_rows(world, Breaker) == []


def test_a_person_behind_an_open_breaker_is_not_asked_for_their_name(
    world: World, rt: Runtime
) -> None:
    """A made-up username waits: it takes a probe's turn or none, and costs no attempt."""
    broken(world, "link")
    world.clock.advance(PROBE_SECONDS + 1)
    before = asked(world)
    event_id = world.call_back(username="mallory")
    callbacks.open_new(rt)
    with world.ledger.write() as session:  # a callback has just probed
        session.get_one(Breaker, "user:1").probed_at = world.clock.at - 1

    assert callbacks.look_one_up(rt)

    assert asked(world) == before
    assert (world.event(event_id).state, world.event(event_id).attempts) == ("received", 0)
    assert world.event(event_id).due_at == world.clock.at + 60
