"""Bringing a database to the tables that this version of Waggle knows."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db.engine import Ledger

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x776167676C65  # "waggle": two processes that migrate at once take turns


class SchemaError(Exception):
    """The database was made by a newer Waggle than this one."""


def migrate(ledger: Ledger) -> bool:
    """Apply what is missing, all or nothing; True when something was applied."""
    with ledger.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config = configuration(connection)
        script = ScriptDirectory.from_config(config)
        at = MigrationContext.configure(connection).get_current_revision()
        if at == script.get_current_head():
            return False
        if at is not None and at not in {found.revision for found in script.walk_revisions()}:
            message = (
                f"the database is at revision {at}, which this version does not know: "
                "it was used by a newer Waggle; install that one, or restore a copy made before"
            )
            raise SchemaError(message)
        command.upgrade(config, "head")
        return True


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for this connection; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
