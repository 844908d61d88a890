"""What tables share: one set of names for constraints, columns of JSON, an index of leases."""

from typing import Any

from sqlalchemy import JSON, Column, Index, MetaData, text
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA: MetaData = SQLModel.metadata


def json_column() -> Any:  # noqa: ANN401 -- a Column typed for SQLModel's sa_column
    """A column that always holds JSON."""
    return Column(JSON, nullable=False)


def maybe_json_column() -> Any:  # noqa: ANN401 -- a Column typed for SQLModel's sa_column
    """A column that may hold none."""
    return Column(JSON, nullable=True)


def filled_index(name: str, column: str) -> Index:
    """An index of the rows that have something in this column, where few do or none is sought."""
    return index_where(name, column, where=f"{column} IS NOT NULL")


def held_index(name: str) -> Index:
    """An index of the rows that somebody holds.

    It leaves out those that are free: to look for these nobody should go through all of them.
    """
    return filled_index(name, "lease_owner")


def index_where(name: str, *columns: str, where: str, sqlite: str | None = None) -> Index:
    """An index of the few rows of which this is true.

    `sqlite`: the same as SQLite is asked, which sees that a question is about these rows only where
    it says so in the words of the index.
    """
    return Index(name, *columns, sqlite_where=text(sqlite or where), postgresql_where=text(where))
