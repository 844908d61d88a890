"""What limits need over all workers: learned paces, turns, breakers, and what killed a worker."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    # Defaults are plain text: for an expression Alembic makes the table anew on SQLite.
    op.create_table(
        "breaker",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("good", sa.Float(), nullable=False),
        sa.Column("bad", sa.Float(), nullable=False),
        sa.Column("failed_for", sa.Float(), nullable=False),
        sa.Column("counted_at", sa.Float(), nullable=False),
        sa.Column("troubled_since", sa.Float(), nullable=True),
        sa.Column("opened_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("probe_at", sa.Float(), nullable=False),
        sa.Column("probed_at", sa.Float(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_breaker")),
    )
    with op.batch_alter_table("backfill", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("deferrals", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("stuck_since", sa.Float(), nullable=True))

    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deaths", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("suspect", sa.Boolean(), server_default="0", nullable=False))

    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deaths", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("suspect", sa.Boolean(), server_default="0", nullable=False))
        for name in ("work", "suspect_of"):
            batch_op.add_column(sa.Column(name, sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("deferred_since", sa.Float(), nullable=True))

    with op.batch_alter_table("goal", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("datasource_tries", sa.Integer(), server_default="0", nullable=False)
        )

    for table in ("event", "feed"):
        # Of what is held only: to look for what is free nobody should go through all the others.
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(f"ix_{table}_lease_owner")
            batch_op.create_index(
                f"ix_{table}_lease_owner",
                ["lease_owner"],
                unique=False,
                sqlite_where=sa.text("lease_owner IS NOT NULL"),
                postgresql_where=sa.text("lease_owner IS NOT NULL"),
            )

    for table in ("backfill", "event", "feed"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(
                sa.Column("garbled", sa.Integer(), server_default="0", nullable=False)
            )

    with op.batch_alter_table("quota", schema=None) as batch_op:
        batch_op.add_column(sa.Column("vendor", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("title", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("endpoint", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("tolerance", sa.Float(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("closed_at", sa.Float(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("proven_at", sa.Float(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("probe_until", sa.Float(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("passed", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("trail", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(
            sa.Column("urgent_in_a_row", sa.Integer(), server_default="0", nullable=False)
        )
        for name in ("spread_interval", "spread_until"):
            batch_op.add_column(sa.Column(name, sa.Float(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("learned_interval", sa.Float(), server_default="0", nullable=False)
        )
        batch_op.add_column(
            sa.Column("learned_window", sa.Float(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("learned_at", sa.Float(), server_default="0", nullable=False))

    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.add_column(sa.Column("access_issued_at", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("renew_at", sa.Float(), nullable=True))
        batch_op.add_column(
            sa.Column("renew_tries", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("key_ends_at", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("quota_key", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("turn_at", sa.Float(), server_default="0", nullable=False))
        batch_op.create_index(batch_op.f("ix_source_quota_key"), ["quota_key"], unique=False)
