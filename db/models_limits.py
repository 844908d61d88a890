"""The tables that guard the ways out: quotas and breakers.

Like `db.models`: instants are UTC seconds, and no annotation is postponed.
"""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from db.metadata import index_where, json_column


class Quota(SQLModel, table=True):
    """The gate of one vendor quota: what may leave when, over all workers and machines.

    `next_free_at` is the theoretical arrival time of the next request (GCRA), `tolerance` how many
    seconds before it one may leave. Nothing leaves before `closed_until`. A gate whose
    `proven_at` is older than that is half open: one request at a time, until one was answered;
    `probe_until` is how long others wait for it. `passed` requests have left, and `trail` says how
    many had by when (`db.trail`); from these and the closing that follows, a pace is learned: one
    request per `learned_interval` seconds (0.0: nothing learned), in a window of `learned_window`
    seconds. Until `spread_until` what is left of a window is spread: one per `spread_interval`.
    The last `urgent_in_a_row` slots of a slow gate went to urgent work (`db.quotas.IN_A_ROW`).
    `vendor` and `title` are for people, `endpoint` says of which calls, "" for all of an account.
    """

    __tablename__ = "quota"
    __table_args__ = (
        Index("ix_quota_next_free_at", "next_free_at"),
        index_where("ix_quota_closed_until", "closed_until", where="closed_until > 0"),
        index_where("ix_quota_unproven", "closed_until", where="closed_until > proven_at"),
    )

    key: str = Field(primary_key=True)
    vendor: str = ""
    title: str = ""
    endpoint: str = ""
    next_free_at: float = 0.0
    tolerance: float = 0.0
    closed_at: float = 0.0
    closed_until: float = 0.0
    proven_at: float = 0.0
    probe_until: float = 0.0
    passed: int = 0
    trail: list[tuple[float, int]] = Field(default_factory=list, sa_column=json_column())
    urgent_in_a_row: int = 0
    spread_interval: float = 0.0
    spread_until: float = 0.0
    learned_interval: float = 0.0
    learned_window: float = 0.0
    learned_at: float = 0.0
    seen_limit: str | None = None


class Breaker(SQLModel, table=True):
    """The health of a source (`source:<id>`) or of a person's link (`user:<id>`) in trouble.

    `good` and `bad` are decaying counts of outcomes as of `counted_at`, `failed_for` decaying
    seconds in which it failed. While it is open (`opened_at`) only a probe is let through, not
    before `probe_at`. No row: all is well.
    """

    __tablename__ = "breaker"

    subject: str = Field(primary_key=True)
    good: float = 0.0
    bad: float = 0.0
    failed_for: float = 0.0
    counted_at: float = 0.0
    troubled_since: float | None = None
    opened_at: float | None = None
    reason: str | None = None
    probe_at: float = 0.0
    probed_at: float = 0.0
    probes: int = 0
