"""What keeps days right: what landed, what was held, what was sent when, and backfills."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    # Defaults are plain text: for an expression Alembic makes the table anew on SQLite, and drops
    # the old one, which fails while rows of others point to it.
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("cleared_at", sa.Float(), nullable=True),
        sa.Column("told_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_notice_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("subject", "kind", "key", name=op.f("uq_notice_subject")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_user_id"), ["user_id"], unique=False)

    op.create_table(
        "backfill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.String(), nullable=False),
        sa.Column("last_day", sa.String(), nullable=False),
        sa.Column("next_day", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feed.id"], name=op.f("fk_backfill_feed_id_feed"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill")),
    )
    with op.batch_alter_table("backfill", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_backfill_feed_id"), ["feed_id"], unique=False)
        batch_op.create_index("ix_backfill_state_due_at", ["state", "due_at"], unique=False)

    op.create_table(
        "sending",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datapoint_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("sent_at", sa.Float(), nullable=False),
        sa.Column("answered_at", sa.Float(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["datapoint_id"],
            ["datapoint.id"],
            name=op.f("fk_sending_datapoint_id_datapoint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending")),
    )
    with op.batch_alter_table("sending", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sending_datapoint_id"), ["datapoint_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sending_sent_at"), ["sent_at"], unique=False)

    with op.batch_alter_table("datapoint", schema=None) as batch_op:
        batch_op.add_column(sa.Column("landed_value", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("sent_value", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("approved_hash", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("dropped_hash", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("frozen", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("held_at", sa.Float(), nullable=True))

    with op.batch_alter_table("day", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unit", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("epoch", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("pinned", sa.Boolean(), nullable=False, server_default="0"))

    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reconciled_at", sa.Float(), nullable=True))

    with op.batch_alter_table("goal", schema=None) as batch_op:
        batch_op.add_column(sa.Column("curval", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("safebuf", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("archived", sa.Boolean(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("datasource_want", sa.String(), nullable=True))
        batch_op.add_column(
            sa.Column("datasource_due_at", sa.Float(), nullable=False, server_default="0")
        )
        batch_op.add_column(sa.Column("datasource_error", sa.String(), nullable=True))

    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("declared_username", sa.String(), nullable=True))

    # What an earlier version called landed is what it last knew to be there.
    op.execute(
        "UPDATE datapoint SET landed_value = value, sent_value = value WHERE state = 'landed'"
    )
    op.execute('UPDATE "user" SET declared_username = username')
