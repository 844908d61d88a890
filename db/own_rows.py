"""Rows of tables that belong to whoever reads them: no session knows of them.

To load a row into a session takes several times as long as to read it, and each sync reads four.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import SQLModel


class OwnRows:
    """How some tables are read together, in one row of a question."""

    def __init__(self, *tables: type[SQLModel]) -> None:
        self._tables = [(table, [column.key for column in _columns(table)]) for table in tables]
        self.columns: list[ColumnElement[Any]] = [
            column for table in tables for column in _columns(table)
        ]

    def made(self, row: Sequence[Any]) -> Iterator[Any]:
        """A row of each table, from a row that begins with these `columns`; then what follows."""
        at = 0
        for table, names in self._tables:
            new: SQLModel = table.__mapper__.class_manager.new_instance()  # type: ignore[attr-defined] # set by SQLAlchemy
            new.__dict__.update(zip(names, row[at : at + len(names)], strict=True))
            at += len(names)
            yield new
        yield from row[at:]


def _columns(table: type[SQLModel]) -> Sequence[Any]:
    columns: Sequence[Any] = table.__mapper__.columns.values()  # type: ignore[attr-defined] # set by SQLAlchemy
    return columns
