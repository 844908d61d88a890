"""A copy is whole, private and checked, or it is not there."""

import os
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db import copies
from db.copies import CopyError
from tests.tasks.scenes import at_once

NOW = datetime(2026, 11, 30, 8, 22, 1, tzinfo=UTC)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A database in WAL mode with 2,000 rows."""
    path = tmp_path / "home" / "waggle.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE fact (id INTEGER PRIMARY KEY, text TEXT)")
        rows = [(f"fact {number} " * 20,) for number in range(2000)]
        connection.executemany("INSERT INTO fact (text) VALUES (?)", rows)
        connection.commit()
    return path


def count(path: Path) -> int:
    """How many rows a database has."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM fact").fetchone()[0])


def test_a_copy_is_one_private_file_that_opens_alone(source: Path, tmp_path: Path) -> None:
    """What is only in the journal is in it; it has mode 0600, in a folder of mode 0700."""
    target = tmp_path / "backups" / "copy.db"
    with closing(sqlite3.connect(source)) as writer:  # while it is open its journal stays
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("INSERT INTO fact (text) VALUES ('late')")
        writer.commit()
        copies.copy_database(source, target)

    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700
    assert count(target) == 2001
    assert sqlite3.connect(target).execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_an_open_write_is_not_in_it_and_is_not_waited_for(source: Path, tmp_path: Path) -> None:
    """Half a transaction of somebody else is no part of a copy."""
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM fact")
        copies.copy_database(source, tmp_path / "copy.db")
        writer.execute("ROLLBACK")

    assert count(tmp_path / "copy.db") == 2000


def test_a_copy_is_of_one_moment_while_others_write(source: Path, tmp_path: Path) -> None:
    """Both rows of every transaction are in it, or neither; the writer is never refused."""
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("CREATE TABLE pair (number INTEGER)")

    def work(number: int) -> int:
        if number == 0:
            with closing(sqlite3.connect(source, timeout=0.5, isolation_level=None)) as writer:
                for _ in range(200):
                    writer.execute("BEGIN IMMEDIATE")
                    writer.execute("INSERT INTO pair VALUES (1)")
                    writer.execute("INSERT INTO pair VALUES (2)")
                    writer.execute("COMMIT")
            return 0
        copies.copy_database(source, tmp_path / f"{number}.db")
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as copy:
            return int(copy.execute("SELECT count(*) FROM pair").fetchone()[0]) % 2

    assert at_once(4, work) == [0, 0, 0, 0]


def test_what_is_there_is_never_replaced(source: Path, tmp_path: Path) -> None:
    """A copy under a name that is taken is refused; the file stays as it is."""
    target = tmp_path / "copy.db"
    target.write_text("mine")

    with pytest.raises(CopyError, match=r"copy\.db: File exists"):
        copies.copy_database(source, target)

    assert target.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "home"]


def test_a_full_disk_is_said_and_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's `disk is full` names both files; no half copy takes the space that is missing."""
    opened = copies._opened

    def small(path: Path, mode: str) -> sqlite3.Connection:
        connection = opened(path, mode)
        if mode == "rw":
            connection.execute("PRAGMA max_page_count=20")  # as SQLite meets a full disk
        return connection

    monkeypatch.setattr(copies, "_opened", small)
    with pytest.raises(CopyError, match=r"waggle\.db could be made .*copy\.db: .*full"):
        copies.copy_database(source, tmp_path / "backups" / "copy.db")

    assert list((tmp_path / "backups").iterdir()) == []


def test_a_folder_that_can_not_be_made_is_said(source: Path) -> None:
    """Where there is no place for a copy the reason is the system's."""
    with pytest.raises(CopyError, match="Not a directory"):
        copies.copy_database(source, source / "backups" / "copy.db")


def test_a_damaged_database_is_found_before_its_copy_is_trusted(
    source: Path, tmp_path: Path
) -> None:
    """A copy that does not pass SQLite's own check never gets its name."""
    content = bytearray(source.read_bytes())
    content[40_960:49_152] = os.urandom(8192)
    source.write_bytes(content)

    with pytest.raises(CopyError, match=r"damaged|malformed"):
        copies.copy_database(source, tmp_path / "copy.db")
    with pytest.raises(CopyError, match=r"damaged|malformed"):
        copies.check(source)

    assert not (tmp_path / "copy.db").exists()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    """Neither copied nor passed: it says that it is no database."""
    (tmp_path / "notes").write_text("my notes " * 500)

    with pytest.raises(CopyError, match="not a database"):
        copies.check(tmp_path / "notes")
    with pytest.raises(CopyError, match="unable to open"):
        copies.check(tmp_path / "missing")


def test_the_newest_five_are_kept_and_two_of_one_revision(source: Path, tmp_path: Path) -> None:
    """A migration that fails all night does not push the copies of other revisions out."""
    folder = tmp_path / "backups"
    (folder).mkdir()
    (folder / "mine.db").touch()
    for number, revision in enumerate(["0001", "0002", "0003", "0004", "0005", *["0006"] * 4]):
        at = NOW + timedelta(hours=number)
        copies.before_migration(source, folder, revision=revision, now=at)

    found = [path.name for path in copies.made_before_migrations(folder)]
    assert found == [
        "before-migration-0006-20261130T162201Z.db",
        "before-migration-0006-20261130T152201Z.db",
        "before-migration-0005-20261130T122201Z.db",
        "before-migration-0004-20261130T112201Z.db",
        "before-migration-0003-20261130T102201Z.db",
    ]
    assert len(list(folder.iterdir())) == 6


def test_two_copies_within_a_second_are_two_files(source: Path, tmp_path: Path) -> None:
    """Neither replaces the other, and neither is refused."""
    first = copies.before_migration(source, tmp_path, revision="0001", now=NOW)
    second = copies.before_migration(source, tmp_path, revision="0001", now=NOW)

    assert first != second
    assert count(first) == count(second) == 2000
