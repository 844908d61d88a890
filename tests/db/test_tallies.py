"""Counts of many workers: nothing is lost between them, and nothing is put back."""

from db import tallies
from db.engine import Ledger
from db.tallies import Key, Seen
from tests.tasks.scenes import at_once

FRESH = Key("syncs", "bime", "fresh")
SWEEP = Key(tallies.SWEEP)


def known(ledger: Ledger) -> dict[Key, Seen]:
    """All that is there."""
    with ledger.read() as session:
        return tallies.everything(session)


def test_workers_that_count_at_once_lose_nothing(ledger: Ledger) -> None:
    """Eight of them, the same things in different orders, many times."""
    keys = [Key("syncs", vendor, "fresh") for vendor in ("a", "b", "c")]

    def count(number: int) -> None:
        for turn in range(10):
            mine = keys if (number + turn) % 2 else keys[::-1]
            with ledger.write() as session:
                tallies.add(session, dict.fromkeys(mine, 1.0), float(number))

    at_once(8, count)
    assert {key: seen.value for key, seen in known(ledger).items()} == dict.fromkeys(keys, 80.0)


def test_nothing_is_written_where_nothing_was_counted(ledger: Ledger) -> None:
    """A quiet worker makes no rows."""
    with ledger.write() as session:
        tallies.add(session, {}, 1.0)
        tallies.mark(session, {})
    assert known(ledger) == {}


def test_what_was_seen_last_is_kept(ledger: Ledger) -> None:
    """A worker that writes late puts nothing back."""
    for seen in (Seen(100.0, 1.0), Seen(50.0, 2.0)):
        with ledger.write() as session:
            tallies.mark(session, {SWEEP: seen})
    with ledger.read() as session:
        assert tallies.last(session, SWEEP) == Seen(100.0, 1.0)
        assert tallies.last(session, FRESH) is None
