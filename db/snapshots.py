"""The ledger as it is at one moment, for whoever reads much of it in pieces.

A read transaction is such a view on both databases (on PostgreSQL at REPEATABLE READ), and holds
nobody up.
"""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection, text

from db.engine import Ledger


@contextlib.contextmanager
def take(ledger: Ledger) -> Iterator[Connection]:
    """A connection that sees everything as it is now, until the block ends."""
    if ledger.is_sqlite:
        with ledger.reading_engine.connect() as connection:
            yield connection
        return
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with ledger.engine.connect().execution_options(**options) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # a big table takes its time
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield connection
