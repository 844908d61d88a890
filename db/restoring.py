"""Putting a backup into a ledger, all of it or nothing.

What ran when the backup was made runs no more: leases are free, and epochs rise above whatever a
worker of that time may still hold. What happened since is at Beeminder and not in the ledger, so
every feed is looked at before anything of it is written (`Feed.restored`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, MetaData, case, exists, func, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from db import backups, ciphers, rotation, schema, workers
from db.backup_file import BackupError, Reader
from db.engine import Ledger
from db.metadata import METADATA
from db.models import Event, Feed, Goal, Source, User
from db.models_pages import Channel, Message
from db.models_runs import Run
from db.rotation import Rotated
from db.states import SourceState, UserState
from db.vault import Vault

# A ledger with nothing else than these is empty: they come by themselves.
BY_THEMSELVES = frozenset({"worker", "tally", "quota", "breaker", "alert", "login_link"})
FENCE = 1_000  # more claims than a feed may have had between the backup and its loss

Progress = Callable[[int, int], object]


class NotEmptyError(BackupError):
    """There is something in the ledger already."""


class UnreadableError(BackupError):
    """Secrets in the backup can't be read with the keys at hand; `whose` names their owners."""

    def __init__(self, whose: Sequence[str]) -> None:
        super().__init__("no key at hand reads some of its secrets")
        self.whose = tuple(whose)


@dataclass(slots=True)
class Restored:
    """What was put in: rows by table. `migrated`: it was of an older version. `rotated`: secrets
    were rewritten under this home's first key; `emptied`: whose could not be read, and are gone.
    """

    rows: dict[str, int] = field(default_factory=dict)
    migrated: bool = False
    rotated: int = 0
    emptied: list[str] = field(default_factory=list)


def load(
    ledger: Ledger,
    backup: Reader,
    *,
    now: float,
    keys: Sequence[str],
    others: Sequence[str] = (),
    without_secrets: bool = False,
    replace: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> Restored:
    """Put a verified backup into a ledger that is at this version.

    `keys` are those of this home: what only the `others` read is rewritten under the first of them.
    `replace`: what is in the ledger goes. Raises `BackupError` and `schema.SchemaError`; then
    nothing was changed.
    """
    done = Restored()
    with ledger.write() as session:
        connection = session.connection()
        _refuse(session, now, replace=replace)
        if not ledger.is_sqlite:
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # years of rows take time
        highest = _highest(session)
        tables = _empty(connection, backup.manifest.schema)
        _fill(connection, tables, backup, done, progress)
        done.migrated = schema.finish(connection)
        _count(connection, done)
        number_on(connection)
        _secrets(session, done, [*keys, *others], without_secrets=without_secrets)
        _settle(session, now, highest)
    return done


def _refuse(session: Session, now: float, *, replace: bool) -> None:
    running = workers.alive(session, now)
    if running:
        message = f"{running} workers run on this database: stop everything first"
        raise BackupError(message)
    if replace:
        return
    full = [
        table.name
        for table in METADATA.sorted_tables
        if table.name not in BY_THEMSELVES
        and session.connection().execute(select(exists(select(table)))).scalar_one()
    ]
    if full:
        message = f"the database is not empty (there is something in {', '.join(full[:3])})"
        raise NotEmptyError(message)


def _highest(session: Session) -> int:
    """The highest epoch that anything here has had: workers of this database may hold it."""
    found = session.connection().execute(select(func.coalesce(func.max(col(Feed.epoch)), 0)))
    return int(found.scalar_one())


def _empty(connection: Connection, revision: str) -> MetaData:
    """Empty tables of that revision."""
    if revision == schema.HEAD:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())
        return METADATA
    schema.make(connection, revision)
    old = MetaData()
    old.reflect(connection, only=lambda name, _: name in METADATA.tables)
    return old


