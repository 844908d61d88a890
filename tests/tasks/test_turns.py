"""A request that several quotas count: its turn comes under all of them, or it takes none."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
from sqlmodel import Session

from clients.limits import Limits
from db.engine import Ledger
from db.states import Lane
from tasks import limits, turns
from tasks.gates import DeferredError, LedgerPassage
from tasks.limits import Limit, Pace, Quota
from tasks.ways import Way
from tests.tasks.gated import ENDPOINT, TENANT, UNKNOWN, House, come_in, deferred, passed
from tests.tasks.scenes import at_once
from tests.world import ManualClock


@pytest.fixture
def house(ledger: Ledger) -> House:
    """Some processes on a ledger."""
    return House(ledger)


def test_a_request_takes_its_turn_under_all_quotas_or_none(house: House) -> None:
    """While one kind of calls is held back, nothing of the account is used up in vain."""
    gate, closed = house.gate(TENANT, ENDPOINT), "GET things/*"
    passed(come_in(gate)).answered(Limits())
    assert (house.row(TENANT).passed, house.row(ENDPOINT, closed).passed) == (1, 1)
    house.close(60, ENDPOINT, closed)

    for number in range(20):
        deferred(come_in(gate, f"things/{number}"))
    assert (house.row(TENANT).passed, house.row(ENDPOINT, closed).passed) == (1, 1)

    passed(come_in(gate, "others/1")).answered(Limits())
    assert house.row(TENANT).passed == 2


def test_who_goes_first_under_one_quota_does_not_keep_others_back(house: House) -> None:
    """The account is half open, the calls are closed: the first turn is not taken either."""
    gate = house.gate(TENANT, ENDPOINT)
    house.close(10, TENANT)
    house.close(60, ENDPOINT, "GET things/*")
    house.clock.advance(10)
    deferred(come_in(gate))

    assert house.row(TENANT).probe_until == 0.0
    passed(come_in(gate, "others/1"))


def test_threads_in_two_processes_do_not_wait_in_a_circle(house: House) -> None:
    """Two quotas, named in either order: nobody holds one while they wait for the other.

    None has a pace yet, so everybody comes through, and is counted once under each.
    """
    several = tuple(Quota(account=name, unknown=True) for name in ("tenant", "address"))

    def go(number: int) -> int:
        order = several if number % 2 else several[::-1]
        gate = house.gate(*order, rt=house.runtime(f"{number}"))
        return sum(isinstance(come_in(gate), LedgerPassage) for _ in range(8))

    assert at_once(6, go) == [8] * 6
    assert [house.row(quota).passed for quota in several] == [48, 48]


class Busy(Ledger):
    """Whoever wants to write waits for a moment in which something happens."""

    def __init__(self, like: Ledger, happens: Callable[[], object]) -> None:
        super().__init__(like.url.render_as_string(hide_password=False))
        self.happens = happens

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """It happens, and then it is our turn."""
        self.happens()
        with super().write() as session:
            yield session


@pytest.fixture
def busy(ledger: Ledger) -> Iterator[Busy]:
    """The same ledger; nothing happens yet."""
    made = Busy(ledger, lambda: None)
    yield made
    made.close()


def test_a_gate_that_closes_while_somebody_waits_to_write_is_closed(
    house: House, busy: Busy
) -> None:
    """A quota that counts nobody is free when it is looked at, and shut when the slot is taken."""
    free = Quota(account="free")
    late = House(busy, house.clock)
    passed(come_in(late.gate(free, TENANT))).answered(Limits())
    busy.happens = lambda: house.close(60, free)
    assert deferred(come_in(late.gate(free, TENANT))).until >= house.clock.at + 60
    assert house.row(TENANT).passed == 1

    house.clock.advance(60)
    busy.happens = lambda: None
    passed(come_in(late.gate(free, TENANT)))
    assert house.row(free).probe_until > house.clock.at


def test_a_slot_begins_when_it_is_written(house: House, busy: Busy) -> None:
    """Waiting to write takes a second: the next slot comes after that, and not a second early."""
    busy.happens = lambda: house.clock.advance(1.0)
    passed(come_in(House(busy, house.clock).gate(pace=Pace(2.0))))
    assert house.row().next_free_at == house.clock.at + 2.0


def test_nothing_is_taken_where_another_quota_is_full(house: House) -> None:
    """Whichever of the two is asked first: what it gave is given back."""
    orders = set()
    for number in range(8):
        wide = Quota(account=f"a{number}", limit=Limit(requests=100, seconds=10.0))
        narrow = Quota(account=f"b{number}", limit=Limit(requests=1, seconds=60.0))
        orders.add(wide.key("vendor") < narrow.key("vendor"))
        passed(come_in(house.gate(wide, narrow))).answered(Limits())
        before = house.row(wide)
        deferred(come_in(house.gate(wide, narrow)))
        after = house.row(wide)
        assert (after.passed, after.next_free_at) == (1, before.next_free_at)
    assert orders == {True, False}


class Sleeper(ManualClock):
    """Before each sleep something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens = happens

    def sleep(self, seconds: float) -> None:
        """It happens, and the time goes by."""
        self.happens()
        super().sleep(seconds)


