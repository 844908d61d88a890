"""Feeds are locked first, in the order of their ids: else two writers may wait for each other.

PostgreSQL ends one of two that do, a second later: a sync whose points are sent but not marked, or
a command of a person. What is seen here are the statements, so no luck with threads is needed.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

from db import approvals, datasources, outbox, pauses
from db.states import FeedState
from simulators.faults import Fault
from tasks import deaths, declare, declare_file, deliver, providers, reconcile
from tasks.declare_sources import Addresses
from tasks.repairs import Repair
from tests.tasks import differences, past_days
from tests.tasks.scenes import LEASE_OVER, TODAY, TRIED_AGAIN, YESTERDAY, change_feed, die
from tests.world import DAY, NOON, World, crash_at

WRITES = re.compile(r'(?:UPDATE|DELETE FROM|INSERT INTO)\s+"?(\w+)')
LOCKS = re.compile(
    r"SELECT feed\.id(?:, feed\.\w+)*\s+FROM feed\s+WHERE .*ORDER BY feed\.id\b(?! *LIMIT)",
    re.DOTALL,
)
HANGS_ON_FEEDS = {"cover", "event", "datapoint", "sending", "day", "backfill", "goal"}
LOCK = "feeds in order"


class Watch:
    """What each transaction wrote or locked, in order: names of tables, or `LOCK`."""

    def __init__(self) -> None:
        self.ended: list[list[str]] = []
        self._open: dict[int, list[str]] = {}

    def statement(self, connection: Any, _cursor: Any, text: str, *_more: Any) -> None:
        """A statement is about to run."""
        write = WRITES.search(text)
        locks = connection.dialect.name == "sqlite" or "FOR NO KEY UPDATE" in text
        what = LOCK if locks and LOCKS.search(text) else write and write.group(1)
        if what:
            self._open.setdefault(id(connection.connection.dbapi_connection), []).append(what)

    def end(self, connection: Any) -> None:
        """A transaction ends."""
        self.ended.append(self._open.pop(id(connection.connection.dbapi_connection), []))

    def about_feeds(self) -> list[list[str]]:
        """The transactions that touched a feed."""
        return [seen for seen in self.ended if {"feed", LOCK} & set(seen)]


@pytest.fixture
def watch(world: World) -> Iterator[Watch]:
    """Watches the world's ledger."""
    made = Watch()
    hooks = {"before_cursor_execute": made.statement, "commit": made.end, "rollback": made.end}
    listening = list(itertools.product(world.ledger.writing_engines, hooks.items()))
    for engine, (name, hook) in listening:
        event.listen(engine, name, hook)
    yield made
    for engine, (name, hook) in listening:
        event.remove(engine, name, hook)


def too_late(seen: list[str]) -> set[str]:
    """What was locked in a transaction before the first of its feeds was."""
    first = next(at for at, what in enumerate(seen) if what in {"feed", LOCK})
    return set(seen[:first]) & HANGS_ON_FEEDS


def sync(world: World) -> None:
    """A callback is answered."""
    world.call_back()
    world.work()


def refused(world: World) -> None:
    """A point that Beeminder does not take, after one that it did."""
    fault = Fault(method="POST", path="datapoints", status=422, times=3)
    world.beeminder.faults.add(fault)
    sync(world)


def away(world: World) -> None:
    """Beeminder fails, and the outbox is delivered later."""
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=503))
    sync(world)
    change_feed(world, due_at=world.clock.at + 3600)
    world.clock.advance(60)
    assert deliver.run(world.runtime())


def backfill(world: World) -> None:
    """Past days, once in vain."""
    sync(world)
    past_days.history(world, 40)
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=503, times=2))
    past_days.ask(world)
    past_days.work(world)
    world.clock.advance(DAY)
    past_days.work(world)


def repair(world: World) -> None:
    """Reconciling finds an edit, and writes over it."""
    sync(world)
    differences.edit(world, YESTERDAY, value=99.0)
    differences.daily(world)
    differences.examine(world, Repair.EDITS)


def decisions(world: World) -> None:
    """A correction is held, approved, held, dropped; the day is pinned."""
    sync(world)
    for value, decide in ((5.0, approvals.approve), (3.0, approvals.drop)):
        world.measure(world.series, {NOON - 3600: 2.5, NOON - DAY: value})
        world.clock.advance(60)
        sync(world)
        with world.ledger.write() as session:
            assert decide(session, [world.feed_id], daystamp=None, now=world.clock.at)
    with world.ledger.write() as session:
        approvals.pin(
            session,
            world.feed_id,
            daystamp=TODAY,
            pinned=True,
            bounds=(NOON - DAY / 2, NOON + DAY / 2),
            now=world.clock.at,
        )


