"""Suspects: one killer among many is found, set aside, and takes nobody along."""

import contextlib
import threading

import pytest
from sqlmodel import Session

from db import events, feeds, needs, opening, pauses
from db.models_limits import Quota
from db.models_points import Datapoint
from db.states import Lane
from tasks import bells, deaths, deauthorize, deliver, reconcile, suspects, sweep, sync
from tasks.slots import EMPTY_WITHIN_SECONDS, HELD_AT_MOST_SECONDS, Slots
from tests.tasks import past_days
from tests.tasks.poison import Shelf, heard_of, live, run
from tests.tasks.scenes import (
    LEASE_OVER,
    TODAY,
    TRIED_AGAIN,
    InThread,
    all_rows,
    change_feed,
    die,
    second_source,
)
from tests.tasks.test_deauthorize import taken_away
from tests.world import DAY, CrashError, World, crash_at

STEPS = ("claimed", "fetched", "recorded", "push.begun", "push.sent")


@pytest.fixture
def shelf(world: World) -> Shelf:
    """Ten feeds of one source, all due."""
    made = Shelf(world)
    made.fill()
    return made


@pytest.mark.parametrize("step", STEPS)
def test_what_dies_alone_five_times_is_set_aside(world: World, step: str) -> None:
    """Killed at the same step again and again: over after five, and nothing else is harmed."""
    other = world.link("output", source=second_source(world))
    world.work()
    world.measure(world.series, {world.clock.at - 60: 1.0})
    event_id = world.call_back()
    for _ in range(5):
        assert world.event(event_id).state != "failed"
        assert die(world, world.runtime(trace=crash_at(step)))
        world.clock.advance(TRIED_AGAIN)

    assert not die(world, world.runtime(trace=crash_at(step)))

    feed = world.feed()
    assert (feed.state, feed.reason, feed.epoch) == ("failing", "set_aside", 6)
    ended = world.event(event_id)
    assert (ended.state, (ended.error or {})["code"]) == ("failed", "set_aside")
    beside = world.feed(other)
    assert (beside.state, beside.deaths, beside.suspect) == ("active", 0, False)
    again, innocent = world.call_back(), world.call_back("output")
    world.work()
    assert (world.event(again).state, world.event(innocent).state) == ("failed", "done")
    with world.reading() as session:
        assert [need.kind for need in needs.of(session, world.clock.at)] == ["set_aside"]


def test_a_person_has_it_tried_again(world: World) -> None:
    """What killed it is mended: it runs alone once, and then with all the others."""
    for _ in range(5):
        die(world, world.runtime(trace=crash_at("fetched")))
        world.clock.advance(TRIED_AGAIN)
    world.work()
    with world.ledger.write() as session:
        pauses.wake(session, [world.feed_id], world.clock.at)

    world.work()

    feed = world.feed()
    assert (feed.state, feed.deaths, feed.suspect, feed.last_error) == ("active", 0, False, None)
    assert world.values()[TODAY] == 2.5
    with world.reading() as session:
        assert needs.of(session, world.clock.at) == []


def test_one_killer_among_ten_that_die_together(shelf: Shelf) -> None:
    """Nine land, each tried alone and never counted; the killer is set aside after five alone."""
    shelf.kills = {3}

    died = shelf.live_and_die()

    assert died == 6  # once together, five times alone
    assert shelf.read[0] == list(range(10))
    assert all(len(together) == 1 for together in shelf.read[1:])
    assert shelf.landed() == set(range(10)) - {3}
    assert shelf.of("reason") == dict.fromkeys(range(10)) | {3: "set_aside"}
    assert shelf.of("deaths") == dict.fromkeys(range(10), 0) | {3: 5}
    assert shelf.of("suspect") == dict.fromkeys(range(10), False) | {3: True}


def crowded(shelf: Shelf) -> None:
    """Two more shelves of eight; everything on them dies with one process, in several threads."""
    shelf.fill(8)
    shelf.fill(8)
    rt = shelf.runtime(trace=crash_at("fetched", times=3))
    for _ in range(3):
        with pytest.raises(CrashError):
            sync.run(rt, Lane.BULK)
    shelf.world.clock.advance(LEASE_OVER)
    assert len(shelf.of("lease_owner")) == 26
    assert set(shelf.of("lease_owner").values()) == {rt.owner}
    shelf.read.clear()


def test_a_busy_process_that_was_killed_is_made_up_for_quickly(shelf: Shelf) -> None:
    """Many feeds died together: they are tried with an empty process, but source by source."""
    crowded(shelf)

    assert shelf.live_and_die() == 0

    assert sorted(map(len, shelf.read)) == [8, 8, 10]
    assert shelf.landed() == set(range(26))
    assert set(shelf.of("deaths").values()) == {0}


def test_a_killer_in_a_crowd_is_found_all_the_same(shelf: Shelf) -> None:
    """Its source is tried one by one, after it died in a try of its own; the others are quick."""
    crowded(shelf)
    shelf.kills = {3}

    assert shelf.live_and_die() == 6

    assert sorted(len(together) for together in shelf.read if len(together) > 1) == [8, 8, 10]
    assert shelf.landed() == set(range(26)) - {3}
    assert shelf.of("deaths") == dict.fromkeys(range(26), 0) | {3: 5}


