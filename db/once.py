"""Statements that are compiled once for each kind of database, and go to its driver as they are.

A callback asks some forty questions, always in the same words. SQLAlchemy looks each of them up
anew, and makes a context, a cursor and a result for it: that takes longer than SQLite takes to
answer, and as long as all that a driver does for a server. A `Once` keeps its text, the order of
its values, and how each value goes and comes. Whoever listens to `before_cursor_execute` hears it
like all others.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Executable
from sqlmodel import Session

from db import planning, plans, wire
from db.plans import Plan
from db.rows import Rows

BEGINS = "waggle_begins"  # an option of an engine: how its transactions begin; None: there are none
Given = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Once:
    """A statement that is compiled when it is asked for the first time, and never again.

    All that changes from one time to the next are its `bindparam`s, and exactly these are given; to
    an INSERT always the columns that it was given first. One that gets a list of values goes
    through SQLAlchemy, since it is written out anew for each length; so does one for many rows.

    `by_value`: how a server goes about it depends on what is given (`db.planning`).
    """

    def __init__(self, statement: Executable, *, by_value: bool = False) -> None:
        self._statement = statement
        self._mode = planning.ANEW if by_value else planning.ONCE
        self._plans: dict[str, Plan | None] = {}

    def ask(self, by: Session | Connection, given: Given = MappingProxyType({})) -> Any:  # noqa: ANN401 -- `Rows`, or SQLAlchemy's result
        """Ask it with these values, or those of several rows; raises what SQLAlchemy raises."""
        connection = by if isinstance(by, Connection) else by.connection()
        if isinstance(given, Mapping):
            return self._ask(connection, given)
        if len(given) == 1:
            return self._ask(connection, given[0])
        return connection.execute(self._statement, given)

    def _ask(self, connection: Connection, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- as `ask`
        dialect = connection.dialect
        if dialect.name not in self._plans:
            self._plans[dialect.name] = plans.make(self._statement, given, dialect)
        plan = self._plans[dialect.name]
        if plan is None:
            return connection.execute(self._statement, given)
        begins = connection.get_execution_options().get(BEGINS, "")
        if begins is not None and not connection.in_transaction():
            connection.begin()
        planning.change(connection, self._mode)
        return _sent(connection, plan, plan.values(given))


def ask(session: Session, statement: Once | Executable, given: Given) -> Any:  # noqa: ANN401 -- as `Once.ask`
    """Ask one that is named once, or one that was made for this time only."""
    if isinstance(statement, Once):
        return statement.ask(session, given)
    return session.connection().execute(statement, given)


def _sent(connection: Connection, plan: Plan, values: Any) -> Rows:  # noqa: ANN401 -- as the driver wants them
    with wire.cursor(connection, plan.text) as cursor:
        for hear in connection.dispatch.before_cursor_execute:
            hear(connection, cursor, plan.text, values, None, False)  # noqa: FBT003 -- as it is defined
        cursor.execute(plan.text, values, **plan.how)
        return Rows(plan.rows(cursor), cursor.rowcount)
