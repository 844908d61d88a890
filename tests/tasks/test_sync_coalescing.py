"""At most one sync of a feed runs and one waits; a callback is answered by a later claim."""

from db import claiming, feeds, opening
from db.inbox import NewEvent, store
from db.models import Cover, Source
from db.states import EventKind, Lane
from simulators.faults import Fault
from tasks import sync
from tests.tasks.scenes import TODAY, all_rows, at_once, second_source
from tests.world import World


def test_callbacks_during_a_sync_wait_for_one_trailing_run(world: World) -> None:
    """Two callbacks while a sync runs: one more claim, and both are done by it, not before."""
    during: list[str] = []

    def trace(step: str) -> None:
        if step == "fetched" and not during:
            during.extend([world.call_back(), world.call_back()])
            world.work(world.runtime())  # another worker opens them, and finds nothing to claim
            world.measure(world.series, {world.clock.at - 60: 1.0})

    first = world.call_back()
    sync.run(world.runtime(trace=trace), Lane.URGENT)
    assert world.event(first).state == "done"
    assert [world.event(event_id).state for event_id in during] == ["working", "working"]
    assert world.values()[TODAY] == 2.5

    world.work()

    assert world.feed().epoch == 2
    assert [world.event(event_id).state for event_id in during] == ["done", "done"]
    assert [world.event(event_id).attempts for event_id in during] == [1, 1]
    assert world.values()[TODAY] == 3.5


def test_many_callbacks_at_rest_are_answered_by_one_sync(world: World) -> None:
    """Twenty callbacks that wait together cost one claim."""
    ids = [world.call_back() for _ in range(20)]

    world.work()

    assert {world.event(event_id).state for event_id in ids} == {"done"}
    assert world.feed().epoch == 1


def test_a_failed_sync_leaves_later_callbacks_due_at_once(world: World) -> None:
    """A callback that arrived while a sync was failing does not wait for the failure's delay."""
    during: list[str] = []

    def trace(step: str) -> None:
        if step == "push.begun" and not during:
            during.append(world.call_back())
            sync.callbacks.open_new(world.runtime())

    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=500))
    world.call_back()
    sync.run(world.runtime(trace=trace), Lane.URGENT)
    assert world.values() == {}

    world.work()

    assert world.event(during[0]).state == "done"
    assert world.values()[TODAY] == 2.5


def test_a_callback_that_is_committed_late_is_not_finished_early(world: World) -> None:
    """An event with an earlier time that the claim did not see waits for the next claim."""
    with world.ledger.write() as session:
        (held,) = claiming.claim(session, owner="a", now=world.clock.at, lane=Lane.BULK)
    late = NewEvent(
        kind=EventKind.AUTOFETCH,
        payload={"username": "alice", "slug": "energy"},
        received_at=world.clock.at - 5,
    )
    with world.ledger.write() as session:
        store(session, [late])
        opening.open_callbacks(session, world.clock.at)
    with world.ledger.write() as session:
        feeds.finish(session, held, now=world.clock.at, next_at=world.clock.at + 3600, written=0)

    assert world.event(late.id).state == "working"
    assert world.feed().due_at <= world.clock.at
    world.work()
    assert world.event(late.id).state == "done"
    assert world.values()[TODAY] == 2.5


def test_an_event_waits_for_every_feed_of_its_goal(world: World) -> None:
    """Two labelled feeds of two sources: done only when the fresh data of both is on the goal."""
    world.measure(world.other_series, {world.clock.at - 60: 4.0})
    other = world.link(
        "energy", series=world.other_series, label="roof", source=second_source(world)
    )
    world.bemserver.faults.add(Fault(path="timeseries_data/", status=500, after=1))
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "working"
    assert sorted(cover.done for cover in all_rows(world, Cover)) == [False, True]
    world.clock.advance(5)
    world.work()
    assert world.event(event_id).state == "done"
    assert world.event(event_id).attempts == 2
    assert [p.value for p in world.points() if p.daystamp == TODAY] in ([2.5, 4.0], [4.0, 2.5])
    assert {world.feed(feed_id).state for feed_id in (world.feed_id, other)} == {"active"}


def test_two_workers_do_no_work_twice(world: World) -> None:
    """Two workers and twelve bells at once: every event done, every feed claimed once."""
    feed_ids = [world.feed_id]
    for number in range(5):
        series = world.bemserver.state.add_series(f"S{number}", campaign="Home").id
        world.measure(series, {world.clock.at - 60: 1.0 + number})
        feed_ids.append(
            world.link(
                "output",
                series=series,
                label=f"l{number}",
                source=second_source(world, f"s{number}"),
            )
        )
    events = [world.call_back("energy"), world.call_back("output")]
    workers = [world.runtime(), world.runtime()]

    at_once(6, lambda number: world.work(workers[number % 2], Lane.URGENT))

    assert {world.event(event_id).state for event_id in events} == {"done"}
    assert {world.feed(feed_id).epoch for feed_id in feed_ids} == {1}
    counts = world.beeminder.state.write_counts("alice", "output")
    assert all(found == {"created": 1} for found in counts.values())
    assert len(all_rows(world, Source)) == 6
