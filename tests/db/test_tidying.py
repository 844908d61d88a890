"""SQLite leaves no dead rows; what a server does is in `tests/services/test_tidying.py`."""

import pytest

from db import tidying
from db.engine import Ledger
from tests.db import counting


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The one that has no statistics of that kind."""
    return sqlite_url


def test_sqlite_is_asked_and_told_nothing(ledger: Ledger) -> None:
    """Its VACUUM would write the whole file anew."""
    with counting.all_statements(ledger) as sent:
        with ledger.read() as session:
            assert tidying.untidy(session) == []
        tidying.tidy(ledger, "user")
    assert sent == []