def test_innocents_go_before_known_killers(shelf: Shelf) -> None:
    """Whoever has killed alone waits for those who have not, whatever the order they came in."""
    shelf.kills = {0, 1}

    assert shelf.live_and_die() == 11

    together, *alone = shelf.read
    assert together == list(range(10))
    assert sorted(alone[:10]) == [[number] for number in range(10)]
    assert [sorted(alone[at : at + 2]) for at in range(10, 18, 2)] == [[[0], [1]]] * 4
    assert shelf.landed() == set(range(2, 10))


def test_an_operator_who_kills_sets_nothing_aside(shelf: Shelf) -> None:
    """Forty processes in a row are killed at whatever they do: left alone, all of it is done."""
    for _ in range(40):
        assert run(shelf.runtime(trace=crash_at("fetched")))
        shelf.world.clock.advance(TRIED_AGAIN)

    assert shelf.live_and_die() == 0

    assert shelf.landed() == set(range(10))
    assert set(shelf.of("deaths").values()) == {0}
    assert set(shelf.of("suspect").values()) == {False}


def test_an_error_that_nobody_expected_is_a_death_of_its_own(shelf: Shelf) -> None:
    """A bug of a provider leaves leases behind; the process lives, and nine of ten land."""
    shelf.breaks = {7}
    rt = shelf.runtime()
    heard_of(rt)
    for _ in range(40):
        with contextlib.suppress(ZeroDivisionError):
            run(rt)
        live(shelf.world, rt, LEASE_OVER)

    assert shelf.landed() == set(range(10)) - {7}
    assert shelf.of("reason") == dict.fromkeys(range(10)) | {7: "set_aside"}
    assert shelf.of("deaths") == dict.fromkeys(range(10), 0) | {7: 5}


def test_a_thread_that_hangs_is_found(world: World) -> None:
    """It never comes back: after three minutes its lease is given up, and that counts for it."""
    shelf, reached, go = Shelf(world), threading.Event(), threading.Event()
    shelf.fill(1)

    def hang() -> None:
        reached.set()
        go.wait(20)

    shelf.kills, shelf.lately = {0}, hang
    rt = shelf.runtime()
    heard_of(rt)
    threads = []
    for _ in range(5):
        threads.append(InThread(lambda: run(rt)))
        assert reached.wait(10)
        reached.clear()
        live(world, rt, HELD_AT_MOST_SECONDS)
        assert world.feed(shelf.feeds[0]).lease_owner == rt.owner
        live(world, rt, LEASE_OVER)
        deaths.bury(rt)
        live(world, rt, TRIED_AGAIN)
    go.set()
    for thread in threads:
        thread.join()

    assert shelf.of("reason") == {0: "set_aside"}


def test_a_chunk_of_past_days_that_kills(world: World) -> None:
    """It counts for its feed: that is set aside, and the backfill ends with the reason."""
    past_days.history(world, 60)
    world.work()
    made = past_days.ask(world)
    for _ in range(5):
        assert past_days.die(world.runtime(trace=crash_at("backfill.fetched")))
        world.clock.advance(TRIED_AGAIN)

    assert not past_days.die(world.runtime(trace=crash_at("backfill.fetched")))

    assert world.feed().reason == "set_aside"
    assert past_days.row(world, made).state == "failed"
    assert "5 times in a row" in (past_days.row(world, made).error or "")


def test_a_comparison_that_kills(world: World) -> None:
    """Reconciling is done alone as well, and stops after five."""
    world.work()
    change_feed(world, reconciled_at=0.0)
    for _ in range(5):
        rt = world.runtime(trace=crash_at("reconcile.read"))
        with pytest.raises(CrashError):
            _ = reconcile.run(rt) or suspects.run(rt)
        world.clock.advance(TRIED_AGAIN)

    assert not suspects.run(world.runtime())
    assert not reconcile.run(world.runtime())
    assert world.feed().reason == "set_aside"


def test_a_push_that_kills(world: World) -> None:
    """So is what waits in the outbox."""
    world.work()
    change_feed(world, due_at=world.clock.at + DAY)
    for _ in range(5):
        with world.ledger.write() as session:
            point = session.get_one(Datapoint, all_rows(world, Datapoint)[0].id)
            point.state, point.due_at, point.landed_hash = "pending", world.clock.at, None
            session.add(point)
        rt = world.runtime(trace=crash_at("push.begun"))
        with pytest.raises(CrashError):
            _ = deliver.run(rt) or suspects.run(rt)
        world.clock.advance(TRIED_AGAIN)

    assert not suspects.run(world.runtime())
    assert world.feed().reason == "set_aside"


