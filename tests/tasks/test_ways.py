"""What answers mean for the requests after them: headers, refusals with a time and without one."""

import pytest

from clients.errors import Unavailable
from clients.limits import Limits
from db.engine import Ledger
from db.states import Lane
from simulators.window_meters import Verdict
from simulators.windows import Kind, Window
from tasks import limits, policy
from tasks.gates import STAGGER, DeferredError, LedgerGate, LedgerPassage
from tasks.limits import Limit, Pace, Quota
from tests.tasks.gated import TENANT, UNKNOWN, House, Vendor, come_in, deferred, passed, refusal

PARTS = Quota(
    account="counterparty", limit=Limit(requests=10_000, seconds=3600.0, reserve=500), title="parts"
)


@pytest.fixture
def house(ledger: Ledger) -> House:
    """Some processes on a ledger."""
    return House(ledger)


def answer(gate: LedgerGate, **said: float) -> None:
    """A request is let through, and its answer says so much."""
    passed(come_in(gate, lane=Lane.URGENT)).answered(Limits(**said))


def refuse(gate: LedgerGate, wait: float | None) -> DeferredError:
    """A request is let through, and refused."""
    return deferred(passed(come_in(gate)).refused(refusal(wait), Limits(retry_after=wait)))


def test_a_quota_that_is_used_up_is_not_asked_until_it_is_reset(house: House) -> None:
    """Remaining 0 on a good answer: the next one would be refused, so it is not made."""
    gate = house.gate()
    answer(gate, remaining=1, reset_after=40)
    house.clock.advance(40)
    answer(gate, remaining=0, reset_after=60)

    late = deferred(come_in(gate))

    assert late.until >= house.clock.at + 60
    assert house.row().seen_limit == "used_up"
    house.clock.advance(60)
    answer(gate)


def test_a_reserve_is_left_to_others(house: House) -> None:
    """The last 500 of BM Parts are the firm's own people's; what they use counts as well."""
    gate = house.gate(PARTS)
    answer(gate, limit=10_000, remaining=501, reset_after=100)
    house.clock.advance(100)
    answer(gate, limit=10_000, remaining=500, reset_after=1800)

    assert deferred(come_in(gate)).until >= house.clock.at + 1800


def test_what_is_left_is_spread_until_there_is_more(house: House) -> None:
    """Ten are left for twenty seconds: no more than one in two; and after these the usual pace."""
    gate = house.gate()
    answer(gate, remaining=10, reset_after=20)
    began, left = house.clock.at, 0
    while house.clock.at < began + 20:
        found = come_in(gate, lane=Lane.DEFAULT)
        if isinstance(found, LedgerPassage):
            left += 1
            found.answered(Limits())
        else:
            house.clock.at = found.until
    assert 5 <= left <= 11
    house.clock.advance(1)
    answer(gate)
    slept = len(house.clock.slept)
    for _ in range(20):
        answer(gate)
    assert house.clock.slept[slept:] == []
    assert house.row().learned_interval == 0.0


def test_a_policy_sets_the_pace(house: House) -> None:
    """RateLimit-Policy names requests and seconds: that is kept to before anybody is refused."""
    gate = house.gate()
    answer(gate, limit=10, window=10.0, remaining=9, reset_after=10)
    assert 1.0 <= house.row().learned_interval <= 1.5
    learned_at = house.row().learned_at
    house.clock.advance(5)
    answer(gate, limit=10, window=10.0, remaining=9, reset_after=10)
    assert house.row().learned_at == learned_at


def test_a_limit_that_was_declared_is_not_learned_from_headers(house: House) -> None:
    """What the vendor's contract says is ours to know; headers may tell of another quota."""
    gate = house.gate(PARTS)
    answer(gate, limit=60, window=3600.0)
    assert house.row(PARTS).learned_interval == 0.0


def test_headers_never_make_a_slot_earlier(house: House) -> None:
    """Others use the same account: less is left. More of it opens nothing."""
    pace = Pace(1.0, burst=10)
    gate = house.gate(pace=pace)
    answer(gate, remaining=9)
    before = house.row().next_free_at
    answer(gate, remaining=2)
    later = house.row().next_free_at
    assert later == house.clock.at + 7
    answer(gate, remaining=9000)
    assert house.row().next_free_at == later + 1
    assert later > before + 1


