"""At a slow gate: what is urgent goes before all that keeps coming, and the others get a share."""

import itertools
import random
import threading
from collections.abc import Callable

import pytest

from clients.limits import Limits
from db import quotas, quotas_seen
from db.engine import Ledger
from db.models import Feed, Goal, Source, User
from db.states import Lane
from tasks import gates, precedence
from tasks.gates import LedgerPassage
from tasks.limits import Pace
from tests.tasks.crowd import CrowdClock
from tests.tasks.gated import UNKNOWN, House, come_in, deferred, passed

KEY = UNKNOWN.key("vendor")


def wanted(ledger: Ledger, count: int, due_at: float) -> list[int]:
    """So many urgent feeds of a source behind the gate, due then; their ids."""
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="plant", provider="p", quota_key=KEY))
        session.add(Goal(id=1, user_id=1, slug="g", declared_slug="g"))
        session.flush()
        rows = [
            Feed(goal_id=1, source_id=1, label=f"{n}", metric="m", lane=Lane.URGENT, due_at=due_at)
            for n in range(count)
        ]
        session.add_all(rows)
        session.flush()
        return [feed.id or 0 for feed in rows]


def put(ledger: Ledger, feed_id: int, **columns: object) -> None:
    """Set columns of a feed."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)
        session.add(feed)


@pytest.mark.parametrize("lane", [Lane.DEFAULT, Lane.BULK])
def test_the_next_slot_is_left_to_what_waits_in_the_ledger(ledger: Ledger, lane: Lane) -> None:
    """A callback's feed is due, and nobody has claimed it yet: its slot is not taken from it."""
    house = House(ledger)
    gate = house.gate(pace=Pace(2.0))
    passed(come_in(gate)).answered(Limits())
    (feed_id,) = wanted(ledger, 1, house.clock.at)
    house.clock.advance(1.8)

    late = deferred(come_in(gate, lane=lane))
    assert late.until >= house.clock.at + 0.2 + precedence.COMES_WITHIN
    passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())

    put(ledger, feed_id, lane=Lane.BULK)
    house.clock.advance(2.0)
    passed(come_in(gate, lane=lane))


def test_what_was_put_back_for_the_slot_is_waited_for(ledger: Ledger) -> None:
    """It comes due in a moment; one that is due later has no slot kept for it."""
    house = House(ledger)
    (feed_id,) = wanted(ledger, 1, house.clock.at + gates.STAGGER)
    deferred(come_in(house.gate(pace=Pace(2.0)), lane=Lane.BULK))
    put(ledger, feed_id, due_at=house.clock.at + 5)
    passed(come_in(house.gate(pace=Pace(2.0)), lane=Lane.BULK))


def test_a_slot_that_nobody_urgent_takes_is_not_wasted(ledger: Ledger) -> None:
    """Its feed is due for seconds, and does not come: it is not waited for any more."""
    house = House(ledger)
    wanted(ledger, 1, house.clock.at)
    gate = house.gate(pace=Pace(2.0))
    until = deferred(come_in(gate, lane=Lane.BULK)).until
    house.clock.at = until
    passed(come_in(gate, lane=Lane.BULK))


def test_at_a_quick_gate_nobody_looks(ledger: Ledger) -> None:
    """Ten a second are enough for all: no question more, and nothing is given back."""
    house = House(ledger)
    wanted(ledger, 1, house.clock.at)
    passed(come_in(house.gate(pace=Pace(0.1)), lane=Lane.BULK)).answered(Limits())
    passed(come_in(house.gate(), lane=Lane.BULK)).answered(Limits())
    assert house.row().urgent_in_a_row == 0


def test_of_so_many_slots_one_is_offered_to_the_others(ledger: Ledger) -> None:
    """Urgent work took ten: it takes further ones in time only, until the others have had one."""
    house = House(ledger)
    gate = house.gate(pace=Pace(2.0))
    for _ in range(quotas.IN_A_ROW):
        passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())
        house.clock.advance(2.0)
    wanted(ledger, 1, house.clock.at)
    house.clock.advance(-0.4)

    with gates.errand(Lane.BULK):
        passed(come_in(gate)).answered(Limits())
    assert house.row().urgent_in_a_row == 0

    for _ in range(quotas.IN_A_ROW + 5):
        house.clock.advance(2.0)
        passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())
    assert house.row().urgent_in_a_row == quotas.IN_A_ROW
    house.clock.advance(1.6)
    passed(come_in(gate, lane=Lane.BULK)).answered(Limits())
    assert house.row().urgent_in_a_row == 0


