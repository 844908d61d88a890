"""What following runs live needs: whose run it is, how its socket does, when to look again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("runs_due_at", sa.Float(), server_default="0", nullable=False)
        )
    with op.batch_alter_table("run", schema=None) as batch_op:
        for name in ("connector", "stream_error", "error"):
            batch_op.add_column(sa.Column(name, sa.String(), nullable=True))
        for name in ("rows", "seen_at"):
            batch_op.add_column(sa.Column(name, sa.Float(), nullable=True))
        for name in ("due_at", "found_at"):
            batch_op.add_column(sa.Column(name, sa.Float(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("by_hand", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("stream", sa.String(), server_default="none", nullable=False))
        batch_op.add_column(
            sa.Column("reconnects", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.drop_constraint("fk_run_source_id_source", type_="foreignkey")
        batch_op.create_foreign_key(
            "fk_run_source_id_source", "source", ["source_id"], ["id"], ondelete="CASCADE"
        )
        batch_op.create_index("ix_run_finished_at_due_at", ["finished_at", "due_at"])
        batch_op.create_index(
            "ix_run_lease_owner",
            ["lease_owner"],
            sqlite_where=sa.text("lease_owner IS NOT NULL"),
            postgresql_where=sa.text("lease_owner IS NOT NULL"),
        )
