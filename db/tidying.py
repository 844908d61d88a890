"""Dead rows, and what a PostgreSQL server knows of its tables: seen to where nobody else does.

Each step of a sync writes its feed anew, and what was there before stays in table and indexes until
somebody vacuums; and a server that has never counted the rows of a table goes through all of them.
Autovacuum does both, once a minute, and has done so before anything is found here. Where it is
switched off, or can't follow, a look for what is due goes through a hundred dead rows for each that
lives. SQLite leaves none.
"""

from sqlalchemy import text
from sqlmodel import Session, SQLModel

from db import engine
from db.engine import Ledger

# More than what autovacuum waits for: 50 rows, and a tenth or a fifth of the table.
_UNTIDY = text(
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = current_schema() "
    "AND greatest(n_dead_tup, n_mod_since_analyze) > 1000 + 0.3 * n_live_tup ORDER BY relname"
)


def untidy(session: Session) -> list[str]:
    """The tables that need it."""
    if engine.has_turns(session):
        return []
    found = session.connection().execute(_UNTIDY).scalars()
    return [name for name in found if name in SQLModel.metadata.tables]


def tidy(ledger: Ledger, *tables: str) -> None:
    """Vacuum and count; nobody who reads or writes waits for it. Not where somebody is at it."""
    if ledger.is_sqlite:
        return
    with ledger.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET statement_timeout = 0")
        names = ", ".join(f'"{table}"' for table in tables)
        connection.exec_driver_sql(f"VACUUM (ANALYZE, SKIP_LOCKED) {names}")
        connection.invalidate()  # nobody else waits without an end
