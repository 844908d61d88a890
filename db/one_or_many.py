"""Statements that are made once, and then asked about one row or about many.

To make a statement costs more than to ask with it, and SQLAlchemy writes a list of values out anew
each time, for as many as there are. A callback mostly comes alone and asks about one row: that is a
plain comparison, which is written out once.
"""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, literal
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session

from db.once import Once

Among = Callable[[Any], ColumnElement[bool]]


class OneOrMany:
    """A statement about some rows. `make` gets the condition that a column is among what is given.

    What else it needs are `bindparam`s, given when it is asked.
    """

    def __init__(self, make: Callable[[Among], Executable]) -> None:
        self._one = Once(make(lambda column: among(column, "these", one=True)))
        self._many = Once(make(lambda column: among(column, "these", one=False)))

    def ask(self, by: Session | Connection, these: Collection[Any], **given: object) -> Any:  # noqa: ANN401 -- as `Once.ask`
        """Ask it about these."""
        one = len(these) == 1
        asked = self._one if one else self._many
        return asked.ask(by, given | {"these": few(these, one=one)})


def among(column: Any, name: str, *, one: bool) -> ColumnElement[bool]:  # noqa: ANN401 -- a column, as `col` types it
    """Is it what is given under this name, or (of many) among that?"""
    found: ColumnElement[bool] = (
        column == bindparam(name) if one else column.in_(bindparam(name, expanding=True))
    )
    return found


def few(these: Collection[Any], *, one: bool) -> Any:  # noqa: ANN401 -- one of them, or all
    """What to give to `among`; nothing equals None, which stands for no value."""
    return next(iter(these), None) if one else list(these)


def fixed(column: Any, values: Collection[str]) -> ColumnElement[bool]:  # noqa: ANN401 -- a column, as `col` types it
    """Is it one of these, which never change? Written out once, unlike `column.in_(values)`."""
    found: ColumnElement[bool] = column.in_([literal(value, column.type) for value in values])
    return found
