"""Runs are followed to their end, whoever dies on the way, and each end counts once."""

from collections.abc import Callable

from sqlmodel import select, update

from db.models import Feed
from db.models_runs import Run
from db.states import RunState, Stream
from tasks import runs
from tasks.live.loop import Desk
from tests.tasks.live.conftest import BOUND_SECONDS, Followed, until
from tests.tasks.rime_world import PROJECT
from tests.world import World

Desks = Callable[..., Desk]


def die(desk: Desk) -> None:
    """As a killed process does: it gives nothing back."""
    assert desk._loop is not None
    assert desk._thread is not None
    desk._loop.call_soon_threadsafe(desk._end)
    desk._thread.join(BOUND_SECONDS)
    desk._followed.clear()


def test_runs_of_a_dead_process_end_right(world: World, rime: Followed, desks: Desks) -> None:
    """200 in the middle: their leases end, another one takes them, each counts once."""
    source = rime.source()
    rime.feed("rows", source, "rows_extracted")
    started = [rime.start(rows=0) for _ in range(200)]
    rime.find(source, *(run.id for run in started))
    first = world.runtime()
    desk = desks(first)
    assert runs.follow(first) == 200
    until(lambda: all(run.seen_at is not None for run in rime.rows().values()))
    for run in started[:50]:
        rime.rime.state.finish_run(run, rows=1)
    until(lambda: len(rime.over()) >= 10)
    die(desk)

    for run in started[50:]:
        rime.rime.state.finish_run(run, rows=1)
    second = world.runtime()
    desks(second)

    def swept() -> bool:  # as beat has it done again and again
        runs.follow(second)
        return len(rime.over()) == 200

    until(swept)
    assert {run.state for run in rime.rows().values()} == {"completed"}
    world.clock.advance(3600.0)
    world.work(second)
    assert sum(point.value for point in world.points("rows")) == 200.0


def test_two_processes_share_the_runs(world: World, rime: Followed, desks: Desks) -> None:
    """Each takes as many as it has room for."""
    source = rime.source()
    rime.find(source, *(f"r{number}" for number in range(7)))
    one, two = world.runtime(), world.runtime()
    desks(one, 4)
    desks(two, 4)

    assert (runs.follow(one), runs.follow(two)) == (4, 3)
    assert runs.follow(one) == 0


def test_a_process_that_stops_gives_its_runs_back(
    world: World, rime: Followed, desks: Desks
) -> None:
    """Nobody waits for leases of somebody who said goodbye."""
    source = rime.source()
    run = rime.start()
    rime.find(source, run.id)
    rt = world.runtime()
    desk = desks(rt)
    runs.follow(rt)
    desk.stop()

    assert rime.rows()[run.id].lease_owner is None
    other = world.runtime()
    desks(other)
    assert runs.follow(other) == 1
    assert runs.follow(rt) == 0


def test_a_run_that_was_deleted_is_not_followed_for_ever(
    world: World, rime: Followed, desks: Desks
) -> None:
    """After some reads that find nothing it is over, with the reason."""
    rime.find(rime.source(), "gone")
    rt = world.runtime()
    desks(rt)
    runs.follow(rt)
    until(lambda: rime.over() == {"gone"})

    ended = rime.rows()["gone"]
    assert ended.state == RunState.CANCELLED
    assert "404" in (ended.error or "")


def test_feeds_of_other_connectors_are_not_woken(
    world: World, rime: Followed, desks: Desks
) -> None:
    """An end is news where it counts."""
    rime.rime.state.add_connector(PROJECT, "returns", "Returns")
    source = rime.source()
    counted = rime.feed("rows", source, "rows_extracted")
    other = rime.feed("other", source, "rows_extracted", connector="returns")
    with world.ledger.write() as session:
        for feed in session.exec(select(Feed)).all():
            feed.due_at = world.clock.at + 1e6
    run = rime.start()
    rime.rime.state.finish_run(run, rows=1)
    rime.find(source, run.id)
    rt = world.runtime()
    desks(rt)
    runs.follow(rt)
    until(lambda: rime.over() == {run.id})

    assert world.feed(counted).due_at <= world.clock.at
    assert world.feed(other).due_at > world.clock.at + 1e5


def test_a_run_whose_lease_ended_here_is_followed_by_one(
    world: World, rime: Followed, desks: Desks
) -> None:
    """The ledger was away for longer than a lease: who follows goes on, with what it was told."""
    source = rime.socketed()
    rime.feed("rows", source, "rows_extracted")
    run = rime.start(rows=0)
    rime.find(source, run.id)
    rt = world.runtime()
    desk = desks(rt)
    assert runs.follow(rt) == 1
    until(lambda: rime.rows()[run.id].stream == Stream.OPEN)
    ((number, follower),) = desk._followed.items()

    def taken_again() -> bool:  # before the next tick has renewed it
        with world.ledger.write() as session:
            session.connection().execute(update(Run).values(lease_until=0.0))
        return runs.follow(rt) == 1

    until(taken_again)
    epoch = rime.rows()[run.id].epoch
    assert desk._followed == {number: follower}
    assert follower.held.epoch == epoch
    assert len(rime.rime.live.sockets) == 1
    rime.rime.state.finish_run(run, rows=1)
    until(lambda: rime.over() == {run.id})

    assert rime.rows()[run.id].reconnects == 0
