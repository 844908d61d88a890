"""Asked before every request: short waits are slept, longer ones give the work back."""

import contextlib
import inspect

import pytest

from clients.errors import Unavailable
from clients.http import ApiClient
from clients.limits import Limits
from db.engine import Ledger
from db.states import Lane
from tasks import gates
from tasks.gates import DeferredError, LedgerPassage
from tasks.limits import Limit, Pace, Quota
from tests.db.counting import all_statements, statements
from tests.tasks.gated import ENDPOINT, ROUTED, TENANT, House, come_in, deferred, passed, refusal
from tests.tasks.scenes import at_once
from tests.world import CrashError, ManualClock


@pytest.fixture
def house(ledger: Ledger) -> House:
    """Some processes on a ledger."""
    return House(ledger)


def test_a_short_wait_is_slept_and_a_long_one_is_not(house: House) -> None:
    """Up to a second is waited for; for more the work is given back with the time."""
    house.close(0.75)
    passed(come_in(house.gate(), lane=Lane.BULK)).answered(Limits())
    assert house.clock.slept == [pytest.approx(0.75)]

    house.close(30)
    late = deferred(come_in(house.gate(), lane=Lane.BULK))
    assert house.clock.at + 30 <= late.until <= house.clock.at + 30 + gates.STAGGER
    assert late.error == {"code": "rate_limited", "message": "source plant: waiting for a limit"}
    assert len(house.clock.slept) == 1


def test_an_open_gate_is_passed_by_one_statement(house: House) -> None:
    """Where the pace is known, quick and nobody's but ours there is nothing to look at."""
    gate = house.gate(TENANT)
    passed(come_in(gate)).answered(Limits())
    house.clock.advance(2)
    passed(come_in(gate)).answered(Limits())
    house.clock.advance(0.5)  # within a second of the last mark

    with all_statements(house.ledger) as sent:
        passed(come_in(gate)).answered(Limits())
        gate.come_near(seconds=0.0, within=9.0)

    (turn,) = sent
    assert turn.startswith("UPDATE quota")


def test_a_gate_at_which_something_was_learned_is_looked_at(house: House) -> None:
    """One who is refused tells the others, who had passed without a look until then."""
    ours, theirs = house.gate(TENANT), house.gate(TENANT)
    for gate in (ours, theirs, ours):
        passed(come_in(gate)).answered(Limits())
    passed(come_in(theirs)).refused(refusal(60), Limits(retry_after=60))

    assert deferred(come_in(ours)).until >= house.clock.at + 60


def test_work_that_has_begun_waits_longer_than_work_that_has_not(house: House) -> None:
    """The second page of a list is worth a wait of a few seconds, the first one is not."""
    gate = house.gate()
    with gates.errand(Lane.DEFAULT):
        house.close(3)
        deferred(come_in(gate))
        house.clock.advance(3)
        passed(come_in(gate)).answered(Limits())
        house.close(3)
        passed(come_in(gate)).answered(Limits())
        house.close(6)
        deferred(come_in(gate))
    with gates.errand(Lane.DEFAULT):
        house.clock.advance(3)
        deferred(come_in(gate))


def test_nobody_waits_longer_than_the_call_may_take(house: House) -> None:
    """A deadline that is near ends the wait before it."""
    house.close(0.5)
    deferred(come_in(house.gate(), within=0.4))
    assert house.clock.slept == []
    passed(come_in(house.gate(), within=0.6))


def test_what_was_put_back_comes_again_one_after_the_other(house: House) -> None:
    """Fifty pieces of work behind one gate: none before it opens, and not all at that instant."""
    house.close(60)
    gate, opens = house.gate(), house.clock.at + 60
    times = [deferred(come_in(gate, lane=Lane.BULK)).until for _ in range(50)]

    assert min(times) >= opens
    assert max(times) <= opens + gates.STAGGER
    assert len({round(at, 2) for at in times}) > 25


@pytest.mark.parametrize("pace", [None, Pace(0.4)])
def test_a_gate_that_is_closed_during_the_wait_is_respected(
    ledger: Ledger, pace: Pace | None
) -> None:
    """Somebody else is refused while we wait for our turn: we do not go through."""

    class Refused(ManualClock):
        def sleep(self, seconds: float) -> None:
            """Sleep, and find the gate closed for longer."""
            super().sleep(seconds)
            house.close(60)

    house = House(ledger, Refused())
    gate = house.gate(pace=pace)
    if pace is None:
        house.close(0.5)
    else:
        passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())  # the next one has to wait

    late = deferred(come_in(gate, lane=Lane.URGENT))

    assert len(house.clock.slept) == 1
    assert late.until >= house.clock.at + 60


