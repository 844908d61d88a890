"""Before a database is migrated it is copied; without a copy it stays as it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from db import copies, schema
from db.engine import Ledger
from db.schema import SchemaError
from tests.tasks.scenes import at_once


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Ledger]:
    """What version 0001 left, with one person."""
    with closing(Ledger(f"sqlite:///{tmp_path}/waggle.db")) as ledger:
        with ledger.engine.begin() as connection:
            command.upgrade(schema.configuration(connection), "0001")
            connection.execute(
                text(
                    "INSERT INTO user (username, token_kind, token_version, state, created_at) "
                    "VALUES ('alice', 'personal', 0, 'active', 0)"
                )
            )
        yield ledger


def dump(path: Path) -> list[str]:
    """Everything in a database, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_the_copy_is_the_database_as_it_was(old: Ledger, tmp_path: Path) -> None:
    """Revision and rows of before are in the copy, whose name says both; the rest goes on."""
    before = dump(tmp_path / "waggle.db")

    done = schema.migrate(old, copies_in=tmp_path / "backups")

    assert done is not None
    assert (done.before, done.copy) == ("0001", next((tmp_path / "backups").iterdir()))
    assert done.copy is not None
    assert done.copy.name.startswith("before-migration-0001-20")
    assert dump(done.copy) == before != dump(tmp_path / "waggle.db")


def test_a_copy_that_was_put_back_is_migrated_again(old: Ledger, tmp_path: Path) -> None:
    """The way back works: the copy is a database of the old version, and can go forward again."""
    done = schema.migrate(old, copies_in=tmp_path / "backups")
    assert done is not None
    assert done.copy is not None
    with closing(Ledger(f"sqlite:///{done.copy}")) as back:
        again = schema.migrate(back)
        with back.read() as session:
            names = session.connection().execute(text("SELECT username FROM user")).all()

    assert again is not None
    assert again.before == "0001"
    assert names == [("alice",)]


def test_there_is_no_copy_where_there_is_nothing_to_keep(tmp_path: Path) -> None:
    """An empty database, and one that is up to date, are not copied."""
    with closing(Ledger(f"sqlite:///{tmp_path}/waggle.db")) as ledger:
        made = schema.migrate(ledger, copies_in=tmp_path / "backups")
        assert made == schema.Migration(None, None)
        assert schema.migrate(ledger, copies_in=tmp_path / "backups") is None

    assert not (tmp_path / "backups").exists()


def test_without_a_copy_nothing_is_migrated(old: Ledger, tmp_path: Path) -> None:
    """Where the copy can't be made the tables stay, and the error says how to go on."""
    (tmp_path / "backups").write_text("a file, and no folder")
    before = dump(tmp_path / "waggle.db")

    with pytest.raises(SchemaError, match=r"File exists; nothing was migrated: .*--no-copy"):
        schema.migrate(old, copies_in=tmp_path / "backups")

    assert dump(tmp_path / "waggle.db") == before


def test_a_migration_that_fails_changes_nothing(old: Ledger, tmp_path: Path) -> None:
    """A table is in the way of a later step: all steps are taken back, and the copy stays."""
    with old.write() as session:
        session.connection().execute(text("CREATE TABLE breaker (mine TEXT)"))
    before = dump(tmp_path / "waggle.db")

    with pytest.raises(OperationalError, match="already exists"):
        schema.migrate(old, copies_in=tmp_path / "backups")

    assert dump(tmp_path / "waggle.db") == before
    (copy,) = (tmp_path / "backups").iterdir()
    assert dump(copy) == before


def test_a_newer_database_is_not_copied(old: Ledger, tmp_path: Path) -> None:
    """A refusal does nothing, a copy included."""
    with old.write() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = dump(tmp_path / "waggle.db")

    with pytest.raises(SchemaError, match=r"9999.*newer Waggle.*nothing was changed.*restore"):
        schema.migrate(old, copies_in=tmp_path / "backups")

    assert dump(tmp_path / "waggle.db") == before
    assert not (tmp_path / "backups").exists()


@pytest.mark.usefixtures("old")
def test_who_migrates_at_once_makes_one_copy(tmp_path: Path) -> None:
    """Three starts on an old file: one copies and migrates, the others find it done."""

    def migrate(_number: int) -> bool:
        with closing(Ledger(f"sqlite:///{tmp_path}/waggle.db")) as ledger:
            return schema.migrate(ledger, copies_in=tmp_path / "backups") is not None

    assert sorted(at_once(3, migrate)) == [False, False, True]
    assert len(copies.made_before_migrations(tmp_path / "backups")) == 1


def test_a_folder_with_a_percent_sign_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations are found wherever Waggle is installed."""
    odd = tmp_path / "100% mine"
    odd.symlink_to(schema.MIGRATIONS.parent)
    monkeypatch.setattr(schema, "MIGRATIONS", odd / "migrations")
    with closing(Ledger(f"sqlite:///{tmp_path}/waggle.db")) as ledger:
        assert schema.migrate(ledger) is not None


def test_nothing_is_written_between_copy_and_migration(
    old: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes meanwhile waits: a callback that was answered is in the copy, or came after all."""
    copied, tried = copies.copy_database, []

    def copy(source: Path, target: Path) -> None:
        copied(source, target)
        with closing(sqlite3.connect(source, timeout=0, isolation_level=None)) as other:
            tried.append(True)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(copies, "copy_database", copy)

    assert schema.migrate(old, copies_in=tmp_path / "backups") is not None
    assert tried == [True]
