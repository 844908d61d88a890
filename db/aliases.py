"""A table under another name, for statements that name it twice, safe to share between threads."""

from typing import TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel

Table = TypeVar("Table", bound=SQLModel)


def alias(table: type[Table]) -> type[Table]:
    """`sqlalchemy.orm.aliased(table)` with all its columns.

    They are made when they are first used otherwise, and that is not safe: of two threads which
    use them first at once one may get the column of the table itself, and the alias keeps it for
    the life of the process.
    """
    made = aliased(table)
    for column in inspect(table).column_attrs:
        _ = getattr(made, column.key).expression
    return made
