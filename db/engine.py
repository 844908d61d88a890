"""One ledger, two ways in: `write` takes the write lock at once, `read` never takes it.

`write_one` is for who writes by a single statement, which is a transaction without more words.

SQLite: WAL, `synchronous=FULL`, and writes begin IMMEDIATE, so that a transaction which will
write never fails half-way through an upgrade of its lock. Reads use connections of their own that
begin DEFERRED and are `query_only`: an open read transaction that began IMMEDIATE would hold every
writer up. PostgreSQL: one pool, and each statement of a read sees what is committed by then, as it
would in a transaction of its usual level; without one it takes one round trip and not three.

A commit waits for the disk. What is simply done again after a loss of power, such as a claim, need
not: `write(durable=False)`. Nobody's process takes such a commit with it, and the order of commits
is kept: what a durable one builds on is on disk with it.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    make_url,
    util,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DisconnectionError, InterfaceError, InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session, SQLModel

from db import planning, sessions, wire
from db.once import BEGINS

BUSY_TIMEOUT_MS = 10_000
IDLE_SECONDS = 0.5  # no server is restarted within that
AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
"""The database does not answer, or its disk is full; what was begun is as it was committed last."""
FULL = ("SQLITE_FULL", "DiskFull")
# Nobody waits for a server, or for each other, without an end. Set by a statement and not at the
# start of a connection: a pooler lets none of these through there.
LIMITS = (
    "SET statement_timeout = '30s'; SET lock_timeout = '10s'; "
    "SET idle_in_transaction_session_timeout = '60s'"
)
# Statements that a connection keeps prepared: more than there are that are asked all the time.
MOST_PREPARED = 300
# A server that is gone without a word is noticed after half a minute.
LINK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}


def insert(session: Session, table: type[SQLModel]) -> Any:  # noqa: ANN401 -- one of two types
    """An INSERT that can say what to do about a row that is there already."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def cause(error: BaseException) -> str:
    """What the driver calls an error, such as `SQLITE_BUSY`: its text may repeat a row.

    A full disk is said in words, whichever database meets it.
    """
    driver = getattr(error, "orig", None) or error
    name = str(getattr(driver, "sqlite_errorname", type(driver).__name__))
    return "its disk is full" if name in FULL else name


def has_turns(session: Session) -> bool:
    """Do writers take turns (SQLite)? Then whoever writes needs no lock on any row."""
    return session.get_bind().dialect.name == "sqlite"


class Ledger:
    """The database of one process; share it between threads, never across a fork.

    `url`: `sqlite:///path` or `postgresql://…` (`postgres://` is accepted). `pool` bounds the
    connections this process opens to a server.
    """

    def __init__(self, url: str, *, pool: int = 10) -> None:
        self.url = make_url(_with_driver(url))
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # SQLite's own busy handler polls; a lock hands the turn to the next thread at once.
        self._turn = threading.Lock() if self.is_sqlite else contextlib.nullcontext()
        if self.is_sqlite:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._writer = _sqlite(self.url.render_as_string(), begin="BEGIN IMMEDIATE")
            self._hasty = _sqlite(
                self.url.render_as_string(), begin="BEGIN IMMEDIATE", synchronous="NORMAL"
            )
            self._reader = _sqlite(self.url.render_as_string(), begin="BEGIN", query_only=True)
        else:
            self._writer = _postgresql(self.url, pool=pool)
            self._hasty = _without_waiting(self._writer)
            self._reader = _reader(self._writer)
        self._single = self._writer.execution_options(**{BEGINS: None})

    @property
    def engine(self) -> Engine:
        """The engine that may write: for migrations, and for tests that look behind the ledger."""
        return self._writer

    @property
    def writing_engines(self) -> tuple[Engine, ...]:
        """All that write, for whoever listens to what they send."""
        return (self._writer, self._hasty) if self.is_sqlite else (self._writer,)

    @property
    def reading_engine(self) -> Engine:
        """The engine whose connections can't write: for whoever makes sessions of their own."""
        return self._reader

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """One transaction that commits at the end of the block, or rolls all of it back.

        `durable`: it is on disk then. Without, the machine may take it back if it loses its power
        in that second: for what is found and done again as if it had never been done.
        """
        engine = self._writer if durable else self._hasty
        with self._turn, engine.connect() as connection, connection.begin():
            session = sessions.on(connection)
            try:
                yield session
                session.flush()
            finally:
                session.close()

    @contextlib.contextmanager
    def write_one(self, *, durable: bool = True) -> Iterator[Session]:
        """A block of a single statement, which is a transaction by itself: durable, or undone.

        It takes one round trip instead of three. A second statement would be a second transaction.
        `durable`: as in `write`; to a server the statement says it itself (`db.hasty`).
        """
        if self.is_sqlite and not durable:
            with self.write(durable=False) as session:
                yield session
            return
        with self._turn, self._single.connect() as connection:
            yield sessions.on(connection)

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """Reads only, and holds no writer up. In SQLite it is one consistent view."""
        with self._reader.connect() as connection:
            session = sessions.on(connection)
            try:
                yield session
            finally:
                session.close()

    def close(self) -> None:
        """Close every pooled connection."""
        for engine in (self._writer, self._hasty, self._reader):
            engine.dispose()