def unlink(world: World) -> None:
    """A person ends it, and takes it up again."""
    sync(world)
    with world.ledger.write() as session:
        ids = [world.feed_id]
        pauses.halt(session, ids, state=FeedState.STOPPED, reason="unlinked", now=world.clock.at)
        outbox.withdraw(session, ids)
        datasources.give_back(session, [world.feed().goal_id], world.clock.at)
    with world.ledger.write() as session:
        pauses.wake(session, [world.feed_id], world.clock.at)


def killed(world: World) -> None:
    """Workers die until the feed is set aside, while a callback and past days wait for it."""
    sync(world)
    past_days.history(world, 40)
    past_days.ask(world)
    world.call_back()
    for _ in range(5):
        assert die(world, world.runtime(trace=crash_at("fetched")))
        world.clock.advance(TRIED_AGAIN)
    world.work()
    assert world.feed().reason == "set_aside"


@pytest.mark.parametrize("work", [sync, refused, away, backfill, repair, decisions, unlink, killed])
def test_nothing_is_locked_before_its_feed(
    world: World, watch: Watch, work: Callable[[World], None]
) -> None:
    """A worker that has points locked and wants the feed meets a person who has it in reverse."""
    work(world)
    assert len(watch.about_feeds()) > 2
    assert [each for each in watch.about_feeds() if too_late(each)] == []


def test_what_landed_is_marked_before_its_event_is_locked(world: World, watch: Watch) -> None:
    """Two feeds may share an event and a point that moved: taken in two orders, both would wait."""
    sync(world)
    marked = [seen for seen in watch.about_feeds() if {"sending", "event"} <= set(seen)]
    assert marked
    for seen in marked:
        last = max(at for at, what in enumerate(seen) if what in {"datapoint", "sending"})
        assert {"cover", "event"}.isdisjoint(seen[:last])


FILE = """
[users.alice]
token = "canary-beeminder-token"

[sources.plant]
provider = "bemserver"
user = "alice"
url = "https://plant.example.org/api/v0"
email = "alice@example.org"
password = "canary"
"""
FEED = """
[feeds."alice/{}"]
source = "plant"
metric = "timeseries_aggregate"
params = {{ timeseries = {} }}
"""


def apply(world: World) -> None:
    """A file that names the feeds in another order."""
    declaration = declare_file.parse(
        FILE + "".join(FEED.format(*feed) for feed in (("output", 2), ("energy", 1))),
        file="waggle.toml",
        env={},
        providers=providers.table(),
        addresses=Addresses(http=True),
        now=world.clock.at,
    )
    declare.apply(world.ledger, world.vault, declaration, now=world.clock.at, prune=True)


def pause(world: World, ids: list[int]) -> None:
    """A person pauses a goal."""
    with world.ledger.write() as session:
        pauses.halt(session, ids, state=FeedState.PAUSED, reason="x", now=world.clock.at)


def resume(world: World, ids: list[int]) -> None:
    """A person resumes a goal."""
    with world.ledger.write() as session:
        pauses.wake(session, ids, world.clock.at)


def test_several_feeds_are_locked_in_the_order_of_their_ids(world: World, watch: Watch) -> None:
    """A heartbeat renews in that order: whoever takes them in another waits for it in a circle."""
    ids = [world.feed_id, world.link("output"), world.link("energy", label="b")]
    world.work()
    for feed_id in ids:
        change_feed(world, feed_id, reconciled_at=0.0)
    watch.ended.clear()
    assert reconcile.run(world.runtime())
    pause(world, ids[::-1])
    resume(world, ids[::-1])
    apply(world)
    for feed_id in ids:
        change_feed(world, feed_id, due_at=world.clock.at)
    assert die(world, world.runtime(trace=crash_at("claimed")))
    world.clock.advance(LEASE_OVER)
    deaths.bury(world.runtime())
    several = [seen for seen in watch.about_feeds() if LOCK in seen or seen.count("feed") > 1]
    assert len(several) > 3
    assert [seen for seen in several if LOCK not in seen[: seen.index("feed")]] == []
