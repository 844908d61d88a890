"""What waits urgently for a gate: it is known to those who are less urgent, and only as long."""

import pytest

from db.claiming_gates import SOON, urgent_since
from db.engine import Ledger
from db.models_limits import Breaker
from db.states import FeedState, Lane
from tests.db.test_claiming_gates import CLOSED, KEY, fill, gate, put
from tests.db.test_feeds import NOW

BOTH = pytest.mark.parametrize("key", [KEY, "beeminder:1"])


def since(ledger: Ledger, key: str) -> float | None:
    """Since when something waits."""
    with ledger.read() as session:
        return urgent_since(session, key, NOW)


@BOTH
@pytest.mark.parametrize("full", [{}, CLOSED, {"next_free_at": NOW + 5.0}])
def test_what_is_due_waits_for_the_gate_of_its_source_and_of_its_owner(
    ledger: Ledger, key: str, full: dict[str, float]
) -> None:
    """However full that gate is: that is what it waits for. The latest of several counts."""
    one, other = fill(ledger, {1: 2}, lane=Lane.URGENT)[1]
    gate(ledger, key, **full)
    put(ledger, other, due_at=NOW + SOON)
    assert since(ledger, key) == NOW + SOON
    put(ledger, other, due_at=NOW + SOON + 0.01)
    assert since(ledger, key) == NOW - 100
    put(ledger, one, lane=Lane.DEFAULT)
    assert since(ledger, key) is None


@BOTH
@pytest.mark.parametrize(
    "columns",
    [
        {"lane": Lane.BULK},
        {"lease_owner": "w", "lease_until": NOW + 5},
        {"lease_owner": "w", "lease_until": NOW - 5},
        {"suspect": True},
        {"state": FeedState.PAUSED},
    ],
)
def test_what_nobody_may_claim_does_not_wait(
    ledger: Ledger, key: str, columns: dict[str, object]
) -> None:
    """Held already, run alone, paused, or not urgent: no slot is left for it."""
    (feed_id,) = fill(ledger, {1: 1}, lane=Lane.URGENT)[1]
    assert since(ledger, key) is not None
    put(ledger, feed_id, **columns)
    assert since(ledger, key) is None


@BOTH
def test_what_waits_for_something_else_does_not_wait_here(ledger: Ledger, key: str) -> None:
    """The other one of its two gates is closed: it would not come."""
    fill(ledger, {1: 1}, lane=Lane.URGENT)
    (other,) = {KEY, "beeminder:1"} - {key}
    gate(ledger, other)
    assert since(ledger, key) is not None
    gate(ledger, other, **CLOSED)
    assert since(ledger, key) is None


@pytest.mark.parametrize("subject", ["source:1", "user:1"])
def test_what_a_breaker_holds_up_does_not_wait(ledger: Ledger, subject: str) -> None:
    """It was probed a moment ago: nothing of it comes now."""
    fill(ledger, {1: 1}, lane=Lane.URGENT)
    with ledger.write() as session:
        session.add(Breaker(subject=subject, opened_at=NOW - 60, probed_at=NOW, probe_at=NOW + 60))
    assert since(ledger, KEY) is None


@pytest.mark.parametrize("key", ["vendor:other", "beeminder:2", "beeminder:", "beeminder:one"])
def test_others_gates_have_nobody_waiting(ledger: Ledger, key: str) -> None:
    """Another account, another person, a key that only looks alike."""
    fill(ledger, {1: 1}, lane=Lane.URGENT)
    assert since(ledger, key) is None
