"""What pages need: errands for workers, channels and messages, and what was done by whom."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    # Not in a batch: feeds point at the table, which would be made anew.
    op.add_column(
        "source", sa.Column("public_only", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "deed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("as_operator", sa.Boolean(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deed")),
    )
    op.create_index("ix_deed_at", "deed", ["at"], unique=False)
    op.create_index("ix_deed_user_id_at", "deed", ["user_id", "at"], unique=False)
    op.create_index("ix_deed_actor_id", "deed", ["actor", "id"], unique=False)
    op.create_index("ix_deed_action_id", "deed", ["action", "id"], unique=False)
    op.create_table(
        "channel",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url_cipher", sa.String(), nullable=False),
        sa.Column("url_hash", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("told_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_channel_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("user_id", "url_hash", name=op.f("uq_channel_user_id")),
    )
    op.create_index(op.f("ix_channel_user_id"), "channel", ["user_id"], unique=False)
    op.create_table(
        "errand",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column("goal_id", sa.Integer(), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("deferrals", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["goal.id"], name=op.f("fk_errand_goal_id_goal"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["source.id"],
            name=op.f("fk_errand_source_id_source"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_errand_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errand")),
    )
    op.create_index(
        "ix_errand_lease_owner",
        "errand",
        ["lease_owner"],
        unique=False,
        sqlite_where=sa.text("lease_owner IS NOT NULL"),
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index("ix_errand_state_due_at", "errand", ["state", "due_at"], unique=False)
    op.create_index("ix_errand_user_id_key", "errand", ["user_id", "key"], unique=False)
    op.create_index(
        "uq_errand_waiting",
        "errand",
        ["user_id", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("doubts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
            name=op.f("fk_message_channel_id_channel"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("audience", "key", name=op.f("uq_message_audience")),
    )
    op.create_index(
        "ix_message_lease_owner",
        "message",
        ["lease_owner"],
        unique=False,
        sqlite_where=sa.text("lease_owner IS NOT NULL"),
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index("ix_message_state_due_at", "message", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix_message_channel_id"), "message", ["channel_id"], unique=False)
    op.create_table(
        "alert",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("cleared_at", sa.Float(), nullable=True),
        sa.Column("told_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert")),
    )
    # Notices of which a beginning or an end is still to be told: few, whatever there has been.
    op.create_index(
        "ix_notice_untold",
        "notice",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("(cleared_at IS NULL) = (told_at IS NULL)"),
        postgresql_where=sa.text("(cleared_at IS NULL) = (told_at IS NULL)"),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.add_column(sa.Column("request_id", sa.String(), nullable=True))
    op.create_index("ix_event_state_id", "event", ["state", "id"], unique=False)
    op.create_index("ix_event_kind_id", "event", ["kind", "id"], unique=False)
    for column in ("request_id", "replay_of"):
        filled = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_event_{column}",
            "event",
            [column],
            unique=False,
            sqlite_where=filled,
            postgresql_where=filled,
        )
    with op.batch_alter_table("worker", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.String(), nullable=True))
    _index_what_pages_read()


def _index_what_pages_read() -> None:
    """A page reads the newest of one goal, feed or person, out of years of rows."""
    op.drop_index(op.f("ix_event_goal_id"), table_name="event")
    op.create_index("ix_event_goal_id_id", "event", ["goal_id", "id"], unique=False)
    op.create_index("ix_event_user_id_id", "event", ["user_id", "id"], unique=False)
    op.create_index(
        "ix_datapoint_feed_id_daystamp", "datapoint", ["feed_id", "daystamp", "id"], unique=False
    )
    for name, table, columns, where in (
        ("ix_datapoint_frozen", "datapoint", ["feed_id", "daystamp"], "frozen IS NOT NULL"),
        ("ix_day_pinned", "day", ["feed_id", "daystamp"], "pinned"),
        ("ix_notice_open", "notice", ["user_id"], "cleared_at IS NULL"),
    ):
        op.create_index(
            name,
            table,
            columns,
            unique=False,
            sqlite_where=sa.text("pinned = 1" if where == "pinned" else where),
            postgresql_where=sa.text(where),
        )
