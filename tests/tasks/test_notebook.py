"""A connection's notes: the same in the ledger and in memory, and of one account only."""

from collections.abc import Callable

import pytest
from sqlalchemy.exc import StatementError
from sqlmodel import select

from db.engine import Ledger
from db.models import Source, User
from db.models_notebook import Sighted, Validator
from db.notebook import Learned, Sighting, Validated
from tasks.notebook import LedgerNotebook, MemoryNotebook, Notebook
from tests.world import ManualClock

NOW = 1_800_000_000.0
Make = Callable[[str], Notebook]


@pytest.fixture(params=["ledger", "memory"])
def make(request: pytest.FixtureRequest, ledger: Ledger) -> Make:
    """Notebooks of accounts of one source."""
    if request.param == "memory":
        kept: dict[str, MemoryNotebook] = {}
        return lambda account: kept.setdefault(account, MemoryNotebook())
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="boards", provider="bime"))
    clock = ManualClock(NOW)
    return lambda account: LedgerNotebook(ledger, clock, source_id=1, account=account, made_of="it")


def test_an_answer_and_its_records_are_there_together(make: Make) -> None:
    """What a 304 stands for later is all of it: validators, value, records of both sorts."""
    found = Validated('W/"a"', "Sun", {"count": 2})
    make("a").write(
        "/boards",
        found,
        once={"created": [Sighting("1", NOW), Sighting("1", NOW + 1), Sighting("2", NOW)]},
        each={"updated": [Sighting("1", NOW), Sighting("1", NOW + 9)]},
    )

    notes = make("a")
    assert notes.validated("/boards") == found
    assert notes.count("created", NOW, NOW + 1) == 2
    assert notes.count("created", NOW + 1, NOW + 2) == 0
    assert notes.count("updated", NOW, NOW + 10) == 1
    assert notes.count("updated", NOW + 9, NOW + 10) == 1


def test_notes_of_another_account_are_not_ours(make: Make) -> None:
    """Who declares another account under the same name gets none of the old one's counts."""
    make("a").write("/boards", Validated('"a"', None, {}), once={"created": [Sighting("1", NOW)]})

    other = make("b")
    assert other.validated("/boards") is None
    assert other.count("created", 0.0, NOW + 1) == 0


def test_a_fact_is_kept_by_its_name(make: Make) -> None:
    """Whatever is in the name, and however long; another account has none of it."""
    facts = {name: Learned(len(name), NOW) for name in ("meter", "", "m" * 9000, 'a" ü\n')}
    notes = make("a")
    notes.learn(facts)
    assert notes.learned([*facts, "roof"]) == facts
    assert make("b").learned(facts) == {}
    notes.forget(["meter", "roof"])
    assert notes.learned(facts) == {name: fact for name, fact in facts.items() if name != "meter"}


def test_a_fact_is_no_answer_of_a_url(make: Make) -> None:
    """Both may bear the same name."""
    found = Validated('"a"', None, {"count": 2})
    make("a").learn({"/boards": Learned(7, NOW)})
    assert make("a").validated("/boards") is None
    make("a").write("/boards", found)
    make("a").forget(["/boards"])
    assert make("a").validated("/boards") == found


def test_what_can_not_be_written_is_not_half_written(ledger: Ledger) -> None:
    """Records without their validator would be harmless; a validator without its records not."""
    notes = LedgerNotebook(ledger, ManualClock(NOW), source_id=1, account="a", made_of="it")
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="boards", provider="bime"))

    with pytest.raises((TypeError, StatementError)):
        notes.write(
            "/boards",
            Validated('"a"', None, {"not json": object()}),
            once={"created": [Sighting("1", NOW)]},
        )

    with ledger.read() as session:
        assert session.exec(select(Sighted)).all() == []
        assert session.exec(select(Validator)).all() == []
