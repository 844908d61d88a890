"""From a simulated BM Parts to a simulated Beeminder: every metric, days, limits, and the key."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import inspect, text

from db import quotas_seen
from db.models import Source
from simulators.bmparts import Bmparts
from simulators.bmparts_state import INVOICE, SHIPMENT
from simulators.faults import Fault
from simulators.server import LocalServer
from tasks.metrics.bmparts import Settings
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.world import DAY, NOON, World

KEY = "5a1f0b9e-canary-key.0123456789abcdef"
LIMIT = {"message": "API rate limit exceeded.", "documentation_url": "https://x.test"}
LEVEL_GOAL = {"kyoom": False, "aggday": "last"}
TOTAL_GOAL = {"kyoom": True, "aggday": "sum"}


class Shop:
    """A world whose feeds read a firm at BM Parts."""

    def __init__(self, world: World, url: str, sim: Bmparts) -> None:
        self.world, self.sim, self.state = world, sim, sim.state
        self.settings = Settings(url=url, api_key=KEY)
        self.state.add_key(KEY)
        source = Source(
            user_id=world.user_id,
            name="parts",
            provider="bmparts",
            settings={"url": url},
            credentials_cipher=world.vault.encrypt(f'{{"api_key": "{KEY}"}}'),
        )
        with world.ledger.write() as session:
            session.add(source)
            session.flush()
            self.source_id = source.id or 0
        # The world's own feed is of another source: it is out of the way.
        change_feed(world, source_id=self.source_id, metric="documents", params={})

    def feed(self, metric: str, params: dict, *, goal: str, **shape: object) -> int:
        """A feed of this metric on a goal of its own."""
        self.world.beeminder.state.add_goal("alice", goal, **(TOTAL_GOAL | shape))
        feed_id = self.world.link(goal, source=self.source_id)
        change_feed(self.world, feed_id, metric=metric, params=params)
        return feed_id

    def later(self, seconds: float) -> None:
        """Some time passes, and everything is due and done."""
        self.world.clock.advance(seconds)
        with self.world.ledger.write() as session:
            session.connection().execute(text("update feed set due_at = 0"))
        self.world.work()

    @property
    def asked(self) -> int:
        """How many requests reached it."""
        return self.sim.faults.count()


@pytest.fixture
def shop(world: World) -> Iterator[Shop]:
    """That world, before its first sync."""
    sim = Bmparts(clock=world.clock.now)
    with LocalServer(sim.app) as server:
        yield Shop(world, server.url, sim)
    assert sim.state.harm == []


def test_every_metric_lands(shop: Shop, world: World) -> None:
    """Totals of two days and levels of today, each on its goal."""
    state = shop.state
    state.add_documents(NOON - 60, NOON - 30, NOON - DAY)
    state.add_documents(NOON - 10, kind=INVOICE)
    state.add_searches(NOON - 5, NOON - DAY - 1, NOON - DAY - 2)
    state.open("reserves", 4)
    state.open("carts", 2)
    state.firm().debts["2026-12-01"] = 99.5
    state.add_sale(NOON - 1, "BOSCH", 12.5)
    state.add_sale(NOON - DAY, "MANN", 7.0)
    turnover = {"path": "/reports/brands_turnover", "pointer": "/total"}
    terms = {"path": "/reports/terms", "pointer": "/terms/0/debt"}
    shop.feed("documents", {"type": SHIPMENT}, goal="shipped")
    shop.feed("searches", {}, goal="searches")
    shop.feed("json_total", turnover, goal="turnover")
    shop.feed("open_reserves", {}, goal="reserves", **LEVEL_GOAL)
    shop.feed("open_carts", {}, goal="carts", **LEVEL_GOAL)
    shop.feed("json_value", terms, goal="debt", **LEVEL_GOAL)

    world.work()

    assert {slug: _of_two_days(world, slug) for slug in ("energy", "shipped", "searches")} == {
        "energy": (1.0, 3.0),
        "shipped": (1.0, 2.0),
        "searches": (2.0, 1.0),
    }
    assert _of_two_days(world, "turnover") == (7.0, 12.5)
    assert world.values("reserves") == {TODAY: 4.0}
    assert world.values("carts") == {TODAY: 2.0}
    assert world.values("debt") == {TODAY: 99.5}


def _of_two_days(world: World, slug: str) -> tuple[float | None, float | None]:
    found = world.values(slug)
    return found.get(YESTERDAY), found.get(TODAY)


def test_a_day_is_read_to_its_end(shop: Shop, world: World) -> None:
    """What came after the last look, until midnight, is added to the day that is over."""
    shop.state.add_documents(NOON - 60)
    world.work()
    assert world.values()[TODAY] == 1.0
    shop.state.add_documents(NOON + DAY / 2 - 1, NOON + DAY / 2, NOON + DAY / 2 + 1)

    shop.later(DAY)

    assert world.values()[TODAY] == 2.0
    assert world.values()["20261121"] == 2.0


def test_a_level_stays_with_its_day(shop: Shop, world: World) -> None:
    """What is open tomorrow says nothing about today; nor does it take today's value away."""
    shop.state.open("reserves", 4)
    shop.feed("open_reserves", {}, goal="reserves", **LEVEL_GOAL)
    world.beeminder.faults.add(
        Fault(method="POST", path="reserves/datapoints", status=500, times=None)
    )
    world.work()
    world.beeminder.faults.clear()
    shop.state.open("reserves", 1)

    shop.later(DAY)

    assert world.values("reserves") == {TODAY: 4.0, "20261121": 1.0}


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "no reset"])
def test_a_limit_closes_the_gate_and_costs_no_attempt(
    shop: Shop, world: World, *, reset: bool
) -> None:
    """In the middle of a day's pages: nobody asks before Reset, then all of it is counted."""
    shop.state.add_documents(*(NOON - n for n in range(150)))
    world.work()
    shop.state.add_documents(NOON + 1)
    world.clock.advance(120)
    headers = {"X-RateLimit-Limit": "10000", "X-RateLimit-Remaining": "0"}
    if reset:  # on the clock of the vendor's Date header, which is the real one
        headers["X-RateLimit-Reset"] = str(int(time.time()) + 60)
    shop.sim.faults.add(
        Fault(path="documents/list", status=403, body=LIMIT, headers=headers, after=3)
    )
    event_id = world.call_back()
    rt = world.runtime()
    world.work(rt)
    asked = shop.asked
    event = world.event(event_id)
    assert (event.state, event.attempts, event.deferrals) == ("working", 0, 1)
    assert (world.feed().attempts, world.feed().deferrals, event.error) == (0, 1, None)

    if reset:
        for _ in range(5):
            world.clock.advance(11)
            world.call_back()
            world.work(rt)
        assert shop.asked == asked

    for _ in range(6):
        world.clock.advance(11)
        world.work(rt)
    event = world.event(event_id)
    assert (event.state, event.attempts) == ("done", 1)
    assert world.values()[TODAY] == 151.0


