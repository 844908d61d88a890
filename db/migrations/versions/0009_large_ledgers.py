"""Indexes of the few rows that somebody looks for again and again, among all that there are."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# All but the first have few rows, or none: they are made in the time that it takes to read a table.
OF_SOME = (
    (
        "ix_feed_reconciled_at", "feed", ["reconciled_at", "created_at"],
        "state IN ('active', 'failing')",
    ),
    ("ix_feed_suspect", "feed", ["suspect", "due_at"], "suspect IS true"),
    ("ix_feed_set_aside", "feed", ["reason"], "reason = 'set_aside'"),
    ("ix_goal_datasource_due_at", "goal", ["datasource_due_at"], "datasource_want IS NOT NULL"),
    ("ix_source_renew_tries", "source", ["renew_tries"], "renew_tries > 0"),
    ("ix_event_deferred", "event", ["received_at"], "deferrals > 0"),
    ("ix_notice_open_kind", "notice", ["kind"], "cleared_at IS NULL"),
    ("ix_quota_closed_until", "quota", ["closed_until"], "closed_until > 0"),
    ("ix_quota_unproven", "quota", ["closed_until"], "closed_until > proven_at"),
)  # fmt: skip


def upgrade() -> None:
    """Change the tables."""
    for name, table, columns, where in OF_SOME:
        op.create_index(
            name,
            table,
            columns,
            unique=False,
            sqlite_where=sa.text(where.replace("IS true", "IS 1")),
            postgresql_where=sa.text(where),
        )
    op.create_index("ix_quota_next_free_at", "quota", ["next_free_at"], unique=False)
