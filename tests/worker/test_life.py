"""Promises of a worker's life: leases live while it works, and are handed back when it stops."""

import subprocess
import sys
import threading
import time
from importlib import metadata

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from db import claiming, feeds, workers
from db.models import Worker
from db.states import Lane
from worker import life as worker_life
from worker.life import Life


@pytest.fixture
def exits(monkeypatch):
    """The worker's last step is noted instead of taken, and nothing waits for long."""
    done = threading.Event()
    done.statuses = []

    def leave(status):
        done.statuses.append(status)
        done.set()

    monkeypatch.setattr(worker_life.os, "_exit", leave)
    monkeypatch.setattr(worker_life, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(worker_life, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(worker_life, "GONE_AFTER_SECONDS", 0.3)
    monkeypatch.setattr(worker_life, "LINGER_SECONDS", 0.01)
    return done


@pytest.fixture
def rt(world):
    return world.runtime()


@pytest.fixture
def life(rt, exits):
    made = Life(rt, queues="urgent,default", bells=None)
    yield made
    made.leave()
    if made._thread.ident is not None:
        made._thread.join(5)


def until(happened):
    """A bounded poll."""
    ends_at = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.005)


def claim(world, rt):
    with world.ledger.write() as session:
        (held,) = claiming.claim(session, owner=rt.owner, now=world.clock.at, lane=Lane.BULK)
    return held


def known(world):
    with world.reading() as session:
        return session.exec(select(Worker)).all()


def test_a_worker_says_that_it_is_there(world, rt, life):
    """From the first moment it counts as alive, with its slots, and looks for what was left."""
    life.start()

    (worker,) = known(world)
    assert (worker.name, worker.queues, worker.slots) == (rt.owner, "urgent,default", 4)
    assert worker.version == metadata.version("waggle-server")
    with world.reading() as session:
        assert workers.alive(session, world.clock.at) == 1
        assert workers.free_slots(session, world.clock.at) == 4
    assert world.rung == [("sweep", "urgent")]


def test_the_heartbeat_renews_the_leases_that_are_held(world, rt, life):
    """A sync that takes longer than a lease keeps its feed."""
    held = claim(world, rt)
    with rt.leases.holding([held.feed_id], world.clock.at):
        life.start()
        world.clock.advance(8)

        until(lambda: world.feed().lease_until == world.clock.at + feeds.LEASE_SECONDS)
    until(lambda: known(world)[0].seen_at == world.clock.at)


def test_what_a_killed_process_of_this_machine_held_is_free_at_once(world, rt, life):
    """Nobody waits ten seconds for leases of whom the machine knows that they are over."""
    code = "from worker import whereabouts; print(whereabouts.name())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    killed, elsewhere = world.runtime(owner=ran.stdout.strip()), world.runtime()
    second = world.link("output")
    for dead in (killed, elsewhere):
        with world.ledger.write() as session:
            seen = {"started_at": world.clock.at, "seen_at": world.clock.at}
            workers.register(session, Worker(name=dead.owner, queues="", slots=1, **seen))
            assert claiming.claim(
                session, owner=dead.owner, now=world.clock.at, lane=Lane.BULK, limit=1
            )

    life.start()

    assert world.feed().lease_owner is None
    assert world.feed().lease_until <= world.clock.at + feeds.LEASE_SECONDS
    assert world.feed(second).lease_owner == elsewhere.owner


def test_the_heartbeat_leaves_other_leases_alone(world, rt, life):
    """A worker that was fenced off and does not know it keeps nobody's lease alive."""
    other = world.runtime()
    held = claim(world, other)
    before = world.feed().lease_until
    life.start()
    with rt.leases.holding([held.feed_id], world.clock.at):  # it believes so, wrongly
        world.clock.advance(1)
        until(lambda: known(world)[0].seen_at == world.clock.at)
    assert world.feed().lease_until == before
    assert world.feed().lease_owner == other.owner


def test_a_thread_that_hangs_loses_its_lease(world, rt, life):
    """After minutes without an end the heartbeat stops vouching for it, and others may claim."""
    held = claim(world, rt)
    with rt.leases.holding([held.feed_id], world.clock.at):
        life.start()
        world.clock.advance(181)
        until(lambda: known(world)[0].seen_at == world.clock.at)

    assert world.feed().lease_until < world.clock.at


def test_the_heartbeat_survives_a_database_that_fails(world, rt, life, monkeypatch):
    """A database that is away for a while ends no worker: it goes on when it is back."""
    failed = threading.Event()
    beat = workers.beat

    def away(*_args, **_more):
        failed.set()
        raise OperationalError("UPDATE", {}, Exception("gone"))

    monkeypatch.setattr(workers, "beat", away)
    life.start()
    assert failed.wait(5)
    monkeypatch.setattr(workers, "beat", beat)
    world.clock.advance(5)

    until(lambda: known(world)[0].seen_at == world.clock.at)


def test_the_heartbeat_purges_the_embedded_queue(world, rt, exits, tmp_path, monkeypatch):
    """Bells that nobody hears do not fill the disk of a worker that runs for months."""
    stale = tmp_path / "0000000000000001_x.old.msg"
    stale.write_text("{}")
    monkeypatch.setattr(worker_life.housekeeping, "STALE_BELL_SECONDS", 600)
    monkeypatch.setattr(worker_life, "PURGE_EVERY", 2)
    worker_life.os.utime(stale, (1, 1))
    life = Life(rt, queues="urgent", bells=tmp_path)
    life.start()

    until(lambda: not stale.exists())
    life.leave()
    life._thread.join(5)


def test_stopping_hands_leases_back_with_a_higher_epoch(world, rt, life, exits):
    """Whoever is next claims at once, and what this worker still does is fenced off."""
    held = claim(world, rt)
    life.start()
    with rt.slots.enter(Lane.BULK):  # it hangs, and does not end within the grace
        life.stop()
        assert rt.stopping.is_set()
        assert exits.wait(5)

    feed = world.feed()
    assert (feed.lease_owner, feed.lease_until, feed.epoch) == (None, 0.0, held.epoch + 1)
    assert known(world) == []
    assert exits.statuses == [0]
    assert world.rung[-1] == ("sync", "urgent")
    with world.ledger.write() as session, pytest.raises(feeds.FencedError):
        feeds.finish(session, held, now=world.clock.at, next_at=world.clock.at, written=1)


def test_stopping_waits_for_what_ends_soon(world, rt, life, exits, monkeypatch):
    """A push that is nearly done gets its mark before the leases go."""
    monkeypatch.setattr(worker_life, "GRACE_SECONDS", 30)
    held = claim(world, rt)
    life.start()
    slot = rt.slots.enter(Lane.BULK)
    slot.__enter__()
    life.stop()
    assert not exits.wait(0.1)
    with world.ledger.write() as session:
        feeds.hold(session, held, world.clock.at)  # still its own
    slot.__exit__(None, None, None)

    assert exits.wait(5)
    assert world.feed().lease_owner is None


def test_a_worker_with_nothing_to_do_is_gone_at_once(life, exits, monkeypatch):
    """A restart takes a second: nobody waits for threads that do nothing."""
    monkeypatch.setattr(worker_life, "GONE_AFTER_SECONDS", 60)
    life.start()
    life.stop()

    assert exits.wait(5)


def test_stopping_twice_is_stopping_once(world, rt, life, exits):
    """An impatient operator presses Ctrl-C again: one goodbye, one exit."""
    life.start()
    life.stop()
    life.stop()
    life.leave()
    life.leave()

    assert exits.wait(5)
    assert exits.statuses == [0]


def test_a_database_that_is_away_does_not_keep_a_worker(world, rt, life, exits, monkeypatch):
    """The leases end by themselves; the process still goes."""

    def away(*_args, **_more):
        raise OperationalError("UPDATE", {}, Exception("gone"))

    life.start()
    monkeypatch.setattr(feeds, "hand_back", away)
    life.stop()

    assert exits.wait(5)


def test_a_worker_that_starts_without_its_ledger_lives_all_the_same(rt, life, monkeypatch):
    """It says that it is there as soon as it can; without a heartbeat no lease would last."""
    real, away = rt.ledger.write, [OperationalError("no ledger", None, OSError())] * 3

    def write(**how):
        if away:
            raise away.pop()
        return real(**how)

    monkeypatch.setattr(rt.ledger, "write", write)
    life.start()

    def there():
        with rt.ledger.read() as session:
            return session.exec(select(Worker)).one_or_none()

    until(there)
    assert there().name == rt.owner
