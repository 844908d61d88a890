"""What a question goes through: rows of tables on PostgreSQL, steps of SQLite's machine.

SQLite counts while it is asked. PostgreSQL is asked once more, of what has become of it.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import Connection

from db import planning
from db.engine import Ledger
from tests.db import counting

STEPS_AT_ONCE = 100
PLANS = {planning.ONCE: planning.ONCE, planning.ANEW: "force_custom_plan"}
TYPES = {float: "float8", bool: "bool"}  # of others the statement says what they are
PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(slots=True)
class Asked:
    """A statement, what was put into it, how a server plans it, and SQLite's steps (hundreds)."""

    statement: str
    given: Any
    mode: str
    steps: int = 0

    def tick(self) -> int:
        """SQLite has gone on; 0: it may."""
        self.steps += STEPS_AT_ONCE
        return 0


@contextlib.contextmanager
def questions(ledger: Ledger) -> Iterator[list[Asked]]:
    """What is asked of this ledger in the block."""
    asked: list[Asked] = []
    drivers: set[Any] = set()
    engines = {*ledger.writing_engines, *([ledger.reading_engine] if ledger.is_sqlite else [])}

    def hear(statement: str, given: Any, connection: Connection) -> None:
        if "pg_notify" in statement:
            return  # the receiver makes sure now and then that it hears what it listens for
        if statement.lstrip().upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            asked.append(Asked(statement, given, connection.info.get(planning.MODE, "")))
            if ledger.is_sqlite:
                driver: Any = connection.connection.driver_connection
                driver.set_progress_handler(asked[-1].tick, STEPS_AT_ONCE)
                drivers.add(driver)

    try:
        with counting.listening(engines, hear):
            yield asked
    finally:
        for driver in drivers:
            driver.set_progress_handler(None, 0)


def of(ledger: Ledger, asked: Sequence[Asked]) -> dict[str, int]:
    """The most by statement. New rows count as nothing; nothing of what is asked again stays."""
    found: dict[str, int] = {}
    for one in asked:
        if one.statement.lstrip().upper().startswith("INSERT"):
            continue
        if ledger.is_sqlite:
            took = one.steps
        else:
            with ledger.engine.connect() as connection:
                took = _rows(connection, one.statement, one.given, one.mode)
                connection.rollback()
        found[one.statement] = max(took, found.get(one.statement, 0))
    return found


def _rows(connection: Connection, statement: str, given: Any, mode: str) -> int:
    """With the plan for these values, or the one for whatever may be given, as it was asked."""
    connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = {PLANS[mode]}")
    names: dict[str, int] = {}
    words = PLACE.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", statement)
    types = ", ".join(TYPES.get(type(given[name]), "unknown") for name in names)
    prepare = f"PREPARE asked ({types}) AS" if names else "PREPARE asked AS"
    connection.exec_driver_sql(f"{prepare} {words}")
    driver = connection.connection.driver_connection
    values = ", ".join(sql.Literal(given[name]).as_string(driver) for name in names)
    execute = f"EXECUTE asked({values})" if values else "EXECUTE asked"
    explained = connection.exec_driver_sql(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {execute}".replace("%", "%%")
    )
    (plan,) = explained.scalar_one()
    connection.exec_driver_sql("DEALLOCATE asked")
    return _gone_through(plan["Plan"])


def _gone_through(plan: dict[str, Any]) -> int:
    """Rows of the tables, those that fit and those that did not."""
    own = 0
    if "Scan" in plan["Node Type"]:
        left = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        own = (plan["Actual Rows"] + left) * plan["Actual Loops"]
    return own + sum(_gone_through(part) for part in plan.get("Plans", ()))
