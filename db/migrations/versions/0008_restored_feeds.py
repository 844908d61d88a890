"""Feeds that came out of a backup, until they have been looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing that is there came out of a backup."""
    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.add_column(sa.Column("restored", sa.Boolean(), server_default="0", nullable=False))