@pytest.mark.parametrize("proven", [True, False])
def test_a_slot_from_before_a_closing_is_not_used_after_it(ledger: Ledger, *, proven: bool) -> None:
    """Closed for less than the sleep: one goes first, and nobody on an old slot beside it."""
    house = House(ledger)
    sleeper = House(ledger, Sleeper(lambda: None))
    sleeper.clock.at = house.clock.at
    gate, slow = sleeper.gate(pace=Pace(0.8)), house.gate(pace=Pace(0.8))
    passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())

    def closes() -> None:
        sleeper.clock.happens = lambda: None
        house.close(0.3)
        house.clock.advance(0.3)
        first = passed(come_in(slow))
        if proven:
            first.answered(Limits())

    sleeper.clock.happens = closes
    deferred(come_in(gate, lane=Lane.URGENT))


def test_who_finds_a_closing_over_goes_first(ledger: Ledger) -> None:
    """Nobody else is there when it opens: the one whose slot is gone asks, and alone."""
    house = House(ledger, Sleeper(lambda: None))
    gate = house.gate(pace=Pace(0.8))
    passed(come_in(gate, lane=Lane.URGENT)).answered(Limits())

    def closes() -> None:
        house.clock.happens = lambda: None
        house.close(0.3)

    house.clock.happens = closes
    first = passed(come_in(gate, lane=Lane.URGENT))
    assert house.row().probe_until > house.clock.at
    first.answered(Limits())
    assert house.row().proven_at == house.clock.at


class Drowsy(ManualClock):
    """Wakes up late, as often as it is told."""

    late: float = 0.0
    times: int = 0

    def sleep(self, seconds: float) -> None:
        """The time goes by, and a little more."""
        super().sleep(seconds)
        if seconds > 0.0 and self.times > 0:
            self.times -= 1
            super().sleep(self.late)


def drowsy(ledger: Ledger, *, late: float, times: int) -> House:
    """A process that wakes up late."""
    clock = Drowsy()
    clock.late, clock.times = late, times
    return House(ledger, clock)


TOO_LATE = turns.TO_LOOK + 2 * limits.LATE_SECONDS
STRICT = Quota(account="strict", limit=Limit(requests=10, seconds=1.0))
STEP = STRICT.pace().interval


@pytest.mark.parametrize(("late", "slots"), [(0.02, 1), (TOO_LATE, 2)])
def test_a_slot_that_was_overslept_is_not_used(ledger: Ledger, late: float, slots: int) -> None:
    """Beside the next one it would be one too many: another is taken, and one request counted."""
    house = drowsy(ledger, late=late, times=1)
    gate, began = house.gate(STRICT), house.clock.at
    passed(come_in(gate))

    passed(come_in(gate))

    assert slots * STEP <= house.clock.at - began < slots * STEP + limits.LATE_SECONDS
    assert house.row(STRICT).passed == 2


