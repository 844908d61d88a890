"""Leases of one process: a hung thread loses its own, a stopping process stops."""

import contextlib

import pytest
from sqlalchemy.exc import OperationalError

from tasks import deaths
from tasks.runtime import Leases, Runtime, Stopping
from tasks.slots import HELD_AT_MOST_SECONDS
from tests.tasks.scenes import LEASE_OVER, die
from tests.world import World, crash_at


def test_a_thread_that_hangs_loses_its_lease() -> None:
    """After three minutes the heartbeat does not believe in it any more."""
    leases = Leases()
    with leases.holding([1, 2], 100.0):
        leases.drop([2])
        assert leases.renewable(100.0 + HELD_AT_MOST_SECONDS - 1) == [1]
        assert leases.renewable(100.0 + HELD_AT_MOST_SECONDS) == []
    assert leases.renewable(100.0) == []


def test_the_heartbeat_keeps_what_is_held(world: World) -> None:
    """A long sync outlives its lease as long as its process says so; a dead one does not."""
    beats: list[float] = []

    def slow(step: str) -> None:
        if step == "fetched" and not beats:
            for _ in range(10):
                world.clock.advance(3)
                rt.heartbeat()
                beats.append(world.feed().lease_until - world.clock.at)
                world.work(other)

    other = world.runtime()
    rt = world.runtime(trace=slow)
    event_id = world.call_back()
    world.work(rt)

    assert beats == [10.0] * 10
    assert world.feed().epoch == 1
    assert world.event(event_id).state == "done"

    world.call_back()
    dead = world.runtime(trace=crash_at("fetched"))
    die(world, dead)
    dead.heartbeat()
    world.clock.advance(LEASE_OVER)
    world.work(other)
    assert world.feed().epoch == 3


def test_a_stopping_process_stops_at_the_next_step(world: World) -> None:
    """`step` tells the trace first, then whether to go on."""
    seen: list[str] = []
    rt = world.runtime(trace=seen.append)
    rt.step("one")
    rt.stopping.set()
    with pytest.raises(Stopping):
        rt.step("two")
    assert seen == ["one", "two"]


def away() -> OperationalError:
    """What SQLAlchemy says when the database has gone."""
    return OperationalError("SELECT 1", None, OSError("gone"))


def loses_its_ledger(world: World, step: str) -> Runtime:
    """A process that claims the feed and finds no ledger at this step."""

    def trace(name: str) -> None:
        if name == step:
            raise away()

    rt = world.runtime(trace=trace)
    with pytest.raises(OperationalError):
        world.work(rt)
    return rt


@pytest.mark.parametrize("step", ["fetched", "recorded", "push.begun", "push.sent"])
def test_an_outage_of_the_ledger_makes_no_suspects(world: World, step: str) -> None:
    """What a worker let go of is handed back by its next heartbeat, and done by anybody at once."""
    event_id = world.call_back()
    rt = loses_its_ledger(world, step)
    assert world.feed().lease_owner == rt.owner
    rt.heartbeat()
    assert rt.leases.left() == []

    world.work(world.runtime())

    assert world.event(event_id).state == "done"
    assert not world.feed().suspect
    ids = [point.requestid for point in world.points()]
    assert len(ids) == len(set(ids)) == 2


def test_leases_that_an_outage_ended_are_handed_back_before_anybody_looks(world: World) -> None:
    """It lasted longer than they: whoever noticed it too waits for a heartbeat of the others."""
    rt = loses_its_ledger(world, "fetched")
    other = world.runtime()
    world.clock.advance(LEASE_OVER)
    other.was_away()
    deaths.bury(other)
    assert world.feed().lease_owner == rt.owner

    rt.heartbeat()
    world.clock.advance(deaths.BACK_SECONDS)
    deaths.bury(other)
    assert (world.feed().lease_owner, world.feed().suspect) == (None, False)


def test_a_worker_that_died_in_an_outage_is_found_after_it(world: World) -> None:
    """Nobody hands its leases back: they are looked into as soon as the others had their time."""
    loses_its_ledger(world, "fetched")
    other = world.runtime()
    world.clock.advance(LEASE_OVER)
    other.was_away()
    world.clock.advance(deaths.BACK_SECONDS)
    deaths.bury(other)
    assert world.feed().lease_owner is None
    assert world.feed().suspect


def test_a_lease_that_was_taken_again_is_not_handed_back(world: World) -> None:
    """The same process works on it again: that is no longer what the outage ended."""
    leases = Leases()
    again = contextlib.ExitStack()

    def lose() -> None:
        with leases.holding([1, 2, 3], 0.0):
            leases.drop([3])
            again.enter_context(leases.holding([3], 0.5))
            raise away()

    with pytest.raises(OperationalError):
        lose()
    assert leases.left() == [1, 2]
    assert leases.renewable(1.0) == [3]  # another thread's
    with leases.holding([1], 1.0):
        assert leases.left() == [2]
    leases.handed_back([2])
    assert leases.left() == []
