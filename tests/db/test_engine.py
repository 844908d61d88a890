"""One ledger, two ways in: readers never write and never hold a writer up."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from psycopg.errors import DiskFull, UniqueViolation
from sqlalchemy import event, text
from sqlalchemy import insert as sql_insert
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import col, select, update

from db import engine, wire
from db.engine import Ledger
from db.models import User
from tests.services.postgresql import OTHERS
from tests.tasks.scenes import InThread, at_once


def add(ledger: Ledger, name: str) -> None:
    """A row."""
    with ledger.write() as session:
        session.add(User(username=name))


def names(ledger: Ledger) -> list[str]:
    """Who is there."""
    with ledger.read() as session:
        return sorted(session.exec(select(User.username)))


def test_a_reader_can_not_write(ledger: Ledger) -> None:
    """An INSERT through the reading way in is refused."""
    with ledger.read() as session:
        session.add(User(username="mallory"))
        with pytest.raises(SQLAlchemyError):
            session.flush()

    assert names(ledger) == []


def test_only_what_may_be_done_again_does_not_wait_for_the_disk(ledger: Ledger) -> None:
    """Commits wait for the disk unless it is said, also on the connection where it was said."""
    asked = "PRAGMA synchronous" if ledger.is_sqlite else "SHOW synchronous_commit"
    waits, waits_not = (2, 1) if ledger.is_sqlite else ("on", "off")
    if not ledger.is_sqlite:  # the databases of tests wait for no disk
        with ledger.write() as session:
            session.connection().execute(text("SET synchronous_commit TO on"))

    def waited(*, durable: bool) -> object:
        with ledger.write(durable=durable) as session:
            return session.connection().execute(text(asked)).scalar_one()

    assert [waited(durable=each) for each in (True, False, True)] == [waits, waits_not, waits]


def test_what_does_not_wait_for_the_disk_is_a_transaction_too(ledger: Ledger) -> None:
    """Seen by all once it is committed, and rolled back as a whole."""

    def add_and_fail() -> None:
        with ledger.write(durable=False) as session:
            session.add(User(username="alice"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    with ledger.write(durable=False) as session:
        session.add(User(username="bob"))

    assert names(ledger) == ["bob"]


def test_a_single_statement_is_there_as_a_whole_or_not_at_all(ledger: Ledger) -> None:
    """It needs no commit, and one row that is refused undoes all that came with it."""
    add(ledger, "alice")
    doubled = sql_insert(User).from_select(
        ["username"], select(col(User.username) + "'s twin").where(col(User.username) != "bob")
    )
    with ledger.write_one() as session:
        session.connection().execute(doubled)
    with contextlib.closing(Ledger(ledger.url.render_as_string(hide_password=False))) as other:
        assert names(other) == ["alice", "alice's twin"]
    with pytest.raises(SQLAlchemyError), ledger.write_one() as session:
        session.connection().execute(doubled)

    assert names(ledger) == ["alice", "alice's twin"]


def test_a_single_statement_waits_for_the_disk(ledger: Ledger) -> None:
    """Also on a connection whose last commit did not."""
    with ledger.write(durable=False) as session:
        session.add(User(username="alice"))
    asked = "PRAGMA synchronous" if ledger.is_sqlite else "SHOW synchronous_commit"
    if not ledger.is_sqlite:  # the databases of tests wait for no disk
        with ledger.write() as session:
            session.connection().execute(text("SET synchronous_commit TO on"))
    with ledger.write_one() as session:
        assert session.connection().execute(text(asked)).scalar_one() == (
            2 if ledger.is_sqlite else "on"
        )


def test_a_failed_block_leaves_nothing_behind(ledger: Ledger) -> None:
    """Whatever raised: all of it is rolled back, and the way in is free again."""

    def fail() -> None:
        with ledger.write() as session:
            session.add(User(username="alice"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert names(ledger) == []
    add(ledger, "bob")
    assert names(ledger) == ["bob"]


def test_an_interrupted_write_holds_nobody_up(ledger: Ledger) -> None:
    """Ctrl-C in the midst of an answer: the turn is free at once, while it is still told of."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    add(ledger, "alice")
    writer = ledger.writing_engines[-1]
    event.listen(writer, "after_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt) as told, ledger.write(durable=False) as session:
        session.connection().execute(update(User).values(timezone="UTC").returning(col(User.id)))
    event.remove(writer, "after_cursor_execute", interrupt)

    add(ledger, "bob")
    assert told.traceback
    assert names(ledger) == ["alice", "bob"]


def test_an_open_read_holds_no_writer_up(ledger: Ledger) -> None:
    """A reader in the middle of its transaction: a write commits at once, unseen by it."""
    add(ledger, "alice")
    with ledger.read() as session:
        assert len(session.exec(select(User)).all()) == 1
        InThread(lambda: add(ledger, "bob")).join()
        if ledger.is_sqlite:  # PostgreSQL reads what is committed, statement by statement
            assert len(session.exec(select(User)).all()) == 1

    assert names(ledger) == ["alice", "bob"]


def test_writers_take_turns(ledger: Ledger) -> None:
    """Eight threads add up in one row: no update is lost, no lock is ever reported."""
    add(ledger, "alice")

    def count(_number: int) -> None:
        for _ in range(5):
            with ledger.write() as session:
                session.connection().execute(
                    update(User).values(token_version=col(User.token_version) + 1)
                )

    at_once(8, count)

    with ledger.read() as session:
        assert session.exec(select(User)).one().token_version == 40


def test_a_server_that_was_restarted_is_found_again(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dropped every connection while none was in use: the next read and write work."""
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0.0)
    ledger, other = Ledger(postgresql_url, pool=3), Ledger(postgresql_url)
    add(ledger, "alice")
    with other.write() as session:
        assert session.connection().execute(text(OTHERS)).all()

    assert names(ledger) == ["alice"]
    add(ledger, "bob")
    assert names(ledger) == ["alice", "bob"]
    ledger.close()
    other.close()


def test_a_transaction_that_somebody_left_open_ends_with_the_block(postgresql_url: str) -> None:
    """Nobody gets a connection in which another one has begun something."""
    ledger = Ledger(postgresql_url, pool=1)
    with ledger.write_one() as session:
        session.connection().execute(text("BEGIN"))
        session.connection().execute(update(User).values(username="x"))

    with ledger.read() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        assert driver.info.transaction_status.name == "IDLE"
    ledger.close()


def test_a_connection_that_broke_in_the_middle_is_not_used_again(postgresql_url: str) -> None:
    """The server is gone before anybody can undo what was begun: the next block gets another."""
    ledger, other = Ledger(postgresql_url, pool=1), Ledger(postgresql_url)
    add(ledger, "alice")
    with ledger.write_one() as session:
        wire.say(session.connection(), "BEGIN")
        with other.write() as ender:
            assert ender.connection().execute(text(OTHERS)).all()

    assert names(ledger) == ["alice"]
    ledger.close()
    other.close()


def test_few_connections_to_a_server_are_kept_warm(postgresql_url: str) -> None:
    """Whoever comes alone gets the one that was used last: each plans statements for itself."""
    ledger, used = Ledger(postgresql_url, pool=3), set()
    with ledger.read() as first, ledger.read() as second, ledger.read() as third:
        for session in (first, second, third):
            session.connection().execute(text("SELECT 1"))
    for _ in range(6):
        with ledger.read() as session:
            used.add(session.connection().execute(text("SELECT pg_backend_pid()")).scalar_one())

    assert len(used) == 1
    ledger.close()


def test_commits_survive_a_power_cut(sqlite_url: str) -> None:
    """SQLite syncs every commit to disk, in write-ahead mode, and checks foreign keys."""
    ledger = Ledger(sqlite_url)
    with ledger.write() as session:
        values = [
            session.connection().execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("synchronous", "journal_mode", "foreign_keys")
        ]
    ledger.close()
    assert values == [2, "wal", 1]


def test_a_database_that_stays_locked_is_an_error_of_the_usual_kind(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever catches what SQLAlchemy raises catches it at the beginning of a write, too."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 1)
    ledger, other = Ledger(sqlite_url), Ledger(sqlite_url)
    add(ledger, "alice")

    with ledger.write() as session:
        session.connection()  # the transaction begins here
        with pytest.raises(OperationalError, match="locked"):
            add(other, "bob")

    assert names(other) == ["alice"]
    ledger.close()
    other.close()


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg"),
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg"),
    ],
)
def test_every_spelling_of_postgresql_is_taken(given: str, made: str) -> None:
    """What hosts put into DATABASE_URL works as it is."""
    ledger = Ledger(given)
    assert ledger.url.drivername == made
    assert not ledger.is_sqlite
    ledger.close()


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    """By both drivers' names for it, also where SQLAlchemy stands between."""
    with contextlib.closing(sqlite3.connect(tmp_path / "small.db")) as connection:
        connection.execute("CREATE TABLE kept (value)")
        connection.execute("PRAGMA max_page_count=2")  # as SQLite meets a full disk
        with pytest.raises(sqlite3.OperationalError) as full:
            connection.execute("INSERT INTO kept VALUES (zeroblob(100000))")

    assert engine.cause(full.value) == "its disk is full"
    for error in (full.value, DiskFull()):
        assert engine.cause(OperationalError("INSERT", None, error)) == "its disk is full"


def test_another_error_is_called_by_its_name_only() -> None:
    """Its text may hold what a person has sent."""
    told = engine.cause(OperationalError("INSERT", None, UniqueViolation("secret")))
    assert told == "UniqueViolation"