def test_the_limit_of_the_vendor_itself(shop: Shop, world: World) -> None:
    """A firm that has used its hour up: refused once, and served in the next window."""
    shop.sim.limit(1, 600.0)
    world.http.get(f"{shop.settings.url}/profile/me", headers={"Authorization": KEY})
    shop.state.add_documents(NOON - 1)
    event_id = world.call_back()
    world.work()
    event = world.event(event_id)
    assert (event.state, event.attempts, event.deferrals) == ("working", 0, 1)
    world.clock.advance(590)
    world.work()
    report = shop.sim.limiter.report()
    assert (report.refused, report.early) == (1, 0)

    shop.sim.limit()
    world.clock.advance(15)
    world.work()

    event = world.event(event_id)
    assert (event.state, event.attempts) == ("done", 1)
    assert world.values()[TODAY] == 1.0


def test_the_last_requests_of_an_hour_are_left_to_the_firm(shop: Shop, world: World) -> None:
    """With fewer than the reserve left nobody asks until the hour is over."""
    shop.sim.limit(500, 600.0)
    world.work()
    assert shop.asked == 1
    with world.reading() as session:
        (quota,) = shop.settings.quotas()
        gate = quotas_seen.look(session, quota.key("bmparts"))
    assert gate is not None
    assert gate.closed_until == pytest.approx(world.clock.at + 600, abs=2)
    world.clock.advance(590)
    world.work()
    assert shop.asked == 1


def test_two_sources_with_one_key_share_its_quota(shop: Shop, world: World) -> None:
    """What one of them is told keeps the other one from asking."""
    with world.ledger.write() as session:
        known = session.get_one(Source, shop.source_id)
        other = Source(**known.model_dump(exclude={"id", "name"}), name="other")
        session.add(other)
        session.flush()
        other_id = other.id
    feed_id = shop.feed("searches", {}, goal="searches")
    change_feed(world, feed_id, source_id=other_id)
    fault = Fault(status=403, body=LIMIT, headers={"X-RateLimit-Remaining": "0"}, times=None)
    fault.headers["X-RateLimit-Reset"] = str(int(time.time()) + 600)
    shop.sim.faults.add(fault)
    world.work()
    assert shop.asked == 1


def test_a_key_that_is_refused_stops_the_source(shop: Shop, world: World) -> None:
    """Its owner is told, and nobody goes on knocking with it."""
    shop.state.keys.clear()
    world.work()
    with world.reading() as session:
        source = session.get_one(Source, shop.source_id)
        assert source.last_error is not None
        assert source.state != "active"
    asked = shop.asked
    world.clock.advance(600)
    world.work()
    assert shop.asked == asked


def test_the_key_is_in_no_table(shop: Shop, world: World) -> None:
    """After reads, refusals and echoes of it: only its cipher is stored."""
    shop.feed("searches", {}, goal="searches")
    echo = {"message": f"key {KEY} is odd"}
    for status in (500, 422, 404):
        shop.sim.faults.add(Fault(path="documents", status=status, body=echo))
        shop.later(600)
    shop.later(600)
    assert shop.asked > 4
    with world.reading() as session:
        names = inspect(session.connection()).get_table_names()
        stored = [
            str(row)
            for name in names
            for row in session.connection().execute(text(f'select * from "{name}"'))  # noqa: S608
        ]
    assert len(stored) > 5
    assert not [row for row in stored if KEY in row or KEY.split(".")[1] in row]