def test_a_turn_that_has_come_is_not_slept_for(ledger: Ledger) -> None:
    """A clock moves while the ledger is asked: that is no wait."""

    class Ticking(ManualClock):
        def now(self) -> float:
            """A little later at each look."""
            self.at += 0.001
            return self.at

    house = House(ledger, Ticking())
    for _ in range(5):
        passed(come_in(house.gate(pace=Pace(0.001, burst=10)), lane=Lane.URGENT))
    assert house.clock.slept == []


def test_a_slot_is_slept_for_to_the_point(house: House) -> None:
    """One request each 10 ms: waiting for a slot costs the wait and no more."""
    gate = house.gate(pace=Pace(0.01))
    began = house.clock.at
    for _ in range(11):
        passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())
    assert house.clock.at - began == pytest.approx(0.1)


def test_urgent_work_goes_before_bulk_that_keeps_coming(house: House) -> None:
    """Bulk work never takes the last slots of the second that begins now."""

    class Dies(ManualClock):
        def sleep(self, seconds: float) -> None:
            """Whoever has taken a slot never comes to use it."""
            raise CrashError

    crowd = House(house.ledger, Dies(house.clock.at)).gate(pace=Pace(0.1))
    for _ in range(30):
        with contextlib.suppress(CrashError):
            come_in(crowd, lane=Lane.BULK)
    assert house.row().next_free_at > house.clock.at + 0.4

    began = house.clock.at
    passed(come_in(house.gate(pace=Pace(0.1)), lane=Lane.URGENT)).answered(Limits())
    assert house.clock.at - began <= 1.0


def test_a_refusal_closes_the_gate_for_everybody(house: House) -> None:
    """Other processes are held back, and so are threads of this one before the ledger says so."""
    gate, other = house.gate(), house.gate(rt=house.runtime("b"))
    late = deferred(passed(come_in(gate)).refused(refusal(120), Limits(retry_after=120)))

    assert house.clock.at + 120 <= late.until <= house.clock.at + 120 + gates.STAGGER
    assert late.error == {"code": "rate_limited", "message": "source plant: busy"}
    for one in (gate, other):
        assert deferred(come_in(one)).until >= house.clock.at + 120
    house.clock.advance(120)
    passed(come_in(other)).answered(Limits())
    passed(come_in(gate)).answered(Limits())


def test_an_outage_that_names_a_time_closes_it_as_well(house: House) -> None:
    """503 or 500 with Retry-After: nobody asks before, though no limit was met."""
    away = Unavailable("away", status=500, retry_after=90.0)
    deferred(passed(come_in(house.gate())).refused(away, Limits(retry_after=90.0)))
    assert deferred(come_in(house.gate())).until >= house.clock.at + 90


def test_when_a_gate_opens_one_goes_first_and_the_others_after_its_answer(house: House) -> None:
    """Eight threads that waited for it: one request leaves, the others after it was answered."""
    gate = house.gate()
    house.close(60)
    house.clock.advance(60)

    def go(_number: int) -> LedgerPassage | DeferredError:
        return come_in(gate, lane=Lane.BULK)

    found = at_once(8, go)
    (first,) = [one for one in found if isinstance(one, LedgerPassage)]
    assert all(isinstance(one, DeferredError) for one in found if one is not first)

    first.answered(Limits())
    assert all(isinstance(one, LedgerPassage) for one in at_once(8, go))


def test_a_first_request_is_waited_for_as_long_as_it_may_take(house: House) -> None:
    """Nobody leaves beside a slow one; after a worker that died somebody may soon."""
    gate = house.gate()
    house.close(60)
    house.clock.advance(60)
    slow = passed(come_in(gate))
    longest = inspect.signature(ApiClient.__init__).parameters["deadline"].default
    house.clock.advance(longest + 1)
    deferred(come_in(gate, lane=Lane.BULK))
    slow.answered(Limits())
    passed(come_in(gate)).answered(Limits())

    house.close(60)
    house.clock.advance(60)
    passed(come_in(gate))  # and its worker is killed
    house.clock.advance(longest + 10)
    passed(come_in(gate))


