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


def held_index(name: str) -> Index:
    """An index of the rows that somebody holds.

    It leaves out those that are free: to look for these nobody should go through all of them.
    """
    held = text("lease_owner IS NOT NULL")
    return Index(name, "lease_owner", sqlite_where=held, postgresql_where=held)
