"""The table of runs that are followed while they run.

Like `db.models`: instants are UTC seconds, and no annotation is postponed.
"""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from db import states
from db.metadata import held_index, json_column


class Run(SQLModel, table=True):
    """A run of a connector (or, where that is None, of a pipeline) that is followed to its end.

    What is shown here is a view that streams and reads keep up to date; what is counted is read
    from the source. `state` is one of `db.states.RunState`, `progress` 0 to 1 or None, `rows` what
    was extracted so far, `counters` more of the kind (`steps_done`, `steps_total`, `step`).
    `seen_at` is when the source said anything of it last, `stream` what its socket does
    (`db.states.Stream`), and `stream_error` why it does nothing. A run that was added `by_hand` may
    wake no feed. It is over when `finished_at` is set. The lease is the follower's, fenced by
    `epoch`; nobody looks at it again before `due_at`.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("source_id", "run_id"),
        Index("ix_run_finished_at_due_at", "finished_at", "due_at"),
        held_index("ix_run_lease_owner"),
    )

    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id", ondelete="CASCADE")
    project: str | None = None
    connector: str | None = None
    pipeline: str | None = None
    run_id: str
    by_hand: bool = False
    attempt: int = 1
    state: str = states.RunState.RUNNING
    counters: dict[str, Any] = Field(default_factory=dict, sa_column=json_column())
    rows: float | None = None
    progress: float | None = None
    stream: str = states.Stream.NONE
    stream_error: str | None = None
    reconnects: int = 0
    error: str | None = None
    lease_owner: str | None = None
    lease_until: float = 0.0
    epoch: int = 0
    due_at: float = 0.0
    found_at: float = 0.0
    seen_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
