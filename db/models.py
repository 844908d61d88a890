"""The tables of the ledger, the same on SQLite and PostgreSQL.

Instants are UTC seconds since 1970 as floats (`*_at`, `*_until`), so that a lease is an addition
and both databases compare them alike. `None` means "never"; a lease of 0.0 means "free".
Secrets stand only in `*_cipher` columns (see `db.vault`) and as keyed hashes in `*_hash` columns.
What was read and sent stands in `db.models_points`, what guards the ways out (quotas, breakers,
validators) in `db.models_limits`.
No `from __future__ import annotations` here: SQLModel reads the annotations at import.
"""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from db import states
from db.metadata import (
    filled_index,
    held_index,
    index_where,
    json_column,
    maybe_json_column,
)

UNTOLD = "(cleared_at IS NULL) = (told_at IS NULL)"
RUNS = "state IN ('active', 'failing')"
SUSPECT = {"where": "suspect IS true", "sqlite": "suspect IS 1"}


class User(SQLModel, table=True):
    """A person at Beeminder who lets us write to their goals."""

    __tablename__ = "user"

    id: int | None = Field(default=None, primary_key=True)
    beeminder_id: str | None = Field(default=None, unique=True)
    username: str = Field(unique=True)
    declared_username: str | None = None
    timezone: str | None = None
    token_cipher: str | None = None
    token_kind: str = "personal"  # noqa: S105 -- a kind, not a token
    token_hash: str | None = Field(default=None, index=True)
    token_version: int = 0
    hook_cipher: str | None = None
    hook_hash: str | None = Field(default=None, unique=True)
    state: str = states.UserState.ACTIVE
    facts_at: float | None = None
    beeminder_updated_at: int | None = None
    created_at: float = 0.0


class Source(SQLModel, table=True):
    """An account at a system where things happen, owned by one user.

    `quota_key` names what its vendor counts by; `turn_at` is when its feeds had a turn last, among
    all that share the quota: while that was crowded, or many at once. `access_issued_at` is when
    session tokens were asked for, `renew_at` when they are renewed, `renew_tries` how often that
    was begun and has not ended (`db.tries`), `key_ends_at` when a key that a person made ends.
    `runs_due_at` is when runs that are to be followed are looked for next (`db.runs`).
    `public_only`: somebody who is no operator typed its address, so only public ones are called for
    it.
    """

    __tablename__ = "source"
    __table_args__ = (
        UniqueConstraint("user_id", "name"),
        index_where("ix_source_renew_tries", "renew_tries", where="renew_tries > 0"),
    )

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=True)
    name: str
    provider: str
    settings: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    credentials_cipher: str | None = None
    session_cipher: str | None = None
    access_issued_at: float | None = None
    access_expires_at: float | None = None
    token_version: int = 0
    refresh_owner: str | None = None
    refresh_until: float = 0.0
    used_at: float | None = None
    renew_at: float | None = None
    renew_tries: int = 0
    key_ends_at: float | None = None
    runs_due_at: float = 0.0
    quota_key: str | None = Field(default=None, index=True)
    turn_at: float = 0.0
    public_only: bool = False
    state: str = states.SourceState.ACTIVE
    last_error: str | None = None
    created_at: float = 0.0


