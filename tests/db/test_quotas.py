"""Gates: nobody leaves before a closed one opens, and no more than burst and rate allow."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import quotas
from db.engine import Ledger
from db.models_limits import Quota
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0


def reserve(ledger: Ledger, key: str = "k", *, now: float, **more: float) -> quotas.Turn:
    """Ask for a turn in a transaction of its own."""
    with ledger.write() as session:
        return quotas.reserve(session, key, now=now, **({"interval": 0.5, "burst": 3} | more))


def close(ledger: Ledger, until: float) -> None:
    """Close the gate."""
    with ledger.write() as session:
        quotas.close(session, "k", until, seen="limit")


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    gaps=st.lists(st.floats(0, 2), min_size=5, max_size=30),
    interval=st.floats(0.05, 2),
    burst=st.integers(1, 5),
)
def test_never_more_than_burst_and_rate_allow(
    ledger: Ledger, gaps: list[float], interval: float, burst: int
) -> None:
    """In any span of t seconds at most burst + t / interval requests leave."""
    with ledger.write() as session:
        known = session.get(Quota, "k")
        if known is not None:
            session.delete(known)
    now, left = NOW, []
    for gap in gaps:
        now += gap
        turn = reserve(ledger, now=now, interval=interval, burst=burst)
        if turn.granted:
            assert turn.at >= now
            left.append(turn.at)
        else:
            assert turn.at > now
    left.sort()
    for first in range(len(left)):
        for last in range(first, len(left)):
            span = left[last] - left[first]
            assert last - first + 1 <= burst + span / interval + 1e-3


def test_parallel_requests_share_one_gate(ledger: Ledger) -> None:
    """Twenty threads at one instant: the burst goes at once, the rest one after the other."""
    turns = at_once(20, lambda _: reserve(ledger, now=NOW))

    granted = sorted(turn.at - NOW for turn in turns if turn.granted)
    assert granted == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert all(turn.at > NOW + 1 for turn in turns if not turn.granted)


def test_nothing_is_granted_behind_a_closed_gate(ledger: Ledger) -> None:
    """Until the named time nobody gets a turn; then the rate goes on as before."""
    close(ledger, NOW + 30)

    assert reserve(ledger, now=NOW) == quotas.Turn(NOW + 30, granted=False)
    assert reserve(ledger, now=NOW + 29.9) == quotas.Turn(NOW + 30, granted=False)
    assert reserve(ledger, now=NOW + 30) == quotas.Turn(NOW + 30, granted=True)


def test_of_two_refusals_the_later_one_counts(ledger: Ledger) -> None:
    """A gate is never opened earlier than somebody else was told."""
    close(ledger, NOW + 60)
    close(ledger, NOW + 10)

    with ledger.read() as session:
        assert quotas.closed_until(session, "k") == NOW + 60
        assert quotas.closed_until(session, "other") == 0.0


def test_gates_do_not_know_each_other(ledger: Ledger) -> None:
    """One closed gate stops only its own requests."""
    close(ledger, NOW + 60)

    assert reserve(ledger, "other", now=NOW).granted
