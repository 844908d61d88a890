"""Waiting for a limit costs no attempt and never knocks early; other trouble is retried soon."""

import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from db import quotas
from db.quotas import BEEMINDER
from db.states import Lane
from simulators.faults import Fault
from tasks import refresh
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.world import DAY, World

CALLS = {
    "me": ("GET", r"users/me\.json"),
    "goal": ("GET", r"goals"),
    "push": ("POST", "datapoints"),
}


def paced(world: World, interval: float) -> None:
    """Beeminder has taught that alice's requests have to lie so many seconds apart."""
    key, window = f"{BEEMINDER}:{world.user_id}", 100 * interval
    with world.ledger.write() as session:
        quotas.ensure(session, key)
        quotas.keep_pace(session, key, interval=interval, window=window, now=world.clock.at)


def seconds(wait: float) -> str:
    """Retry-After as a number."""
    return f"{wait:g}"


def http_date(wait: float) -> str:
    """Retry-After as a date; the server's own Date is by the real clock."""
    return formatdate(time.time() + wait, usegmt=True)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [429, 503, 500])
def test_no_request_before_the_time_that_beeminder_named(
    world: World, status: int, call: str
) -> None:
    """Whatever call was refused, and by whichever status: nobody asks before Retry-After."""
    method, path = CALLS[call]
    world.beeminder.faults.add(
        Fault(method=method, path=path, status=status, retry_after=seconds(120))
    )
    first = world.call_back()
    world.work()
    asked = world.beeminder.faults.count()
    assert world.event(first).state == "working"

    for _ in range(4):  # callbacks and other workers change nothing about it
        world.clock.advance(29)
        world.call_back()
        world.work(world.runtime())

    assert world.beeminder.faults.count() == asked
    world.clock.advance(6)
    world.work()
    assert world.values()[TODAY] == 2.5
    event = world.event(first)
    assert (event.state, event.attempts) == ("done", 1)
    assert event.deferrals >= 1
    assert (world.feed().attempts, world.feed().failing_since) == (0, None)


@pytest.mark.parametrize("spell", [seconds, http_date])
def test_both_spellings_of_retry_after(world: World, spell: Callable[[float], str]) -> None:
    """Seconds and HTTP-date name the same moment; the feed is due within a second of it."""
    world.beeminder.faults.add(
        Fault(
            method="POST",
            path="datapoints",
            status=429,
            retry_after=spell(90),
        )
    )
    world.call_back()

    world.work()

    assert world.clock.at + 88 <= world.feed().due_at <= world.clock.at + 92


@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_without_a_hint_waits_ten_seconds_at_most(world: World, status: int) -> None:
    """Without Retry-After the first wait is between one and ten seconds."""
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=status))
    world.call_back()

    world.work()

    assert 0.5 <= world.feed().due_at - world.clock.at <= 10.5


@pytest.mark.parametrize("broken", ["beeminder", "bemserver"])
@pytest.mark.parametrize("action", ["status", "reset", "invalid_json"])
def test_a_failed_sync_is_due_again_within_five_seconds(
    world: World, broken: str, action: str
) -> None:
    """A 500, a lost connection or a page instead of data: tried again soon, as a second attempt."""
    faults = {"beeminder": world.beeminder.faults, "bemserver": world.bemserver.faults}[broken]
    path = {"beeminder": "datapoints", "bemserver": "timeseries_data/"}[broken]
    faults.add(Fault(action=action, path=path, status=502, times=2))
    event_id = world.call_back()
    world.work()
    feed = world.feed()
    assert feed.state == "active"
    assert 0 < feed.due_at - world.clock.at <= 5
    assert feed.last_error

    world.clock.advance(5)
    world.work()
    world.clock.advance(10)
    world.work()

    event = world.event(event_id)
    assert (event.state, event.deferrals) == ("done", 0)
    assert event.attempts >= 2
    assert world.feed().last_error is None


