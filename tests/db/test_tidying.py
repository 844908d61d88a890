"""SQLite leaves no dead rows; what a server does is in `tests/services/test_tidying.py`."""

from db import tidying
from db.engine import Ledger
from tests.db import counting


def test_sqlite_is_asked_and_told_nothing(ledger: Ledger) -> None:
    """It has no statistics of that kind, and its VACUUM would write the whole file anew."""
    with counting.all_statements(ledger) as sent:
        with ledger.read() as session:
            assert tidying.untidy(session) == []
        tidying.tidy(ledger, "user")
    assert not any("VACUUM" in statement for statement in sent) or not ledger.is_sqlite
    assert len(sent) == (0 if ledger.is_sqlite else 3)
