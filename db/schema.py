"""Bringing a database to the tables that this version of Waggle knows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, inspect, text
from sqlmodel import Session

from db import copies
from db.copies import CopyError
from db.engine import Ledger
from db.metadata import METADATA

if TYPE_CHECKING:  # importing it costs every process 11 MB, and most find nothing to do
    from alembic.config import Config

HEAD = "0009"
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x776167676C65  # "waggle": two processes that migrate at once take turns


class SchemaError(Exception):
    """The database is as it was, and not one that this version can use; says what to do."""


class ReadOnlyError(Exception):
    """The database takes no writes."""

    def __init__(self) -> None:
        super().__init__("read-only: is it a standby, or was it set so?")


def writable(session: Session) -> None:
    """Raises `ReadOnlyError` where a server says that it takes no writes.

    A file says so only when it is written; who does that every few seconds are the workers.
    """
    if session.connection().dialect.name == "postgresql":
        said = session.connection().execute(text("SHOW transaction_read_only")).scalar_one()
        if said == "on":
            raise ReadOnlyError


@dataclass(frozen=True, slots=True)
class Migration:
    """What was applied. `before`: the revision that it came from, None for an empty database."""

    before: str | None
    copy: Path | None  # of the database as it was


def migrate(ledger: Ledger, *, copies_in: Path | None = None) -> Migration | None:
    """Apply what is missing, all or nothing; None when there was nothing to apply.

    An SQLite database that holds anything is copied into the folder `copies_in` first; with None
    it is not. Raises `SchemaError` when that fails, when a newer Waggle has made the database, and
    when its tables are in use for too long.
    """
    with ledger.read() as session:
        if _revision(session.connection()) == HEAD:
            return None
    with ledger.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # A migration, and whoever waits for another one's, takes the time that it takes.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        return _upgrade(connection, copies_in)


def _upgrade(connection: Connection, copies_in: Path | None) -> Migration | None:
    from alembic import command  # noqa: PLC0415 -- see above

    at = _revision(connection)
    if at == HEAD:  # another process was faster
        return None
    if at is not None:
        check(at, "the database")
    copy = None
    if copies_in is not None:
        copy = _copy(connection, at, copies_in)
    if connection.dialect.name == "postgresql":
        _take_tables(connection)
    command.upgrade(configuration(connection), "head")
    return Migration(at, copy)


def make(connection: Connection, revision: str) -> None:
    """Make our tables anew, empty, as they were at a revision; those that are there are dropped."""
    from alembic import command  # noqa: PLC0415 -- see above

    there = MetaData()
    there.reflect(connection, only=lambda name, _: name in {*METADATA.tables, "alembic_version"})
    there.drop_all(connection)
    command.upgrade(configuration(connection), revision)


def finish(connection: Connection) -> bool:
    """Bring tables that `make` made to this version; True when there was something to do."""
    return _upgrade(connection, None) is not None


def check(revision: str, what: str) -> None:
    """Raises `SchemaError` where `what` is of a revision that this version does not know."""
    from alembic.config import Config  # noqa: PLC0415 -- see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {found.revision for found in ScriptDirectory.from_config(config).walk_revisions()}
    if revision not in known:
        message = (
            f"{what} is at revision {revision}, which this version does not know: it was used by "
            "a newer Waggle, and nothing was changed; install that one, or restore a copy made "
            "before"
        )
        raise SchemaError(message)


def _take_tables(connection: Connection) -> None:
    from db import schema_locks  # noqa: PLC0415 -- see above

    if not schema_locks.take_all(connection):
        message = (
            "somebody keeps a table in use, such as pg_dump or an open transaction: nothing was "
            "changed; end it, or wait for its end, and try again"
        )
        raise SchemaError(message)


def _copy(connection: Connection, at: str | None, folder: Path) -> Path | None:
    """The copy before a migration: nobody writes meanwhile, since `connection` has the lock."""
    database = connection.engine.url.database
    if connection.dialect.name != "sqlite" or not database:
        return None
    if not inspect(connection).get_table_names():
        return None
    now = datetime.now(UTC)  # for its name
    try:
        return copies.before_migration(Path(database), folder, revision=at or "none", now=now)
    except CopyError as exc:
        message = (
            f"{exc}; nothing was migrated: see to that first, or `waggle migrate --no-copy` goes "
            "on without a copy"
        )
        raise SchemaError(message) from exc


def _revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def configuration(connection: Connection) -> "Config":
    """Alembic's configuration for this connection; there is no ini file."""
    from alembic.config import Config  # noqa: PLC0415 -- see above

    config = Config()
    # In such a file a % would begin the name of another option.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