def test_a_first_request_that_was_lost_lets_another_one_go(house: House) -> None:
    """No answer says nothing about the limit; somebody else may try."""
    gate = house.gate()
    house.close(60)
    house.clock.advance(60)
    first = passed(come_in(gate))
    deferred(come_in(gate))

    first.lost()

    passed(come_in(gate))
    deferred(come_in(gate))


def test_a_refusal_closes_all_that_the_request_was_counted_by(house: House) -> None:
    """The answer does not say which limit it was: neither is asked again before its time."""
    gate = house.gate(TENANT, ENDPOINT)
    deferred(passed(come_in(gate)).refused(refusal(30), Limits(retry_after=30)))
    assert house.row(TENANT).closed_until == house.clock.at + 30
    assert house.row(ENDPOINT, "GET things/*").closed_until == house.clock.at + 30


def test_ids_that_are_plain_words_share_a_gate_where_routes_are_known(house: House) -> None:
    """A refusal of one is kept to by the others, and by no other kind of path."""
    gate = house.gate(ROUTED)
    deferred(passed(come_in(gate, "things/orders")).refused(refusal(30), Limits(retry_after=30)))
    assert deferred(come_in(gate, "things/customers")).until >= house.clock.at + 30
    passed(come_in(gate, "others/customers")).answered(Limits())

    house.clock.advance(30)
    passed(come_in(gate, "things/customers")).answered(Limits())


def test_who_does_not_count_writes_nothing(house: House) -> None:
    """A vendor without a limit costs no write until it refuses."""
    free = Quota(account="free")
    gate = house.gate(free)
    for _ in range(3):
        passed(come_in(gate)).answered(Limits())
    with pytest.raises(AssertionError):
        house.row(free)
    deferred(passed(come_in(gate)).refused(refusal(5), Limits(retry_after=5)))
    assert house.row(free).closed_until == house.clock.at + 5
    assert (house.row(free).vendor, house.row(free).learned_interval) == ("vendor", 0.0)


def test_one_look_is_enough_for_all_that_is_counted(house: House) -> None:
    """Before a request that nobody counts one statement is sent, however many gates it passes."""
    free = [Quota(account=account) for account in ("one", "another", "a third")]
    for counted in (free[:1], free):
        with statements(house.ledger) as sent:
            passed(come_in(house.gate(*counted))).answered(Limits())
        assert len(sent) == 1


@pytest.mark.parametrize("lane", [Lane.URGENT, Lane.BULK])
def test_work_of_several_requests_gets_done_at_a_slow_gate(house: House, lane: Lane) -> None:
    """One request in six seconds, and three belong together: it does not begin anew for ever."""
    gate = house.gate(Quota(account="slow", limit=Limit(requests=10, seconds=60.0)))
    for _ in range(3):
        with gates.errand(lane):
            found = [gate.enter("GET", "things/1", within=20.0)]
            while isinstance(found[-1], LedgerPassage) and len(found) < 3:
                found[-1].answered(Limits())
                found.append(gate.enter("GET", "things/2", within=20.0))
        if isinstance(found[-1], LedgerPassage):
            break
        house.clock.at = deferred(found[-1]).until + 1.0
    assert [type(one) for one in found] == [LedgerPassage] * 3


def test_nobody_waits_at_a_slow_gate_for_longer_than_a_call_takes(house: House) -> None:
    """A minute between two requests, twenty seconds for one: it comes back."""
    gate = house.gate(Quota(account="slower", limit=Limit(requests=1, seconds=60.0)))
    began = house.clock.at
    with gates.errand(Lane.URGENT):
        passed(gate.enter("GET", "things/1", within=20.0)).answered(Limits())
        later = deferred(gate.enter("GET", "things/2", within=20.0))
    assert later.until > began + 50.0
    assert house.clock.at < began + 20.0


def test_work_that_goes_on_is_not_overtaken_by_work_that_begins(ledger: Ledger) -> None:
    """At a slow gate its next slot is taken before it is slept for: nobody asks for it then."""
    slow = Quota(account="slow", limit=Limit(requests=10, seconds=60.0))
    taken: list[float] = []

    class Watched(ManualClock):
        def sleep(self, seconds: float) -> None:
            taken.append(house.row(slow).next_free_at - self.at)
            super().sleep(seconds)

    house = House(ledger, Watched())
    gate = house.gate(slow)
    with gates.errand(Lane.URGENT):
        passed(gate.enter("GET", "things/1", within=20.0)).answered(Limits())
        passed(gate.enter("GET", "things/2", within=20.0))
    step = slow.pace().interval
    assert max(taken) == pytest.approx(2 * step)