class Goal(SQLModel, table=True):
    """A goal at Beeminder and the facts about it that decide how we write to it.

    `datasource_before` is what fed the goal before we were made its data source ("" for a person's
    hands), None while we are not. `datasource_want` is what is to be set there, None when nothing
    is; `datasource_tries` counts tries of that that were begun and have not ended (`db.tries`).
    """

    __tablename__ = "goal"
    __table_args__ = (
        UniqueConstraint("user_id", "slug"),
        UniqueConstraint("user_id", "beeminder_id", name="uq_goal_user_id_beeminder_id"),
        index_where(
            "ix_goal_datasource_due_at", "datasource_due_at", where="datasource_want IS NOT NULL"
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=True)
    beeminder_id: str | None = None
    slug: str
    declared_slug: str
    deadline: int = 0
    yaw: int | None = None
    dir: int | None = None
    kyoom: bool | None = None
    aggday: str | None = None
    odom: bool | None = None
    gunits: str | None = None
    curval: float | None = None
    autodata: str | None = None
    losedate: int | None = None
    safebuf: int | None = None
    frozen: bool = False
    won: bool = False
    lost: bool = False
    archived: bool = False
    datasource_before: str | None = None
    datasource_want: str | None = None
    datasource_due_at: float = 0.0
    datasource_tries: int = 0
    datasource_error: str | None = None
    beeminder_updated_at: int | None = None
    facts_at: float | None = None
    created_at: float = 0.0


class Feed(SQLModel, table=True):
    """One metric of one source on one goal: the unit of work, of leases and of fencing.

    `asked` grows by one with every callback that wants this feed. A claim remembers it; when it
    has grown since, the sync that finishes leaves the feed due at once instead of scheduled.
    `work` is what it was leased for last. `deaths` counts claims in a row whose worker died or hung
    while this feed ran alone (-1: it died in a crowd); a `suspect` one was at work when its worker
    died, and runs alone until all that it died of (`suspect_of`, see `db.suspicion`) was done once.
    `deferred_since` is when the first of its `deferrals` came; the last of its `attempts` met
    `garbled` answers of the wrong shape. A `restored` one came out of a backup: what is at
    Beeminder may be newer than what the ledger says, so nothing is written before it was looked at.
    """

    __tablename__ = "feed"
    __table_args__ = (
        UniqueConstraint("goal_id", "label"),
        Index("ix_feed_claim", "lane", "due_at"),
        Index("ix_feed_source_id_due_at", "source_id", "due_at"),
        held_index("ix_feed_lease_owner"),
        Index("ix_feed_last_synced_at_state", "last_synced_at", "state"),
        index_where("ix_feed_reconciled_at", "reconciled_at", "created_at", where=RUNS),
        index_where("ix_feed_suspect", "suspect", "due_at", **SUSPECT),
        index_where("ix_feed_set_aside", "reason", where="reason = 'set_aside'"),
    )

    id: int | None = Field(default=None, primary_key=True)
    goal_id: int = Field(foreign_key="goal.id", index=True)
    source_id: int = Field(foreign_key="source.id")
    label: str = ""
    metric: str
    params: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    options: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    digest: str | None = None
    since: str | None = None
    every: float = 3600.0
    state: str = states.FeedState.ACTIVE
    reason: str | None = None
    lane: int = states.Lane.DEFAULT
    asked: int = 0
    due_at: float = 0.0
    lease_owner: str | None = None
    lease_until: float = 0.0
    epoch: int = 0
    doubtful: bool = False
    restored: bool = False
    work: str = ""
    deaths: int = 0
    suspect: bool = False
    suspect_of: str = ""
    attempts: int = 0
    deferrals: int = 0
    garbled: int = 0
    deferred_since: float | None = None
    failing_since: float | None = None
    cursor: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    reconciled_at: float | None = None
    last_synced_at: float | None = None
    last_error: str | None = None
    created_at: float = 0.0


class Event(SQLModel, table=True):
    """The inbox: a callback, stored before it was answered. Its payload holds no secret.

    `due_at`: not before then by itself, or, of one that waits for feeds, not before a limit ends.
    `deaths` and `suspect` are those of an event that no feed answers, as a feed has them.
    `request_id` is that of the request that brought it. Ids sort by time, so lists go by them.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_state_due_at", "state", "due_at"),
        Index("ix_event_state_id", "state", "id"),
        Index("ix_event_kind_id", "kind", "id"),
        Index("ix_event_user_id_id", "user_id", "id"),
        Index("ix_event_received_at", "received_at"),
        filled_index("ix_event_request_id", "request_id"),
        filled_index("ix_event_replay_of", "replay_of"),
        Index("ix_event_goal_id_id", "goal_id", "id"),
        held_index("ix_event_lease_owner"),
        index_where("ix_event_deferred", "received_at", where="deferrals > 0"),
    )

    id: str = Field(primary_key=True)
    kind: str
    user_id: int | None = None
    goal_id: int | None = None
    payload: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    state: str = states.EventState.RECEIVED
    attempts: int = 0
    deferrals: int = 0
    garbled: int = 0
    deaths: int = 0
    suspect: bool = False
    due_at: float = 0.0
    lease_owner: str | None = None
    lease_until: float = 0.0
    epoch: int = 0
    datapoints: int = 0
    error: dict[str, Any] | None = Field(default=None, sa_column=maybe_json_column())
    replay_of: str | None = None
    request_id: str | None = None
    received_at: float = 0.0
    finished_at: float | None = None


class Cover(SQLModel, table=True):
    """Which claim of which feed answers an event: `epoch` is stamped by the claim itself.

    An event of a goal with several feeds has one cover per feed and is done when all are.
    """

    __tablename__ = "cover"
    __table_args__ = (Index("ix_cover_feed_id_done", "feed_id", "done"),)

    event_id: str = Field(foreign_key="event.id", primary_key=True, ondelete="CASCADE")
    feed_id: int = Field(foreign_key="feed.id", primary_key=True, ondelete="CASCADE")
    epoch: int | None = None
    attempts: int = 0
    deferrals: int = 0
    written: int = 0
    done: bool = False


class Backfill(SQLModel, table=True):
    """Days of a feed that a person wants read again, worked off in chunks from `next_day` on.

    `attempts`, `deferrals`, `garbled` and `stuck_since` are of the chunk that is next.
    """

    __tablename__ = "backfill"
    __table_args__ = (Index("ix_backfill_state_due_at", "state", "due_at"),)

    id: int | None = Field(default=None, primary_key=True)
    feed_id: int = Field(foreign_key="feed.id", index=True, ondelete="CASCADE")
    first_day: str
    last_day: str
    next_day: str
    state: str = states.BackfillState.WORKING
    written: int = 0
    held: int = 0
    attempts: int = 0
    deferrals: int = 0
    garbled: int = 0
    stuck_since: float | None = None
    due_at: float = 0.0
    error: str | None = None
    asked_at: float = 0.0
    finished_at: float | None = None


class Notice(SQLModel, table=True):
    """Something that a person should know or do, said once: `key` tells one cause from another.

    `subject` is `feed:<id>`, `goal:<id>`, `source:<id>` or `user:<id>`. Cleared when the cause is
    gone. `told_at`: when messages were made of it, None once more when they were made of its end.
    """

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("subject", "kind", "key"),
        # Those of which a beginning or an end is still to be told.
        index_where("ix_notice_untold", "created_at", where=UNTOLD),
        index_where("ix_notice_open", "user_id", where="cleared_at IS NULL"),
        index_where("ix_notice_open_kind", "kind", where="cleared_at IS NULL"),
    )

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=True, ondelete="CASCADE")
    subject: str
    kind: str
    key: str = ""
    message: str
    created_at: float = 0.0
    cleared_at: float | None = None
    told_at: float | None = None


class Worker(SQLModel, table=True):
    """A worker process that says every few seconds that it lives and how many slots are free."""

    __tablename__ = "worker"

    name: str = Field(primary_key=True)
    queues: str
    slots: int
    busy: int = 0
    version: str | None = None
    started_at: float
    seen_at: float


class LoginLink(SQLModel, table=True):
    """A one-time link of `waggle login`; only the keyed hash of its secret is stored."""

    __tablename__ = "login_link"

    secret_hash: str = Field(primary_key=True)
    username: str
    expires_at: float
    used_at: float | None = None