class Race:
    """Workers on one clock that moves while all of them wait, at a gate of this pace."""

    def __init__(self, ledger: Ledger, interval: float, seconds: float) -> None:
        self.clock = CrowdClock()
        self.ledger = ledger
        self.interval = interval
        self.ends_at = self.clock.at + seconds
        self.left: list[Lane] = []
        self.waits: list[float] = []

    def _gate(self) -> gates.LedgerGate:
        return House(self.ledger, self.clock).gate(pace=Pace(self.interval))

    def bulk(self) -> None:
        """Past days, page after page: a piece of work that has begun never ends."""
        gate = self._gate()
        with gates.errand(Lane.BULK):
            while self.clock.now() < self.ends_at:
                found = gate.enter("GET", "things", within=9.0)
                if isinstance(found, LedgerPassage):
                    self.left.append(Lane.BULK)
                    found.answered(Limits())
                else:
                    self.clock.sleep(found.until - self.clock.now())

    def urgent(self, feed_id: int, pause: Callable[[], float]) -> None:
        """A callback after the other; each is found by a sweep, once a second, and claimed."""
        gate = self._gate()
        while self.clock.now() < self.ends_at:
            self.clock.sleep(pause())
            came = self.clock.now()
            put(self.ledger, feed_id, due_at=came)
            while not self._served(gate, feed_id):
                self.clock.sleep(1.0 - self.clock.now() % 1.0)
            self.waits.append(self.clock.now() - came)

    def _served(self, gate: gates.LedgerGate, feed_id: int) -> bool:
        with self.ledger.read() as session:
            row, due_at = quotas_seen.look(session, KEY), session.get_one(Feed, feed_id).due_at
        now = self.clock.now()
        if due_at > now or (row is not None and row.next_free_at > now + row.tolerance + 1.0):
            return False  # a claim passes it over
        put(self.ledger, feed_id, lease_owner="w", lease_until=now + 10)
        found = come_in(gate, lane=Lane.URGENT)
        free = {"lease_owner": None, "lease_until": 0.0}
        if not isinstance(found, LedgerPassage):
            put(self.ledger, feed_id, due_at=found.until, **free)
            return False
        found.answered(Limits())
        self.left.append(Lane.URGENT)
        put(self.ledger, feed_id, due_at=self.ends_at + 3600, **free)
        return True

    def run(self, *workers: Callable[[], None]) -> None:
        """All of these at once."""
        failures: list[BaseException] = []

        def work(worker: Callable[[], None]) -> None:
            self.clock.come(lambda: None)
            try:
                worker()
            except BaseException as error:  # noqa: BLE001 -- raised again below
                failures.append(error)
            finally:
                self.clock.leave()

        with self.clock.crowd(len(workers)):
            threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in workers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive()
        if failures:
            raise failures[0]


@pytest.mark.parametrize(("interval", "crowd"), [(2.3, 1), (2.3, 3), (4.0, 1), (7.0, 2)])
def test_no_bulk_work_that_has_begun_goes_before_a_callback(
    ledger: Ledger, interval: float, crowd: int
) -> None:
    """Whenever it comes, it has the next slot that was not taken before."""
    race = Race(ledger, interval, 20 * interval)
    (feed_id,) = wanted(ledger, 1, race.ends_at + 3600)
    rng = random.Random(3)  # noqa: S311 -- moments that repeat

    race.run(*[race.bulk] * crowd, lambda: race.urgent(feed_id, lambda: rng.uniform(1.0, 9.0)))

    assert len(race.waits) >= 4
    assert max(race.waits) <= interval + precedence.AHEAD[Lane.BULK] + 0.1
    assert race.left.count(Lane.BULK) >= 3


def test_callbacks_without_end_leave_bulk_work_a_share(ledger: Ledger) -> None:
    """Three goals whose callbacks come all the time take nearly all slots, and not quite all."""
    race = Race(ledger, 2.0, 200.0)
    feeds = wanted(ledger, 3, race.ends_at + 3600)

    race.run(
        race.bulk,
        *(lambda feed_id=feed_id: race.urgent(feed_id, lambda: 0.01) for feed_id in feeds),
    )

    assert race.left.count(Lane.BULK) >= len(race.left) / 20
    assert race.left.count(Lane.URGENT) >= 0.8 * len(race.left)
    runs = [len(list(found)) for lane, found in itertools.groupby(race.left) if lane == Lane.BULK]
    assert max(runs) <= 2
    assert len(race.left) >= 80
