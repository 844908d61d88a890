"""What workers count, over all of them and over their restarts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "tally",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "subject", "outcome", name=op.f("pk_tally")),
    )
    # How fresh the data of all feeds is, and when the last of them was synced.
    op.create_index(
        "ix_feed_last_synced_at_state", "feed", ["last_synced_at", "state"], unique=False
    )
