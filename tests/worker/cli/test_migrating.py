"""What commands do with a database of another version: migrate an older one, refuse a newer."""

import sqlite3
from contextlib import closing

import pytest
from alembic import command
from sqlalchemy import make_url

from db import schema
from db.engine import Ledger

# Each command that opens the ledger, as it is usually called.
OPENING = {
    "apply": ["waggle.toml"],
    "up": [],
    "status": [],
    "gates": [],
    "sync": ["alice/energy"],
    "approve": ["alice/energy", "today"],
    "pin": ["alice/energy", "today"],
    "explain": ["alice/energy", "today"],
    "reconcile": ["alice/energy"],
    "events": [],
    "event": ["1"],
    "replay": ["1"],
    "datapoints": ["alice/energy"],
    "runs": [],
    "run": ["watch", "etl", "r1"],
    "pause": ["alice/energy"],
    "resume": ["alice/energy"],
    "link": ["alice/energy"],
    "unlink": ["alice/energy"],
    "manual": ["alice/energy"],
    "source": ["check", "plant"],
    "login": [],
    "hook": ["alice"],
    "keys": ["rotate"],
    "migrate": [],
    "web": [],
    "worker": [],
    "progress": [],
}


@pytest.fixture
def database(sqlite_url):
    """The file of the ledger."""
    return make_url(sqlite_url).database


def dump(path):
    """Everything in a database, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def newer(waggle, database, folder):
    """Commands in front of a ledger that a newer Waggle has used."""
    (folder / "waggle.toml").write_text("")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    return waggle


@pytest.fixture
def older(waggle, database):
    """Commands in front of a ledger of the first version."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        connection.execute("PRAGMA foreign_keys=OFF")
        for (name,) in tables.fetchall():
            connection.execute(f'DROP TABLE "{name}"')
    with closing(Ledger(f"sqlite:///{database}")) as ledger, ledger.engine.begin() as connection:
        command.upgrade(schema.configuration(connection), "0001")
    return waggle


@pytest.mark.parametrize("name", OPENING)
def test_a_newer_database_is_refused_in_one_line(newer, database, name):
    """Whatever is called: exit status 1, one line with what to do, and nothing is changed."""
    before = dump(database)

    line = newer.refusal(name, *OPENING[name], status=1)

    assert line == (
        "the database is at revision 9999, which this version does not know: it was used by a "
        "newer Waggle, and nothing was changed; install that one, or restore a copy made before"
    )
    assert dump(database) == before


def test_doctor_shows_a_newer_database_in_red(newer, database):
    """It goes on with what needs no database, says what is wrong, and ends with 1."""
    before = dump(database)
    found = {row["what"]: row for row in newer.json("doctor", status=1)}

    assert found["database"]["state"] == "red"
    assert "newer Waggle" in found["database"]["text"]
    assert dump(database) == before


def test_any_command_migrates_and_says_where_the_copy_is(older, folder):
    """On stderr, once: what a command prints on stdout stays one JSON document."""
    done = older("status", "--json")

    (copy,) = (folder / "var" / "backups").iterdir()
    assert done.stderr == (
        f"waggle: migrated the database from 0001 to {schema.HEAD}; "
        f"the copy from before is {copy}\n"
    )
    assert done.stdout.startswith("{")
    assert older("status").stderr == ""


def test_migrate_makes_no_copy_when_it_is_told_so(older, folder):
    """`--no-copy` is for a disk without room; it says that there is none."""
    done = older("migrate", "--no-copy")

    assert "up to date" in done.stdout
    assert done.stderr.endswith("; no copy was made\n")
    assert not (folder / "var" / "backups").exists()


def test_no_room_for_a_copy_is_one_line_and_no_migration(older, folder, database):
    """Exit status 1, the reason, and the way to go on; the database is as it was."""
    (folder / "var").mkdir(mode=0o700)
    (folder / "var" / "backups").touch()
    before = dump(database)

    line = older.refusal("status", status=1)

    assert "backups" in line
    assert "File exists; nothing was migrated" in line
    assert "`waggle migrate --no-copy`" in line
    assert dump(database) == before