def test_who_oversleeps_again_goes(ledger: Ledger) -> None:
    """A process that is always late still gets its work done, at half the pace."""
    house = drowsy(ledger, late=TOO_LATE, times=100)
    gate = house.gate(STRICT)
    for _ in range(5):
        passed(come_in(gate))
    assert house.row(STRICT).passed == 5


@pytest.mark.parametrize("strict_first", [True, False])
def test_who_oversleeps_one_quota_makes_way_under_another(
    ledger: Ledger, *, strict_first: bool
) -> None:
    """It was to go first through a gate that was closed, and goes first all the same."""
    house = drowsy(ledger, late=TOO_LATE, times=0)
    both = (STRICT, UNKNOWN) if strict_first else (UNKNOWN, STRICT)
    gate = house.gate(*both)
    passed(come_in(gate)).answered(Limits())
    house.close(0.01)
    house.clock.advance(0.01)
    house.clock.times = 1

    passed(come_in(gate)).answered(Limits())

    assert house.row().probe_until == 0.0
    assert house.row(STRICT).passed == 2


@pytest.mark.parametrize(
    ("quota", "pace"),
    [
        (Quota(account="b", limit=Limit(requests=10, seconds=1.0, bucket=1)), None),
        (Quota(account="ours"), Pace(0.1)),
    ],
    ids=["a bucket", "our own pace"],
)
def test_where_it_does_no_harm_a_late_request_goes(
    ledger: Ledger, quota: Quota, pace: Pace | None
) -> None:
    """A bucket has only become fuller, and a pace that nobody counts is not kept to the point."""
    house = drowsy(ledger, late=TOO_LATE, times=100)
    gate, began = house.gate(quota, pace=pace), house.clock.at
    for _ in range(3):
        passed(come_in(gate))
    assert house.clock.at - began < 0.35


def test_those_who_wait_do_not_all_ask_at_once(house: House) -> None:
    """Each is told another time to ask for the one slot that comes next, and none is lost by it."""
    rt, pace = house.runtime(), Pace(0.4)
    way = Way(rt, "vendor:slow", STRICT, pace=pace, vendor="vendor", endpoint="")
    for _ in range(2):  # the second one has to wait, and the slot after it is not within reach
        turns.wait(rt, [way], ends_at=house.clock.at + 1.0, lane=Lane.BULK)
    free_at = house.clock.at + pace.interval

    told = [turns.wait(rt, [way], ends_at=house.clock.at + 0.1, lane=Lane.BULK) for _ in range(8)]

    assert len({at for at in told if isinstance(at, float)}) == 8
    assert all(isinstance(at, float) and at < free_at for at in told)


class Distant(Ledger):
    """A commit takes its time: the ledger is on another machine."""

    def __init__(self, like: Ledger, clock: ManualClock, seconds: float) -> None:
        super().__init__(like.url.render_as_string(hide_password=False))
        self._clock, self._seconds = clock, seconds

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """The answer to a commit comes after so long."""
        with super().write() as session:
            yield session
        self._clock.advance(self._seconds)


SLOW = Quota(account="slow", limit=Limit(requests=10, seconds=60.0))


@pytest.mark.parametrize("lane", [Lane.URGENT, Lane.BULK])
def test_a_distant_ledger_makes_nobody_late_for_ever(ledger: Ledger, lane: Lane) -> None:
    """Each slot is there too late for its time, and the next one too far to wait for: they go."""
    clock = ManualClock()
    with contextlib.closing(Distant(ledger, clock, 4 * limits.LATE_SECONDS)) as distant:
        gate = House(distant, clock).gate(SLOW)
        for number in range(4):
            asked = 0
            while isinstance(found := come_in(gate, lane=lane), DeferredError):
                asked += 1
                assert asked < 4, f"request {number} is put off again and again"
                clock.at = found.until + 1.0  # until a sweep finds it due
            found.answered(Limits())
            clock.advance(60.0)
