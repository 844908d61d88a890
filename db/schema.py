"""Bringing a database to the tables that this version of Waggle knows."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from db.engine import Ledger

if TYPE_CHECKING:  # importing it costs every process 11 MB, and most find nothing to do
    from alembic.config import Config

HEAD = "0006"
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x776167676C65  # "waggle": two processes that migrate at once take turns


class SchemaError(Exception):
    """The database was made by a newer Waggle than this one."""


def migrate(ledger: Ledger) -> bool:
    """Apply what is missing, all or nothing; True when something was applied."""
    with ledger.read() as session:
        if _revision(session.connection()) == HEAD:
            return False
    with ledger.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        return _upgrade(connection)


def _upgrade(connection: Connection) -> bool:
    from alembic import command  # noqa: PLC0415 -- see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    at = _revision(connection)
    if at == HEAD:  # another process was faster
        return False
    config = configuration(connection)
    known = {found.revision for found in ScriptDirectory.from_config(config).walk_revisions()}
    if at is not None and at not in known:
        message = (
            f"the database is at revision {at}, which this version does not know: "
            "it was used by a newer Waggle; install that one, or restore a copy made before"
        )
        raise SchemaError(message)
    command.upgrade(config, "head")
    return True


def _revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def configuration(connection: Connection) -> "Config":
    """Alembic's configuration for this connection; there is no ini file."""
    from alembic.config import Config  # noqa: PLC0415 -- see above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