@pytest.mark.parametrize(("wait", "hint"), [(None, None), (0.0, 0.0), (0.4, 0.4)])
def test_a_refusal_without_a_time_waits_ten_seconds_at_most(
    house: House, wait: float | None, hint: float | None
) -> None:
    """No time, or 'at once': that is no usable one from somebody who has just refused."""
    late = deferred(passed(come_in(house.gate())).refused(refusal(wait), Limits(retry_after=hint)))
    assert 1.0 <= late.until - house.clock.at <= 10.0


def test_who_refuses_and_names_no_time_is_asked_later_and_later(house: House) -> None:
    """Waits grow while nothing is answered, and begin anew after an answer."""
    gate, waits = house.gate(), []
    closed_at = house.clock.at
    for _ in range(60):
        until = refuse(gate, None).until
        waits.append(until - house.clock.at)
        assert house.row().closed_at == closed_at
        house.clock.at = until
    cap = max(policy.LIMITED.early, policy.LIMITED.late)
    assert max(waits[:3]) < max(waits[3:10]) < max(waits[30:]) <= cap + 0.5
    assert sum(waits[:10]) < sum(waits[20:30]) < sum(waits[50:])

    answer(gate)
    assert refuse(gate, None).until - house.clock.at <= 10.0


def test_after_a_silence_the_first_wait_is_short_again(house: House) -> None:
    """A refusal, eleven minutes in which nobody asked, a refusal: that one is no long story."""
    gate = house.gate()
    for _ in range(20):
        house.clock.at = refuse(gate, None).until + 660
        assert refuse(gate, None).until - house.clock.at <= 10.0
        house.clock.advance(660)


def test_a_time_that_is_named_in_a_header_of_limits_counts(house: House) -> None:
    """No Retry-After, but a reset of a quota that is used up."""
    late = passed(come_in(house.gate())).refused(
        refusal(None, status=403), Limits(remaining=0, reset_after=77)
    )
    assert 77 <= deferred(late).until - house.clock.at <= 78


@pytest.mark.parametrize(
    ("error", "remaining", "counts"),
    [
        (refusal(0.0), 0, True),
        (refusal(0.4), 0, True),
        (refusal(0.0), None, True),
        (refusal(0.0), 7, False),
        (Unavailable("away", status=500, retry_after=0.0), 0, True),
        (Unavailable("away", status=500, retry_after=0.0), None, False),
    ],
)
def test_where_at_once_is_named_the_reset_counts(
    house: House, error: Unavailable, remaining: int | None, *, counts: bool
) -> None:
    """Retry-After: 0 beside a reset in an hour: nothing is left before that."""
    said = Limits(retry_after=error.retry_after, remaining=remaining, reset_after=3600.0)
    late = deferred(passed(come_in(house.gate())).refused(error, said))
    waits = late.until - house.clock.at
    assert 3600 <= waits <= 3601 if counts else waits <= 10


@pytest.mark.parametrize(
    ("error", "learns"),
    [
        (refusal(2.0), True),
        (refusal(2.0, status=403), True),
        (refusal(2.0, status=503), False),
        (Unavailable("away", status=500, retry_after=2.0), False),
        (refusal(None), False),
    ],
)
def test_only_a_limit_that_names_a_time_teaches_a_pace(
    house: House, error: Unavailable, *, learns: bool
) -> None:
    """Twenty requests and a maintenance of two seconds say nothing of twenty in two seconds."""
    gate = house.gate()
    for _ in range(20):
        answer(gate)
    deferred(passed(come_in(gate)).refused(error, Limits()))
    assert (house.row().learned_interval > 0.0) is learns


def test_requests_on_their_way_are_taken_from_what_was_served(house: House) -> None:
    """Thirty left together and ten of them were refused: twenty were served, not thirty."""
    gate = house.gate()
    under_way = [passed(come_in(gate)) for _ in range(30)]
    for passage in under_way[:20]:
        passage.answered(Limits())
    for passage in under_way[20:]:
        passage.refused(refusal(1.0), Limits(retry_after=1.0))
    assert 20 * house.row().learned_interval == pytest.approx(1.03)


