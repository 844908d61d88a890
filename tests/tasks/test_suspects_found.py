"""Suspects: a killer is found whatever else ends well beside it, and whatever it ends with."""

import contextlib
from collections.abc import Callable

import pytest

from clients.errors import ClientError, RateLimited, Transient
from db.models import Feed
from db.states import Lane
from tasks import backfill, deaths, reconcile, suspects, sweep, sync
from tasks.runtime import Runtime
from tasks.slots import EMPTY_WITHIN_SECONDS, Slots
from tests.tasks import past_days
from tests.tasks.poison import Shelf, run
from tests.tasks.scenes import LEASE_OVER, all_rows, change_feed
from tests.world import CrashError, World, crash_at

MINUTE = 60.0
ONE_TOGETHER_FIVE_ALONE = 6


def deaths_until_set_aside(world: World, step: str, once: Callable[[Runtime], bool]) -> int:
    """Workers that die at this step while the feed is synced each minute; at most twenty."""
    for died in range(20):
        if world.feed().reason == "set_aside":
            return died
        rt = world.runtime(trace=crash_at(step))
        with contextlib.suppress(CrashError):
            while sync.run(rt, Lane.BULK) or once(rt) or suspects.run(rt):
                pass
        world.clock.advance(LEASE_OVER)
        deaths.bury(world.runtime())
        world.clock.at = max(world.clock.at, world.feed().lease_until)
    return 20


@pytest.fixture
def synced(world: World) -> World:
    """The feed is synced every minute, and that goes well."""
    change_feed(world, every=MINUTE)
    world.work()
    return world


def test_past_days_that_kill_between_good_syncs(synced: World) -> None:
    """Each sync ends well, each chunk kills: the chunks are counted all the same."""
    past_days.history(synced, 60)
    past_days.ask(synced)
    assert deaths_until_set_aside(synced, "backfill.fetched", backfill.run) == 5


def test_a_comparison_that_kills_between_good_syncs(synced: World) -> None:
    """The same: found after five, not after forty."""
    change_feed(synced, reconciled_at=0.0)
    assert deaths_until_set_aside(synced, "reconcile.read", reconcile.run) == 5


def test_a_comparison_that_gave_way_has_not_ended(synced: World) -> None:
    """A callback came before it got to where it kills: nothing was learned."""
    change_feed(synced, reconciled_at=0.0, suspect=True, suspect_of="reconcile ", deaths=3)

    def call(step: str) -> None:
        if step == "reconcile.page":
            synced.call_back()
            sync.run(synced.runtime(), Lane.BULK)  # opens it: the feed is asked for

    assert reconcile.run(synced.runtime(trace=call), alone=True)
    assert (synced.feed().deaths, synced.feed().suspect) == (3, True)


def test_what_is_told_to_wait_is_remembered_and_in_nobodys_way(world: World) -> None:
    """A source that answers 429 says nothing of what kills; until it opens nobody makes room."""
    world.work()
    change_feed(world, deaths=3, suspect=True, suspect_of="sync ", due_at=world.clock.at)
    world.bemserver.limiter.close(None, 600.0, status=429)

    world.work()

    assert (world.feed().deaths, world.feed().suspect, world.feed().deferrals) == (3, True, 1)
    world.clock.advance(300)
    assert "suspects.default" not in sweep.run(world.runtime())
    world.clock.advance(310)
    world.work()
    assert (world.feed().deaths, world.feed().suspect) == (0, False)


@pytest.mark.parametrize(
    "error", [Transient("busy", reason="unavailable"), RateLimited("wait", retry_after=1.0)]
)
def test_a_killer_that_fails_every_second_time(world: World, error: ClientError) -> None:
    """Once together with all others, then five times alone: nobody dies with it again."""
    shelf = Shelf(world)
    shelf.fill(10)
    shelf.kills, shelf.fails_between = {3}, error

    died = 0
    for _ in range(40):
        if shelf.of("reason")[3] == "set_aside":
            break
        for feed_id in shelf.feeds.values():
            if not world.feed(feed_id).suspect:
                change_feed(world, feed_id, due_at=world.clock.at)
        died += run(shelf.runtime())
        world.clock.advance(LEASE_OVER)
        deaths.bury(shelf.runtime())
        world.clock.at = max(world.clock.at, *(row.lease_until for row in all_rows(world, Feed)))

    assert died == ONE_TOGETHER_FIVE_ALONE
    assert [len(read) for read in shelf.read if 3 in read].count(10) == 1
    assert shelf.of("suspect") == dict.fromkeys(range(10), False) | {3: True}


def test_a_turn_lasts_as_long_as_its_wish(world: World) -> None:
    """Where tasks are long: no other process is emptied as well, and then it is given back."""
    shelf, ticks = Shelf(world), [0.0]
    shelf.fill(10)
    run(shelf.runtime(trace=crash_at("fetched")))
    world.clock.advance(LEASE_OVER)
    busy, other = shelf.runtime(slots=Slots(4, monotonic=lambda: ticks[0])), shelf.runtime()
    deaths.bury(busy)
    with busy.slots.enter(Lane.BULK):
        suspects.begin(busy)
        for _ in range(2):
            world.clock.advance(EMPTY_WITHIN_SECONDS)
            ticks[0] += EMPTY_WITHIN_SECONDS
        with busy.slots.enter(Lane.BULK) as others_came:
            assert others_came
    with busy.slots.enter(Lane.URGENT):
        suspects.begin(busy)
        world.clock.advance(2 * EMPTY_WITHIN_SECONDS - 1)
        suspects.begin(other)
        assert (busy.slots.wished, other.slots.wished, shelf.landed()) == (True, False, set())
        world.clock.advance(1)
        suspects.begin(other)
    assert shelf.landed() == set(range(10))
