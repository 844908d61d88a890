"""The database that the tests of this ring share: each of them finds it as if it were new."""

import pytest
from cryptography.fernet import Fernet

from db.engine import Ledger
from db.models import User
from db.vault import Vault
from tests.db import everything
from tests.services import postgresql

pytestmark = pytest.mark.services


def test_ids_begin_at_one_after_rows_with_ids_of_their_own(postgresql_url: str) -> None:
    """A test that names what it made by its id works alone, and fails after one that restored."""
    ledger = Ledger(postgresql_url)
    try:
        with ledger.write() as session:
            everything.fill(session, Vault([Fernet.generate_key().decode()]))
        ledger.close()  # connections that are left behind are ended
        postgresql.empty(postgresql_url)
        with ledger.write() as session:
            somebody = User(username="alice")
            session.add(somebody)
            session.flush()
            assert somebody.id == 1
    finally:
        ledger.close()
