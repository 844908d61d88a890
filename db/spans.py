"""What is past, and what is to come, in words that find an index.

A server that plans for whatever instant may be given (`db.planning`) takes one open end for a third
of all rows, and goes through the table. Of a span with two ends it expects few.
"""

from typing import Any

from sqlalchemy import and_
from sqlalchemy.sql.elements import ColumnElement

BEGINNING, END = 0.0, 1e15  # UTC seconds: nothing is before or after these


def past(column: Any, instant: Any) -> ColumnElement[bool]:  # noqa: ANN401 -- a column, and a time or a place for one
    """Has it come by then?"""
    return and_(column >= BEGINNING, column <= instant)


def ahead(column: Any, instant: Any) -> ColumnElement[bool]:  # noqa: ANN401 -- as `past`
    """Is it later than that?"""
    return and_(column > instant, column < END)
