"""Tables of what the sources said of each day, and of what was made of it and sent.

Instants are UTC seconds, as in `db.models`, and for its reason the annotations stand as they are.
"""

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from db import states
from db.metadata import index_where


class Day(SQLModel, table=True):
    """What the source said of one Beeminder day, with the bounds the day had then.

    `epoch` is the claim that read it last. A `pinned` day is left as it is, also today.
    """

    __tablename__ = "day"
    __table_args__ = (
        index_where("ix_day_pinned", "feed_id", "daystamp", where="pinned", sqlite="pinned = 1"),
    )

    feed_id: int = Field(foreign_key="feed.id", primary_key=True, ondelete="CASCADE")
    daystamp: str = Field(primary_key=True)
    starts_at: float
    ends_at: float
    value: float | None = None
    note: str | None = None
    unit: str | None = None
    epoch: int | None = None
    pinned: bool = False
    seen_at: float | None = None


class Datapoint(SQLModel, table=True):
    """The outbox and the memory of what we wrote: one row per fact, for ever.

    `value` is what should be at Beeminder, `landed_value` what we know to be there, `sent_value`
    what was sent last, whatever became of it. A `frozen` row ("edited", "deleted") is a person's
    now. `approved_hash` and `dropped_hash` are contents that a person let pass, or did not.
    `sent_at` None on a landed row: it was found at Beeminder, not sent by this ledger.
    """

    __tablename__ = "datapoint"
    __table_args__ = (
        UniqueConstraint("goal_id", "requestid"),
        Index("ix_datapoint_feed_id_state", "feed_id", "state"),
        Index("ix_datapoint_state_due_at", "state", "due_at"),
        Index("ix_datapoint_feed_id_daystamp", "feed_id", "daystamp", "id"),
        index_where("ix_datapoint_frozen", "feed_id", "daystamp", where="frozen IS NOT NULL"),
    )

    id: int | None = Field(default=None, primary_key=True)
    goal_id: int = Field(foreign_key="goal.id")
    feed_id: int = Field(foreign_key="feed.id")
    requestid: str
    daystamp: str | None = None
    timestamp: int | None = None
    value: float
    comment: str = ""
    content_hash: str
    landed_hash: str | None = None
    landed_value: float | None = None
    sent_value: float | None = None
    approved_hash: str | None = None
    dropped_hash: str | None = None
    frozen: str | None = None
    held_at: float | None = None
    state: str = states.DatapointState.PENDING
    beeminder_id: str | None = None
    attempts: int = 0
    due_at: float = 0.0
    error: str | None = None
    created_at: float = 0.0
    sent_at: float | None = None
    landed_at: float | None = None


class Sending(SQLModel, table=True):
    """One try to write a datapoint, and what became of it: the receipt of a day is made of these.

    `epoch` is the claim that sent it; `status` is `created`, `updated` or `duplicate` as Beeminder
    said, `refused`, or None while no answer is known.
    """

    __tablename__ = "sending"

    id: int | None = Field(default=None, primary_key=True)
    datapoint_id: int = Field(foreign_key="datapoint.id", index=True, ondelete="CASCADE")
    epoch: int
    value: float
    comment: str = ""
    sent_at: float = Field(index=True)
    answered_at: float | None = None
    status: str | None = None
    request_id: str | None = None
    error: str | None = None
