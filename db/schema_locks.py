"""All tables of a PostgreSQL database for one migration, with no harm to whoever uses them.

A migration that took its tables one by one, while workers take them in another order, would meet
them in a deadlock, and PostgreSQL ends one of the two: a callback that is being stored, perhaps.
So all tables are taken before anything is changed, and given back soon if not all can be had.
"""

import time

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from db.tables import METADATA

PATIENCE_SECONDS = 15.0
# Whoever waits for us meanwhile waits for less than `deadlock_timeout`, which is 1 s: only after
# that PostgreSQL looks for a deadlock, and ends whoever looked.
TRY_SECONDS = 0.5
PAUSE_SECONDS = 0.25  # whoever waited for us has its turn
NOT_NOW = {
    "40P01",  # a deadlock all the same: a shorter deadlock_timeout
    "55P03",  # a lock_timeout of the role
    "57014",  # our own statement_timeout
}


def take_all(connection: Connection) -> bool:
    """Lock every table of ours until the transaction ends; False when somebody keeps one."""
    there = set(inspect(connection).get_table_names())
    names = sorted(there & {"alembic_version", *METADATA.tables})
    quoted = ", ".join(connection.dialect.identifier_preparer.quote(name) for name in names)
    if not quoted:
        return True
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not _taken(connection, quoted):
        if time.monotonic() > ends_at:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def _taken(connection: Connection, quoted: str) -> bool:
    try:
        with connection.begin_nested():
            milliseconds = round(TRY_SECONDS * 1000)
            connection.execute(text(f"SET LOCAL statement_timeout = {milliseconds}"))
            connection.execute(text(f"LOCK TABLE {quoted} IN ACCESS EXCLUSIVE MODE"))
            connection.execute(text("SET LOCAL statement_timeout TO DEFAULT"))
    except OperationalError as exc:
        if getattr(exc.orig, "sqlstate", None) not in NOT_NOW:
            raise
        return False
    return True
