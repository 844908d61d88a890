"""What all tables share: one set of names for constraints, and columns of JSON."""

from typing import Any

from sqlalchemy import JSON, Column, MetaData
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
