"""Which runs are followed: those that run where a feed counts, and each by one process."""

from db import workers
from db.models import Source, Worker
from db.states import RunState, SourceState
from simulators.faults import Fault
from tasks import runs, sweep
from tests.tasks.live.conftest import Followed, desks, rime, until
from tests.world import World

__all__ = ["desks", "rime"]  # fixtures of the package below


def test_a_run_is_found_followed_and_counted(world: World, rime: Followed, desks) -> None:
    """From the list of running ones to the datapoint, without a stream."""
    source = rime.source()
    feed_id = rime.feed("rows", source, "rows_extracted")
    run = rime.start(rows=0)
    rt = world.runtime()
    desks(rt)
    world.work(rt)

    assert runs.discover(rt) == 1
    assert runs.follow(rt) == 1
    until(lambda: rime.rows()[run.id].seen_at is not None)
    assert rime.rows()[run.id].state == RunState.RUNNING
    rime.rime.state.finish_run(run, rows=41)
    until(lambda: rime.over() == {run.id})

    ended = rime.rows()[run.id]
    assert (ended.state, ended.rows, ended.lease_owner) == ("completed", 41.0, None)
    assert world.feed(feed_id).due_at <= world.clock.at
    until(lambda: ("sync", "default") in world.rung)
    world.work(rt)
    assert sum(point.value for point in world.points("rows")) == 41.0


def test_a_run_is_looked_for_where_a_feed_counts(world: World, rime: Followed) -> None:
    """Once in a while, by one worker, and not where nothing is counted."""
    lonely = rime.source("lonely")
    source = rime.source()
    rime.start()
    rt = world.runtime()
    assert runs.discover(rt) == 0
    rime.feed("rows", source, "rows_extracted")

    assert runs.discover(rt) == 1
    assert runs.discover(world.runtime()) == 0
    world.clock.advance(runs.LOOK_SECONDS)
    assert runs.discover(rt) == 0  # it is known
    assert rime.row(lonely).runs_due_at == 0.0


def test_an_outage_is_waited_out(world: World, rime: Followed) -> None:
    """A source that does not answer is looked at later, and the others are not held up."""
    source = rime.source()
    rime.feed("rows", source, "rows_extracted")
    rime.start()
    rime.rime.faults.add(Fault(path="runs", times=1))
    rt = world.runtime()

    assert runs.discover(rt) == 0
    world.clock.advance(runs.LOOK_SECONDS)
    assert runs.discover(rt) == 0
    world.clock.advance(runs.LATER_SECONDS)
    assert runs.discover(rt) == 1


def test_a_source_whose_login_is_refused_is_left_alone(world: World, rime: Followed) -> None:
    """To ask again with the same key would only lock it."""
    source = rime.source()
    rime.feed("rows", source, "rows_extracted")
    with world.ledger.write() as session:
        session.get_one(Source, source).state = SourceState.REAUTHORIZE
    rime.start()

    assert runs.discover(world.runtime()) == 0


def test_a_source_that_can_not_be_used_keeps_nobody(world: World, rime: Followed, desks) -> None:
    """Its runs wait; the others are followed."""
    broken, source = rime.source("broken", project=None), rime.source()
    rime.find(broken, "b1")
    rime.find(source, "r1")
    rt = world.runtime()
    desks(rt)

    assert runs.follow(rt) == 1
    assert rime.rows()["b1"].lease_owner is None
    assert rime.rows()["b1"].due_at > world.clock.at


def test_nobody_begins_while_the_process_stops(world: World, rime: Followed, desks) -> None:
    """A bell that comes too late takes nothing."""
    rime.find(rime.source(), "r1")
    rt = world.runtime()
    desks(rt)
    rt.stopping.set()

    assert runs.follow(rt) == 0
    assert rime.rows()["r1"].lease_owner is None


def test_the_sweep_rings_where_somebody_listens(world: World, rime: Followed) -> None:
    """Bells of a queue that nobody has would pile up in the broker for days."""
    source = rime.source()
    rime.feed("rows", source, "rows_extracted")
    rime.find(source, "r1")
    rt = world.runtime()
    world.work(rt)
    assert not [name for name in sweep.run(rt) if name.endswith("progress")]

    with world.ledger.write() as session:
        workers.register(
            session, Worker(name="p", queues="progress", slots=2, started_at=0, seen_at=9e9)
        )
    rung = sweep.run(rt)
    assert (rung["discover.progress"], rung["follow.progress"]) == (1, 1)
    runs.discover(rt)
    assert "discover.progress" not in sweep.run(rt)
