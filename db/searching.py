"""Finding rows by what somebody typed: nothing of it is a pattern, whatever it looks like."""

from typing import Any

from sqlalchemy import SQLColumnExpression
from sqlalchemy.sql.elements import ColumnElement

ESCAPE = "\\"


def literal(text: str) -> str:
    """The text as a pattern of LIKE that matches it and nothing else; for `escape=ESCAPE`."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def contains(column: SQLColumnExpression[Any], text: str) -> ColumnElement[bool]:
    """Whether the text stands anywhere in the column, in any case of letters."""
    return column.ilike(f"%{literal(text)}%", escape=ESCAPE)