def test_a_deauthorization_that_kills_is_dead(world: World) -> None:
    """After five deaths alone it is shown; what was to be done is not done."""
    event_id = taken_away(world)
    for _ in range(5):
        with world.ledger.write() as session:
            assert _claimed(session, world.clock.at, alone=world.event(event_id).suspect)
        world.clock.advance(TRIED_AGAIN)
        deaths.bury(world.runtime())
        world.clock.advance(TRIED_AGAIN)

    assert not suspects.run(world.runtime())
    assert world.event(event_id).state == "dead"


def _claimed(session: Session, now: float, *, alone: bool) -> bool:
    held = events.claim(session, kinds=deauthorize.KINDS, owner="w", now=now, alone=alone)
    return held is not None


def test_a_look_up_that_died_is_made_alone(world: World) -> None:
    """A callback with a name that nobody knows: the sweep rings for it, and it is answered."""
    world.work()
    event_id = world.call_back("renamed")
    rt = world.runtime()
    with world.ledger.write() as session:
        opening.open_callbacks(session, world.clock.at)
        events.claim(session, kinds=events.ASKS_FOR_FEEDS, owner="w", now=world.clock.at)
    world.clock.advance(LEASE_OVER)

    assert sweep.run(rt) == {"suspects.default": 1}
    assert suspects.run(rt)
    assert world.event(event_id).state == "failed"
    assert (world.event(event_id).error or {})["code"] == "no_such_feed"


def test_one_process_at_a_time_makes_room(shelf: Shelf) -> None:
    """Of two that hear the bell one tries the suspects; when its turn ends the other one may."""
    run(shelf.runtime(trace=crash_at("fetched")))
    shelf.world.clock.advance(LEASE_OVER)
    first, second = shelf.runtime(), shelf.runtime()
    deaths.bury(first)
    with first.slots.enter(Lane.URGENT):
        suspects.begin(first)
        suspects.begin(second)
        assert (first.slots.wished, second.slots.wished) == (True, False)
        assert shelf.landed() == set()
        shelf.world.clock.advance(EMPTY_WITHIN_SECONDS)
        suspects.begin(second)
    assert shelf.landed() == set(range(10))


def test_a_turn_is_not_kept_for_nothing(shelf: Shelf) -> None:
    """A process where somebody is long at work leaves the turn to others at once."""
    run(shelf.runtime(trace=crash_at("fetched")))
    shelf.world.clock.advance(LEASE_OVER)
    ticks = [0.0]
    busy = shelf.runtime(slots=Slots(4, monotonic=lambda: ticks[0]))
    deaths.bury(busy)
    with busy.slots.enter(Lane.BULK):
        ticks[0] = EMPTY_WITHIN_SECONDS
        suspects.begin(busy)
        assert not busy.slots.wished
        suspects.begin(shelf.runtime())
    assert shelf.landed() == set(range(10))


def test_whoever_leaves_last_tries_the_suspects(shelf: Shelf) -> None:
    """Nobody waits for an empty process: the bell goes by, and the last task does it."""
    run(shelf.runtime(trace=crash_at("fetched")))
    shelf.world.clock.advance(LEASE_OVER)
    rt = shelf.runtime()
    deaths.bury(rt)

    def work() -> bool:
        suspects.begin(rt)
        assert shelf.landed() == set()
        return True

    bells.drain(rt, Lane.BULK, work, task="sync")

    assert shelf.landed() == set(range(10))
    assert shelf.world.rung == [("sync", "bulk"), ("sync", "urgent")]


def test_nothing_runs_beside_a_suspect(shelf: Shelf) -> None:
    """While it is tried no slot is to be had, not for a callback either."""
    seen = []

    def look(step: str) -> None:
        for lane in Lane:
            with rt.slots.enter(lane) as free:
                seen.append((step, free))

    run(shelf.runtime(trace=crash_at("fetched")))
    shelf.world.clock.advance(LEASE_OVER)
    rt = shelf.runtime(trace=look)
    deaths.bury(rt)
    suspects.begin(rt)

    assert ("push.sent", False) in seen
    assert not any(free for _, free in seen)
    with rt.slots.enter(Lane.BULK) as free:
        assert free


def test_a_process_that_stops_tries_no_more(shelf: Shelf) -> None:
    """SIGTERM in the middle: the one at work is handed back, and is not counted."""
    run(shelf.runtime(trace=crash_at("fetched")))
    shelf.world.clock.advance(LEASE_OVER)
    rt = shelf.runtime()
    rt.trace = lambda step: rt.stopping.set() if step == "fetched" else None
    deaths.bury(rt)
    suspects.begin(rt)
    suspects.begin(rt)
    with shelf.world.ledger.write() as session:
        feeds.hand_back(session, owner=rt.owner)
    assert (shelf.landed(), len(shelf.read)) == (set(), 2)
    shelf.world.clock.advance(LEASE_OVER)
    assert shelf.live_and_die() == 0
    assert shelf.landed() == set(range(10))


def test_without_suspects_nobody_makes_room(world: World) -> None:
    """A bell too many disturbs nobody, and takes no turn."""
    world.work()
    rt = world.runtime()
    suspects.begin(rt)
    assert not rt.slots.wished
    assert "suspects" not in {row.key for row in all_rows(world, Quota)}