def _with_driver(url: str) -> str:
    """Name psycopg 3 explicitly: SQLAlchemy's default driver for PostgreSQL is another one."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _postgresql(url: URL, *, pool: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # an error repeats no value
        pool_size=pool,
        max_overflow=0,
        pool_use_lifo=True,  # each has its own plans at the server: few of them are kept warm
        pool_reset_on_return=None,  # see `note`
        pool_timeout=10,
        connect_args={"application_name": "waggle", **LINK},
    )

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- the driver's
        # The driver's own BEGIN is a round trip for itself, and to switch it off and on again for
        # each read costs more than the read; ours is emitted below, with what belongs to it.
        connection.autocommit = True
        connection.prepared_max = MOST_PREPARED
        connection.execute(LIMITS)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        words = options.get(BEGINS, "BEGIN")
        if words is not None and options.get("isolation_level") != "AUTOCOMMIT":
            wire.say(connection, words)

    @event.listens_for(engine, "checkin")
    def note(connection: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- the driver's
        entry.info["idle_since"] = time.monotonic()
        # None is left open, and to roll back what was never begun takes its time at each read.
        if connection is not None and connection.info.transaction_status.name != "IDLE":
            entry.info[planning.MODE] = planning.UNKNOWN
            try:
                connection.rollback()
            except engine.dialect.loaded_dbapi.Error as error:
                entry.invalidate(error)

    @event.listens_for(engine, "checkout")
    def check(connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:  # noqa: ANN401
        # Asking each time whether the server is still there would be a third of all round trips.
        now = time.monotonic()
        if now - entry.info.get("idle_since", now) > IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error

    planning.listen(engine)
    return engine


def _reader(engine: Engine) -> Engine:
    reader = engine.execution_options(**{BEGINS: None})

    @event.listens_for(reader, "before_cursor_execute")
    def refuse(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401
        # Only a transaction could be made READ ONLY, and there is none that would undo it.
        if not statement.lstrip().upper().startswith(("SELECT", "WITH", "SHOW")):
            raise InvalidRequestError("who only reads can not write")

    return reader


def _without_waiting(engine: Engine) -> Engine:
    """The same connections, with commits that are answered before they are on disk."""
    return engine.execution_options(**{BEGINS: "BEGIN; SET LOCAL synchronous_commit TO off"})


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch to WAL. SQLite does not wait for its turn here, so two that open a new file do."""
    ends_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.01)
        else:
            return


def _sqlite(url: str, *, begin: str, synchronous: str = "FULL", query_only: bool = False) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # an error repeats no value
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN is deferred and late; ours is emitted below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        _write_ahead(cursor)
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        if query_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "handle_error")
    def keep(context: ExceptionContext) -> None:
        # Of a Ctrl-C SQLAlchemy thinks that it broke the connection, and lets go of it as it is. To
        # a file it comes between two calls, and one that is let go of in the midst of an answer
        # keeps its lock for as long as somebody holds the traceback. Kept, it is rolled back.
        if util.is_exit_exception(context.original_exception):
            context.is_disconnect = False

    @event.listens_for(engine, "begin")
    def emit_begin(connection: Connection) -> None:
        words = connection.get_execution_options().get(BEGINS, begin)
        if words is not None:
            wire.say(connection, words)

    return engine