def test_slots_that_nobody_used_yet_do_not_count_as_served(house: House) -> None:
    """Some are taken for the next second when a refusal comes: they will not leave."""
    gate = house.gate(pace=Pace(0.05))
    for _ in range(20):
        answer(gate)
    last = passed(come_in(gate, lane=Lane.URGENT))
    with house.ledger.write() as session:  # others wait for the slots of the next second
        row = session.merge(house.row())
        row.next_free_at += 0.5
        row.passed += 10
        session.add(row)

    last.refused(refusal(1.0), Limits(retry_after=1.0))

    assert 20 * house.row().learned_interval == pytest.approx(1.03 * 2)


def test_a_limit_that_was_named_is_not_made_a_crawl(house: House) -> None:
    """One refusal after a good while at its pace: a little slower, and not by half."""
    gate = house.gate(TENANT)
    for _ in range(150):
        answer(gate)
    passed(come_in(gate)).refused(refusal(8.0), Limits(retry_after=8.0))
    ours = TENANT.pace().interval
    assert ours < house.row(TENANT).learned_interval <= limits.NUDGE * ours


WINDOWS: list[tuple[Kind, int, float]] = [
    ("fixed", 20, 1.0),
    ("sliding", 20, 1.0),
    ("gcra", 20, 1.0),
]


@pytest.mark.parametrize(
    ("kind", "requests", "seconds", "known"),
    [
        *((*window, True) for window in WINDOWS),
        *((*window, False) for window in WINDOWS),
        ("fixed", 15, 5.0, False),
        ("sliding", 15, 5.0, False),
        ("gcra", 20, 2.0, False),
    ],
)
def test_a_window_is_used_and_never_knocked_at_early(
    house: House, kind: Kind, requests: int, seconds: float, *, known: bool
) -> None:
    """Known: no refusal at all. Unknown: few, one for each closing, and near to the ideal."""
    window, jobs = Window(kind=kind, requests=requests, seconds=seconds), 12 * requests
    limit = Limit(
        requests=requests, seconds=seconds, bucket=window.at_once if kind == "gcra" else 0
    )
    quota = Quota(account="x", limit=limit) if known else UNKNOWN
    vendor, gate = Vendor(window, house.clock), house.gate(quota)
    began = house.clock.at
    while jobs:
        found = come_in(gate, lane=Lane.BULK)
        if isinstance(found, DeferredError):
            house.clock.at = found.until
        else:
            jobs -= vendor.ask(found)

    tally, took = vendor.tally, house.clock.at - began
    assert (tally.early, tally.late, tally.on_their_way) == (0, 0, 0)
    assert tally.closings == tally.refused <= (0 if known else 5)
    if not known:
        ideal = window.ideal_obeying(12 * requests, start=began)
        assert took <= 1.15 * ideal + tally.closings * STAGGER
    elif kind == "gcra":
        assert took <= 1.05 * window.ideal(12 * requests)


@pytest.mark.parametrize(("kind", "requests", "seconds"), WINDOWS)
def test_headers_on_every_answer_spare_the_refusal(
    house: House, kind: Kind, requests: int, seconds: float
) -> None:
    """A vendor that says what is left is never asked for more, though its limit is unknown."""
    window, jobs = Window(kind=kind, requests=requests, seconds=seconds), 6 * requests
    vendor, gate = Vendor(window, house.clock), house.gate()

    def said(verdict: Verdict) -> Limits:
        reset = window.told(verdict.reset, now=house.clock.at)
        return Limits(limit=requests, remaining=verdict.remaining, reset_after=reset)

    began = house.clock.at
    while jobs:
        found = come_in(gate, lane=Lane.BULK)
        if isinstance(found, DeferredError):
            house.clock.at = found.until
        else:
            jobs -= vendor.ask(found, said)

    assert (vendor.tally.early, vendor.tally.refused) == (0, 0)
    assert house.clock.at - began <= 8 * seconds + 10