def _fill(
    connection: Connection, tables: MetaData, backup: Reader, done: Restored, progress: Progress
) -> None:
    unknown = sorted(backup.manifest.tables.keys() - tables.tables.keys())
    if unknown:
        message = f"{backup.path} has a table that nobody knows: {unknown[0]}"
        raise BackupError(message)
    put = 0
    for table in tables.sorted_tables:
        if table.name not in backup.manifest.tables:
            continue
        stored = backup.rows(table.name)
        while rows := list(islice(stored, backups.TOGETHER)):
            strange = rows[0].keys() - table.columns.keys()
            if strange:
                message = f"{backup.path}: {table.name} has a column that nobody knows: {strange}"
                raise BackupError(message)
            try:
                connection.execute(insert(table), rows)
            except (DataError, IntegrityError) as exc:
                message = f"{backup.path}: rows of {table.name} do not fit the others: {exc.orig}"
                raise BackupError(message) from exc
            put += len(rows)
            progress(put, backup.manifest.rows)
        done.rows[table.name] = backup.manifest.tables[table.name].rows


def _count(connection: Connection, done: Restored) -> None:
    """Is everything there? A migration that loses rows is found here, and nothing is kept of it."""
    for table in METADATA.sorted_tables:
        expected = done.rows.get(table.name, 0)
        there = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if there != expected:
            message = f"{there} of {expected} rows of {table.name} arrived; nothing was changed"
            raise BackupError(message)


def number_on(connection: Connection) -> None:
    """PostgreSQL counts ids by itself: go on behind those that are there."""
    if connection.dialect.name != "postgresql":
        return
    for table in METADATA.sorted_tables:
        if "id" in table.columns and table.columns["id"].type.python_type is int:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('\"{table.name}\"', 'id'), "  # noqa: S608 -- our own names
                    f'coalesce((SELECT max(id) FROM "{table.name}"), 0) + 1, false)'
                )
            )


def _secrets(
    session: Session, done: Restored, ring: Sequence[str], *, without_secrets: bool
) -> None:
    """Every secret under the first key; what no key reads is emptied, or nothing is restored."""
    rotated = Rotated()
    for model in ciphers.OF:
        after = 0
        while rows := rotation.batch(session, model, after):
            after = rows[-1].id  # type: ignore[attr-defined]  # each of them has one
            for row in rows:
                rotation.rotate(session, row, ring, rotated)
            session.flush()
    if rotated.unreadable and not without_secrets:
        raise UnreadableError(rotated.unreadable)
    if rotated.unreadable:
        _forget_unreadable(session, ring)
    done.rotated, done.emptied = rotated.count, rotated.unreadable


def _forget_unreadable(session: Session, ring: Sequence[str]) -> None:
    vaults = [Vault(ring)]
    for model in ciphers.OF:
        for row in session.exec(select_rows(model)).all():
            lost = [c for c, stored in ciphers.held(row) if ciphers.key_of(stored, vaults) is None]
            if lost and isinstance(row, Channel):
                session.delete(row)
                continue
            for cipher in lost:
                setattr(row, cipher.column, None)
                if cipher.hashed is not None:
                    setattr(row, cipher.hashed, None)
                _needs_its_owner(row, cipher.column)
            session.add(row)
    session.flush()


def _needs_its_owner(row: SQLModel, column: str) -> None:
    """Without its token or login it can't go on before its owner has connected again."""
    if isinstance(row, User) and column == "token_cipher" and row.state == UserState.ACTIVE:
        row.state = UserState.REAUTHORIZE
    if isinstance(row, Source) and column == "credentials_cipher":
        row.state = SourceState.REAUTHORIZE
        row.last_error = "its login was in a backup whose key was not there: enter it again"


def _settle(session: Session, now: float, highest: int) -> None:
    """Nobody holds anything, nothing is believed without a look, and everything is due."""
    run = session.connection().execute
    epoch = col(Feed.epoch)
    risen = case((epoch > highest, epoch), else_=highest) + FENCE
    run(
        update(Feed).values(
            lease_owner=None, lease_until=0.0, epoch=risen, restored=True, due_at=now
        )
    )
    tables: tuple[Any, ...] = (Event, Run, Message)
    for table in tables:  # as one that stops hands back what it holds
        run(
            update(table)
            .where(col(table.lease_owner).is_not(None))
            .values(lease_owner=None, lease_until=0.0, epoch=col(table.epoch) + 1)
        )
    run(update(Source).values(refresh_owner=None, refresh_until=0.0))
    run(update(User).values(facts_at=None))
    run(update(Goal).values(facts_at=None))
