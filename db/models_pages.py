"""The tables of what people do on pages and are told: errands, channels, messages, alerts, deeds.

Like `db.models`: instants are UTC seconds, and no annotation is postponed.
"""

from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from db import states
from db.metadata import held_index, json_column, maybe_json_column

_WAITING = text(f"state = '{states.ErrandState.WAITING}'")


class Errand(SQLModel, table=True):
    """Something that a page asked for and that needs a vendor; a worker does it, pages look in.

    `user_id` is whose things it is about, `source_id` whose account is asked, if any. `params`
    hold no secret; `key` tells one question from another. `answer` is what the page shows, None
    until it is done; `error` says what went wrong and what to do. At `ends_at` it is given up.
    """

    __tablename__ = "errand"
    __table_args__ = (
        Index("ix_errand_state_due_at", "state", "due_at"),
        Index("ix_errand_user_id_key", "user_id", "key"),
        held_index("ix_errand_lease_owner"),
        # Whoever loads a page twice asks once.
        Index(
            "uq_errand_waiting", "user_id", "key", unique=True,
            sqlite_where=_WAITING, postgresql_where=_WAITING,
        ),
    )  # fmt: skip

    id: str = Field(primary_key=True)
    kind: str
    key: str
    user_id: int = Field(foreign_key="user.id", ondelete="CASCADE")
    source_id: int | None = Field(default=None, foreign_key="source.id", ondelete="CASCADE")
    goal_id: int | None = Field(default=None, foreign_key="goal.id", ondelete="CASCADE")
    params: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    state: str = states.ErrandState.WAITING
    attempts: int = 0
    deferrals: int = 0
    due_at: float = 0.0
    lease_owner: str | None = None
    lease_until: float = 0.0
    epoch: int = 0
    answer: dict[str, Any] | None = Field(default=None, sa_column=maybe_json_column())
    error: str | None = None
    asked_at: float = 0.0
    ends_at: float = 0.0
    ended_at: float | None = None


class Channel(SQLModel, table=True):
    """Where a person is told what they should know: an Apprise address, which is a secret.

    `name` is the kind of service ("email", "telegram"), all that pages show of the address.
    """

    __tablename__ = "channel"
    __table_args__ = (UniqueConstraint("user_id", "url_hash"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=True, ondelete="CASCADE")
    name: str
    url_cipher: str
    url_hash: str
    state: str = states.ChannelState.ACTIVE
    last_error: str | None = None
    told_at: float | None = None
    created_at: float = 0.0


class Message(SQLModel, table=True):
    """One message to one audience, sent once: `key` tells one from another.

    `audience` is `channel:<id>`, or `operator:<hash>` for an address of the settings. `topic` is
    what it is about (a kind of notice, or `test`), `title` whose it is, in people's words: messages
    of one topic are told together. `doubts` counts tries after which nobody knows whether it
    arrived.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("audience", "key"),
        Index("ix_message_state_due_at", "state", "due_at"),
        held_index("ix_message_lease_owner"),
    )

    id: int | None = Field(default=None, primary_key=True)
    audience: str
    channel_id: int | None = Field(
        default=None, foreign_key="channel.id", index=True, ondelete="CASCADE"
    )
    key: str
    topic: str
    title: str
    body: str
    state: str = states.MessageState.PENDING
    attempts: int = 0
    doubts: int = 0
    due_at: float = 0.0
    lease_owner: str | None = None
    lease_until: float = 0.0
    epoch: int = 0
    error: str | None = None
    created_at: float = 0.0
    ended_at: float | None = None


class Alert(SQLModel, table=True):
    """Something about this Waggle that its operator should know, said once.

    Like a notice, which is a person's: `key` says what it is about, and it is cleared when the
    cause is gone. `told_at`: see `db.notices`.
    """

    __tablename__ = "alert"

    key: str = Field(primary_key=True)
    message: str
    created_at: float = 0.0
    cleared_at: float | None = None
    told_at: float | None = None


class Deed(SQLModel, table=True):
    """What somebody did on a page: who, what, to what. Never changed, and holds no secret.

    `actor` is a Beeminder username, `operator` for who signed in by a link and is nobody there, or
    `command line`.
    `user_id` is whose things it was done to.
    """

    __tablename__ = "deed"
    __table_args__ = (
        Index("ix_deed_user_id_at", "user_id", "at"),
        Index("ix_deed_at", "at"),
        Index("ix_deed_actor_id", "actor", "id"),
        Index("ix_deed_action_id", "action", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    at: float
    actor: str
    as_operator: bool = False
    user_id: int | None = None
    action: str
    subject: str
    details: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    request_id: str | None = None
