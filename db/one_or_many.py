"""Statements that are made once, and then asked about one row or about many.

To make a statement costs more than to ask with it, and SQLAlchemy writes a list of values out anew
each time, for as many as there are. A callback mostly comes alone and asks about one row: that is a
plain comparison, which is written out once. PostgreSQL takes many as one value, an array; for
SQLite they are written out.
"""

from collections.abc import Callable, Collection
from enum import Enum, auto
from functools import partial
from typing import Any

from sqlalchemy import ARRAY, Connection, Executable, any_, bindparam, literal
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session

from db.once import Once

Among = Callable[[Any], ColumnElement[bool]]


class How(Enum):
    """In which form values are given."""

    ONE = auto()
    ARRAY = auto()
    LIST = auto()


class OneOrMany:
    """A statement about some rows. `make` gets the condition that a column is among what is given.

    What else it needs are `bindparam`s, given when it is asked.
    """

    def __init__(self, make: Callable[[Among], Executable]) -> None:
        self._asked = {how: Once(make(partial(_these, how=how))) for how in How}

    def ask(self, by: Session | Connection, these: Collection[Any], **given: object) -> Any:  # noqa: ANN401 -- as `Once.ask`
        """Ask it about these."""
        how = form(by, len(these))
        return self._asked[how].ask(by, given | {"these": few(these, how)})


def _these(column: Any, how: How) -> ColumnElement[bool]:  # noqa: ANN401 -- a column, as `col` types it
    return among(column, "these", how)


def form(by: Session | Connection, count: int) -> How:
    """How so many values go to this database."""
    if count == 1:
        return How.ONE
    engine = by.engine if isinstance(by, Connection) else by.get_bind()
    return How.ARRAY if engine.dialect.name == "postgresql" else How.LIST


def among(column: Any, name: str, how: How) -> ColumnElement[bool]:  # noqa: ANN401 -- a column, as `col` types it
    """Is it what is given under this name, or (of many) among that?"""
    found: ColumnElement[bool]
    if how is How.ONE:
        found = column == bindparam(name)
    elif how is How.ARRAY:
        # `==` would write the array first where the column is a function's value: no such SQL.
        found = column.op("=", is_comparison=True)(any_(bindparam(name, type_=ARRAY(column.type))))
    else:
        found = column.in_(bindparam(name, expanding=True))
    return found


def few(these: Collection[Any], how: How) -> Any:  # noqa: ANN401 -- one of them, or all
    """What to give to `among`; nothing equals None, which stands for no value."""
    return next(iter(these), None) if how is How.ONE else list(these)


def fixed(column: Any, values: Collection[str]) -> ColumnElement[bool]:  # noqa: ANN401 -- a column, as `col` types it
    """Is it one of these, which never change? Written out once, unlike `column.in_(values)`."""
    found: ColumnElement[bool] = column.in_([literal(value, column.type) for value in values])
    return found
