"""Runs the migrations on the connection that `db.schema` hands in."""

from alembic import context
from sqlalchemy import Connection

from db import (  # noqa: F401 -- they fill METADATA
    models,
    models_limits,
    models_notebook,
    models_pages,
    models_points,
    models_runs,
    models_tallies,
)
from db.metadata import METADATA

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    compare_type=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
