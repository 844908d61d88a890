"""The look of each minute: a heartbeat while work moves, alerts when it does not."""

from collections.abc import Iterator

import pytest

from db import alerts, tallies
from db.models import Feed, Worker
from db.states import Lane
from db.tallies import Key, Seen
from tasks import watch
from tasks.runtime import Options, Runtime
from tests.tasks.listening import Listener, listening
from tests.tasks.scenes import change_feed
from tests.world import World

CANARY = "canary-check"


@pytest.fixture(name="listener")
def _listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture(autouse=True)
def _staffed(world: World) -> None:
    """A worker that is alive, for as long as these tests last."""
    with world.ledger.write() as session:
        session.add(
            Worker(
                name="w",
                queues="urgent,default,bulk",
                slots=1,
                started_at=world.clock.at,
                seen_at=9e9,
            )
        )


def look(rt: Runtime) -> bool:
    """The look of a minute in which beat rings: somebody has swept."""
    with rt.ledger.write() as session:
        tallies.mark(session, {Key(tallies.SWEEP): Seen(rt.clock.now())})
    return watch.run(rt)


def watcher(world: World, listener: Listener) -> Runtime:
    """A worker that sends heartbeats."""
    url = listener.url(CANARY, "http")
    return world.runtime(options=Options(heartbeat_url=url))


def open_now(world: World) -> list[str]:
    """The alerts that are open."""
    with world.ledger.read() as session:
        return [row.message for row in alerts.open_now(session)]


def test_a_heartbeat_goes_out_once_a_minute(world: World, listener: Listener) -> None:
    """Whoever else hears the bell in the same minute sends none."""
    change_feed(world, due_at=world.clock.at + 9e6)
    for _ in range(3):
        assert look(watcher(world, listener))
        assert not look(watcher(world, listener))
        world.clock.advance(60)
    assert len(listener.came) == 3


def test_none_goes_out_while_nothing_moves(world: World, listener: Listener) -> None:
    """Work is due, nobody does it: silence, and an alert; both end with the standstill."""
    world.clock.advance(600)
    assert not look(watcher(world, listener))
    assert listener.came == []
    (line,) = open_now(world)
    assert "600 s" in line
    world.work()
    assert look(watcher(world, listener))
    assert open_now(world) == []


def test_one_that_fails_is_a_warning_and_an_alert(
    world: World, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """Not tried again, and the address stands nowhere."""
    listener.answers[CANARY] = 500
    with caplog.at_level("DEBUG"):
        assert not look(watcher(world, listener))
    assert len(listener.came) == 1
    (line,) = open_now(world)
    assert "answers 500" in line
    assert CANARY not in line
    assert CANARY not in caplog.text
    listener.answers.clear()
    world.clock.advance(60)
    assert look(watcher(world, listener))
    assert open_now(world) == []


def test_without_an_address_nothing_is_fetched(world: World) -> None:
    """And nothing is wrong."""
    assert not look(world.runtime())
    assert open_now(world) == []


def test_a_worker_that_was_killed_is_told(world: World) -> None:
    """One that says goodbye is not; the alert ends when it is forgotten."""
    change_feed(world, due_at=world.clock.at + 9e6)
    with world.ledger.write() as session:
        session.add(
            Worker(
                name="gone",
                queues="urgent,default,bulk",
                slots=1,
                started_at=0,
                seen_at=world.clock.at,
            )
        )
    look(world.runtime())
    assert open_now(world) == []
    world.clock.advance(70)
    look(world.runtime())
    (line,) = open_now(world)
    assert "worker gone" in line
    with world.ledger.write() as session:
        session.delete(session.get_one(Worker, "gone"))
    look(world.runtime())
    assert open_now(world) == []


@pytest.mark.parametrize("what", ["hangs", "beat", "queue"])
def test_a_worker_that_lives_and_does_nothing_sends_none(
    world: World, listener: Listener, what: str
) -> None:
    """It says that it lives, and that is all: one that hangs, no beat, or a queue of nobody's."""
    change_feed(world, due_at=world.clock.at + 9e6, last_synced_at=world.clock.at)
    assert look(watcher(world, listener))
    world.clock.advance(600)
    with world.ledger.write() as session:
        if what == "hangs":  # a callback waits, and schedules are worked off
            world_feed = session.get_one(Feed, world.feed_id)
            world_feed.due_at, world_feed.lane = world.clock.at - 301, Lane.URGENT.value
            world_feed.last_synced_at = world.clock.at
        if what == "queue":
            session.get_one(Worker, "w").queues = "urgent,default"
    rt = watcher(world, listener)
    assert not (watch.run(rt) if what == "beat" else look(rt))
    assert len(listener.came) == 1
    (line,) = open_now(world)
    assert {"hangs": "callback", "beat": "beat is gone", "queue": "bulk"}[what] in line
