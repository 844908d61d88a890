"""The tables of what sources showed: what unchanged answers came to, and records that were seen.

Like `db.models`: instants are UTC seconds, and no annotation is postponed.
"""

from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from db.metadata import json_column


class Validator(SQLModel, table=True):
    """ETag or Last-Modified of a URL, kept with the value derived from that answer."""

    __tablename__ = "validator"

    source_id: int = Field(foreign_key="source.id", primary_key=True, ondelete="CASCADE")
    url: str = Field(primary_key=True)
    etag: str | None = None
    last_modified: str | None = None
    derived: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    seen_at: float = 0.0


class Sighted(SQLModel, table=True):
    """A record of a source, and an instant of it that counts.

    `mark` tells apart what may count more than once: the instant itself, or 0.0 for a record that
    counts once, whatever the source says of it later.
    """

    __tablename__ = "sighted"
    __table_args__ = (Index("ix_sighted_source_id_kind_at", "source_id", "kind", "at"),)

    source_id: int = Field(foreign_key="source.id", primary_key=True, ondelete="CASCADE")
    kind: str = Field(primary_key=True)
    record: str = Field(primary_key=True)
    mark: float = Field(primary_key=True)
    at: float
