"""Alerts of the house: open while they are found, told once, and over when they are not."""

from db import alerts
from db.engine import Ledger

NOW = 1_800_000_000.0


def found(ledger: Ledger, now: float = NOW, kind: str = "worker", **messages: str) -> None:
    """So it was found."""
    with ledger.write() as session:
        alerts.set_of(session, kind, {f"{kind}:{k}": v for k, v in messages.items()}, now)


def keys(ledger: Ledger) -> list[str]:
    """What is open."""
    with ledger.read() as session:
        return [row.key for row in alerts.open_now(session)]


def untold(ledger: Ledger, before: float = NOW + 60) -> list[tuple[str, bool]]:
    """What is to be told, and whether it is over; it is told with that."""
    with ledger.write() as session:
        assert alerts.any_untold(session, before) == bool(alerts.untold(session, before))
        rows = alerts.untold(session, before)
        for row in rows:
            row.told_at = before if row.cleared_at is None else None
            session.add(row)
        return [(row.key, row.cleared_at is not None) for row in rows]


def test_a_kind_is_what_was_found_of_it(ledger: Ledger) -> None:
    """What is found is open, what is not is over; other kinds stay as they are."""
    found(ledger, a="gone", b="gone")
    found(ledger, kind="moving", x="still")
    found(ledger, b="gone", c="gone")
    assert set(keys(ledger)) == {"worker:b", "worker:c", "moving:x"}
    found(ledger)
    assert keys(ledger) == ["moving:x"]


def test_each_is_told_once_and_its_end_once(ledger: Ledger) -> None:
    """A newer text is no news; what comes back is."""
    found(ledger, a="gone")
    assert untold(ledger, NOW - 1) == []
    assert untold(ledger) == [("worker:a", False)]
    found(ledger, NOW + 5, a="long gone")
    assert untold(ledger) == []
    found(ledger, NOW + 10)
    assert untold(ledger) == [("worker:a", True)]
    assert untold(ledger) == []
    found(ledger, NOW + 20, a="gone again")
    assert untold(ledger, NOW + 80) == [("worker:a", False)]


def test_what_is_over_before_it_is_told_is_never_told(ledger: Ledger) -> None:
    """Nobody is told of a moment."""
    found(ledger, a="gone")
    found(ledger, NOW + 1)
    assert untold(ledger) == []


def test_old_ones_are_forgotten(ledger: Ledger) -> None:
    """Those that are open are not old."""
    found(ledger, a="gone", b="gone")
    found(ledger, NOW + 1, b="gone")
    with ledger.write() as session:
        alerts.forget(session, NOW + 5)
    assert keys(ledger) == ["worker:b"]
    found(ledger, NOW + 6, a="gone")
    assert keys(ledger) == ["worker:a"]
