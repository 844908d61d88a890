"""A Beeminder that is slow holds up one feed of a batch, and makes nobody a suspect."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest
from sqlmodel import select

from db.models import Feed
from db.models_limits import Breaker
from db.models_points import Datapoint
from db.states import DatapointState, FeedState, Lane
from tasks import deaths, deliver, sync
from tasks.batch_turns import LANDED_WITHIN, PREPARED_WITHIN
from tasks.runtime import Runtime
from tests.tasks.away import Slow, faults_of, go
from tests.tasks.scenes import TODAY, all_rows, change_feed, link_many
from tests.world import World

BEAT = 3.0  # seconds from one heartbeat to the next
WAIT = 8.0  # seconds that a push waits for its answer
MANY = 40
Work = Callable[[Runtime], bool]


@pytest.fixture
def expected(world: World) -> dict[int, float]:
    """Forty feeds of one source that start today, and nothing else: today's value by feed id."""
    change_feed(world, state=FeedState.PAUSED)
    found = link_many(world, MANY)
    for feed_id in found:
        change_feed(world, feed_id, since=TODAY)
    return found


def to_sync(world: World) -> Work:
    """All of them are due, with a point each to be sent."""
    world.work()
    for number, (feed_id, row) in enumerate(theirs(world).items()):
        world.measure(row.params["timeseries"], {world.clock.at - 60: 100.0 + number})
        change_feed(world, feed_id, due_at=world.clock.at)
    return partial(sync.run, lane=Lane.BULK)


def to_push(world: World) -> Work:
    """None of them is due, but each has a point that waits to be sent."""
    world.work()
    with world.ledger.write() as session:
        for row in session.exec(select(Datapoint)):
            row.state, row.due_at, row.value = DatapointState.PENDING, world.clock.at, 100.0
            row.content_hash = "other"
            session.add(row)
    return deliver.run


BOTH = pytest.mark.parametrize("due", [to_sync, to_push])


def theirs(world: World) -> dict[int, Feed]:
    """The forty feeds by their ids."""
    return {row.id or 0: row for row in all_rows(world, Feed) if row.id != world.feed_id}


@contextlib.contextmanager
def slow(world: World, seconds: float, **which: str) -> Iterator[Runtime]:
    """A worker whose pushes take so long; its heart beats, and another one looks for the dead."""
    rt, other = world.runtime(), world.runtime()

    def pass_time(seconds: float) -> None:
        for _ in range(int(seconds / BEAT)):
            world.clock.advance(BEAT)
            rt.heartbeat()
            deaths.bury(other)
        world.clock.advance(seconds % BEAT)

    which = {"path": "datapoints", "method": "POST"} | which
    with httpx.Client(transport=Slow(world, seconds=seconds, wait=pass_time, **which)) as http:
        rt.http = http
        yield rt


@BOTH
def test_one_push_in_vain_is_enough(
    world: World, expected: dict[int, float], due: Callable[[World], Work]
) -> None:
    """Forty feeds and no answer: one of them waited for it, and all come back with that error."""
    run = due(world)
    go(world, "link", method="POST", path="datapoints")
    began, asked = world.clock.at, faults_of(world, "link").count(method="POST")

    with slow(world, WAIT) as rt:
        assert run(rt)

    assert world.clock.at - began == WAIT
    assert faults_of(world, "link").count(method="POST") == asked + 1
    rows = theirs(world)
    assert len(rows) == len(expected) == MANY
    assert {row.attempts for row in rows.values()} == {1}
    assert {row.lease_owner for row in rows.values()} == {None}
    assert not any(row.suspect for row in rows.values())
    assert len({row.last_error for row in rows.values()}) == 1
    assert [(row.subject, row.bad) for row in all_rows(world, Breaker)] == [("user:1", 1.0)]


@BOTH
def test_pushes_that_are_answered_late_are_handed_back_in_time(
    world: World, expected: dict[int, float], due: Callable[[World], Work]
) -> None:
    """Each takes 6 s: what does not fit into the time of a lease stays due, and is next."""
    run = due(world)
    began = world.clock.at

    with slow(world, 6.0) as rt:
        assert run(rt)
        assert LANDED_WITHIN <= world.clock.at - began < LANDED_WITHIN + 6.0
        rows = theirs(world)
        assert {row.lease_owner for row in rows.values()} == {None}
        assert sum(row.attempts + row.suspect for row in rows.values()) == 0
        while run(rt):
            pass

    values = [p.value for p in world.points("output") if p.daystamp == TODAY]
    assert len(values) == len(expected)
    assert all(value >= 100.0 for value in values)
    assert not any(row.attempts or row.suspect for row in theirs(world).values())


def test_first_looks_that_take_long_are_handed_back_in_time(
    world: World, expected: dict[int, float]
) -> None:
    """Forty new feeds, each first look takes 6 s: some land, the others stay due."""
    began = world.clock.at

    with slow(world, 6.0, method="GET") as rt:
        assert sync.run(rt, Lane.BULK)
        assert PREPARED_WITHIN <= world.clock.at - began < PREPARED_WITHIN + 6.0
        assert 5 <= len(world.values("output") and world.points("output")) < len(expected)
        while sync.run(rt, Lane.BULK):
            pass

    assert len([p for p in world.points("output") if p.daystamp == TODAY]) == len(expected)
    assert not any(row.attempts or row.suspect for row in theirs(world).values())


def test_a_first_look_in_vain_is_enough(world: World, expected: dict[int, float]) -> None:
    """Forty new feeds and no answer: one look, no push, and all come back with that error."""
    go(world, "link", method="GET", path="datapoints")

    with slow(world, WAIT, method="GET") as rt:
        assert sync.run(rt, Lane.BULK)

    assert faults_of(world, "link").count("datapoints", method="GET") <= 2
    assert [row.attempts for row in theirs(world).values()] == [1] * len(expected)
    assert faults_of(world, "link").count(method="POST") == 0


def test_an_error_of_one_goal_is_no_silence(world: World, expected: dict[int, float]) -> None:
    """A 500 comes at once and may be about this one: the others are sent, and all is well."""
    run = to_sync(world)
    go(world, "link", method="POST", path="datapoints", action="status", status=500, times=1)

    assert run(world.runtime())

    assert sorted(row.attempts for row in theirs(world).values()) == [0] * (MANY - 1) + [1]
    assert len(expected) == MANY


def test_a_callback_that_was_handed_back_is_answered_by_the_next_claim(
    world: World, expected: dict[int, float]
) -> None:
    """No try is counted for it, and its data is there soon after."""
    run = to_sync(world)
    event_id = world.call_back("output")

    with slow(world, 6.0) as rt:
        assert run(rt)
        assert world.event(event_id).attempts <= 1
        assert world.event(event_id).state == "working"
        while run(rt):
            pass

    assert world.event(event_id).state == "done"
    assert len(expected) == MANY
