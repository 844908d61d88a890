"""Promises of what one process has heard of closed gates: it counts at once, and is never lost."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import OperationalError

from clients.limits import Limits
from db import quotas_closing
from db.engine import Ledger
from tasks.closings import Closing, Closings
from tasks.gates import LedgerPassage
from tests.tasks.gated import UNKNOWN, House, come_in, deferred, passed, refusal

KEY = UNKNOWN.key("vendor")


def refuses(passage: LedgerPassage) -> None:
    """The vendor says no, and when to come back."""
    passage.refused(refusal(30.0), Limits(retry_after=30.0))


def pauses(passage: LedgerPassage) -> None:
    """The vendor answers, and says when to come back."""
    passage.answered(Limits(retry_after=30.0))


@contextlib.contextmanager
def away(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be written in the block."""

    def fail(**_: object) -> None:
        raise OperationalError("UPDATE", None, OSError("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "write", fail)
        yield


@pytest.mark.parametrize("says", [refuses, pauses])
def test_what_could_not_be_written_down_is_obeyed_all_the_same(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, says: Callable[[LedgerPassage], None]
) -> None:
    """By who heard it as long as it lasts, by all other processes after its next heartbeat."""
    house = House(ledger)
    rt, told = house.runtime("a"), house.clock.at + 30.0
    gate, others = house.gate(rt=rt), house.gate(rt=house.runtime("b"))
    passage = passed(come_in(gate))
    with away(ledger, monkeypatch), pytest.raises(OperationalError):
        says(passage)

    house.clock.advance(2)
    assert deferred(come_in(gate)).until >= told
    with away(ledger, monkeypatch), pytest.raises(OperationalError):
        rt.heartbeat()
    assert deferred(come_in(gate)).until >= told
    rt.heartbeat()
    assert deferred(come_in(others)).until >= told
    assert house.row().closed_until == told

    house.clock.advance(28)
    passed(come_in(gate)).answered(Limits())


def test_what_is_over_by_then_closes_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that was away for longer than the vendor had asked for is told nothing."""
    house = House(ledger)
    rt = house.runtime()
    gate = house.gate(rt=rt)
    passage = passed(come_in(gate))
    with away(ledger, monkeypatch), pytest.raises(OperationalError):
        refuses(passage)
    before = house.row().closed_until
    house.clock.advance(31)
    rt.heartbeat()
    assert house.row().closed_until == before
    passed(come_in(gate)).answered(Limits())


def test_what_is_written_down_can_be_opened(ledger: Ledger) -> None:
    """Then the ledger is who knows: a moment later an operator's word counts here too."""
    house = House(ledger)
    rt = house.runtime()
    gate = house.gate(rt=rt)
    refuses(passed(come_in(gate)))
    with ledger.write() as session:
        quotas_closing.open_now(session, [KEY])
    deferred(come_in(gate))
    house.clock.advance(1)
    rt.heartbeat()
    passed(come_in(gate)).answered(Limits())


def test_the_longer_one_counts() -> None:
    """Of two answers at once neither takes back what the other one said."""
    closings = Closings()
    closings.note(Closing(KEY, 40.0, 10.0))
    closings.note(Closing(KEY, 20.0, 10.5))
    assert closings.until(KEY, 10.5) == 40.0
    closings.written(KEY, 20.0)
    assert closings.until(KEY, 12.0) == 40.0
    closings.written(KEY, 40.0)
    assert closings.until(KEY, 12.0) == 0.0


def test_whoever_is_still_writing_is_left_alone(ledger: Ledger) -> None:
    """A heartbeat in the middle of it does not close the gate for them."""
    house, closings = House(ledger), Closings()
    house.close(5)
    closings.note(Closing(KEY, house.clock.at + 30.0, house.clock.at))
    closings.write_late(ledger, house.clock.at + 0.9)
    assert house.row().closed_until == house.clock.at + 5
    closings.write_late(ledger, house.clock.at + 1.0)
    assert house.row().closed_until == house.clock.at + 30