def test_a_callback_is_not_done_while_its_points_are_postponed(world: World) -> None:
    """A push failed and waits; the next callback pushes it before it is answered."""
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=500))
    world.call_back()
    world.work()
    assert world.values() == {}
    world.clock.advance(0.1)
    second = world.call_back()

    world.work()

    assert world.event(second).state == "done"
    assert world.values()[TODAY] == 2.5


def test_a_callback_in_a_long_outage_is_tried_often_at_first(world: World) -> None:
    """The source has been away for hours; a new callback is tried again within seconds."""
    world.bemserver.faults.add(Fault(path="timeseries", status=500, times=None))
    world.work()
    change_feed(world, attempts=40, failing_since=world.clock.at - 20_000)
    world.clock.advance(1000)
    world.call_back()

    world.work()

    assert 0 < world.feed().due_at - world.clock.at <= 5


def test_a_limit_of_the_source_is_respected_by_everybody(world: World) -> None:
    """The source answers 429: neither syncs nor early refreshes ask before its time."""
    world.work()
    world.clock.advance(900 - 100)
    world.bemserver.faults.add(Fault(path="timeseries_data/", status=429, retry_after="60"))
    event_id = world.call_back()
    world.work()
    asked = world.bemserver.faults.count()
    world.clock.advance(30)
    world.call_back()
    rt = world.runtime()

    world.work(rt)
    refresh.run(rt)

    assert world.bemserver.faults.count() == asked
    world.clock.advance(31)
    world.work()
    assert world.event(event_id).state == "done"
    assert world.event(event_id).attempts == 1


def test_our_own_rate_spreads_requests(world: World) -> None:
    """With a rate of one request a second, no ten seconds see more than burst and rate allow."""
    options = world.runtime().options.__class__(
        beeminder_url=world.beeminder_server.url, beeminder_rate=1.0
    )
    for number in range(12):
        goal = f"g{number}"
        world.beeminder.state.add_goal("alice", goal, kyoom=True, aggday="sum")
        world.link(goal)

    for _ in range(30):
        world.work(world.runtime(options=options), Lane.BULK)
        world.clock.advance(1)

    times = [request.started_at for request in world.beeminder.faults.requests]
    assert len(times) > 13
    for start in times:
        within = [at for at in times if start <= at < start + 10]
        assert len(within) <= 10 + 10 + 1
    assert all(world.values(f"g{number}")[TODAY] == 2.5 for number in range(12))


@pytest.mark.parametrize("goals", [1, 3])
def test_a_pace_that_is_slower_than_facts_are_believed_serves_callbacks(
    world: World, goals: int
) -> None:
    """Each turn brings it on: what was read for a callback is not read anew until it is sent."""
    slugs = ["energy", "solar", "wind"][:goals]
    for slug in slugs[1:]:
        world.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
        world.link(slug)
    world.work()
    world.clock.advance(3600)
    world.measure(world.series, {world.clock.at - 60: 1.0})
    callbacks = [world.call_back(slug) for slug in slugs]
    paced(world, 12.0)
    began, rt = world.clock.at, world.runtime()

    while any(world.event(callback).state != "done" for callback in callbacks):
        world.work(rt)
        world.clock.advance(1.0)
        assert world.clock.at < began + 12.0 * (5 + goals), "the turns go to something else"

    assert [world.values(slug)[TODAY] for slug in slugs] == [3.5] * goals


@pytest.mark.parametrize("interval", [6.0, 12.0])
def test_a_pace_that_is_slower_than_a_push_may_wait_changes_finished_days(
    world: World, interval: float
) -> None:
    """They are read before they are written: both turns are had by one try, the second in time."""
    world.work()
    world.clock.advance(3600)
    world.measure(world.series, {world.clock.at - 60: 1.0, world.clock.at - DAY: 1.0})
    callback = world.call_back()
    paced(world, interval)
    began, rt = world.clock.at, world.runtime()

    while world.event(callback).state != "done":
        world.work(rt)
        world.clock.advance(1.0)
        assert world.clock.at < began + 6 * interval, "it is read again and again"

    assert world.values() == {TODAY: 3.5, YESTERDAY: 8.0}
