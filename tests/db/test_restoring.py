"""Backups that are put back: all of it or nothing, on both databases and from one to the other."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func
from sqlalchemy import select as select_columns
from sqlmodel import select

from db import backup_file, backups, inbox, restoring, schema, workers
from db.backup_file import BackupError, Manifest
from db.engine import Ledger
from db.metadata import METADATA
from db.models import Event, Feed, Source, User, Worker
from db.models_pages import Channel
from db.models_points import Datapoint
from db.states import EventKind, SourceState, UserState
from db.vault import Vault
from tests.db import everything

KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()
NOW = 1_800_000_000.0
CHANGED = {  # what a restored row does not have from the backup
    "feed": {"lease_owner", "lease_until", "epoch", "restored", "due_at"},
    "event": {"lease_owner", "lease_until", "epoch"},
    "run": {"lease_owner", "lease_until", "epoch"},
    "message": {"lease_owner", "lease_until", "epoch"},
    "source": {"refresh_owner", "refresh_until"},
    "user": {"facts_at"},
    "goal": {"facts_at"},
}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """Another empty ledger, of each kind, where the backup is put."""
    if request.param == "postgresql":
        ledger = request.getfixturevalue("ledger")
        if not ledger.is_sqlite:  # the run has one of these: a backup goes back into it
            yield ledger
            return
        made = Ledger(request.getfixturevalue("postgresql_url"))
    else:
        made = Ledger(f"sqlite:///{tmp_path}/other.db")
        schema.migrate(made)
    yield made
    made.close()


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """A ledger with two rows in every table."""
    with ledger.write() as session:
        for number in (1, 2):
            everything.fill(session, Vault([KEY]), number=number)
    return ledger


def back_up(ledger: Ledger, folder: Path, **more: object) -> Path:
    """A backup in this folder."""
    path = folder / f"b{len(list(folder.iterdir()))}.zip"
    backups.write(ledger, path, version="1", now=NOW, **more)
    return path


def restore(ledger: Ledger, path: Path, *, empty: bool = False, **more: object):
    """Put it back; `empty`: into a ledger that was emptied before."""
    if empty:
        with ledger.write() as session:
            for table in reversed(METADATA.sorted_tables):
                session.connection().execute(table.delete())
    with backup_file.reading(path) as backup:
        list(backup.verify())
        return restoring.load(ledger, backup, **({"now": NOW, "keys": [KEY]} | more))


def told(ledger: Ledger) -> dict[str, list[dict[str, object]]]:
    """All rows, without what is never restored."""
    with ledger.read() as session:
        found = everything.rows(session, *backups.LEFT_OUT)
    for table, columns in CHANGED.items():
        for row in found[table]:
            for column in columns:
                row.pop(column)
    return found


def test_every_row_and_column_comes_back(full: Ledger, other: Ledger, tmp_path: Path) -> None:
    """From each kind of database to each: equal values, and no secret was rewritten."""
    before = told(full)
    assert all(rows for rows in before.values())
    path = back_up(full, tmp_path)

    done = restore(other, path, empty=other is full)

    assert told(other) == before
    assert sum(done.rows.values()) == sum(len(rows) for rows in before.values())
    assert (done.migrated, done.rotated, done.emptied) == (False, 0, [])


def test_ids_go_on_behind_those_that_are_there(full: Ledger, other: Ledger, tmp_path: Path) -> None:
    """A row that is made afterwards takes no id that was given."""
    restore(other, back_up(full, tmp_path), empty=other is full)
    with other.write() as session:
        made = User(username="new")
        session.add(made)
        session.flush()
        assert made.id == 3


def test_nobody_holds_anything_afterwards(full: Ledger, tmp_path: Path) -> None:
    """No lease, no worker, no link that was used; epochs are above all that were given."""
    path = back_up(full, tmp_path)
    with full.write() as session:
        feed = session.get_one(Feed, 1)
        feed.epoch = 70
        session.add(feed)
    restore(full, path, replace=True)
    with full.read() as session:
        assert session.exec(select(Worker)).all() == []
        for row in session.exec(select(Feed)):
            assert (row.lease_owner, row.lease_until, row.due_at) == (None, 0.0, NOW)
            assert row.restored
            assert row.epoch > 70
        assert {row.lease_owner for row in session.exec(select(Event))} == {None}
        for name in backups.LEFT_OUT:
            table = METADATA.tables[name]
            found = session.connection().execute(select_columns(func.count()).select_from(table))
            assert found.scalar_one() == 0


def test_a_callback_that_nobody_opened_is_opened_after(ledger: Ledger, tmp_path: Path) -> None:
    """Its epoch says that nobody has looked at it: that stays."""
    new = inbox.NewEvent(kind=EventKind.AUTOFETCH, payload={}, received_at=NOW)
    with ledger.write() as session:
        inbox.store(session, [new])
    restore(ledger, back_up(ledger, tmp_path), empty=True)
    with ledger.read() as session:
        assert session.get_one(Event, new.id).epoch == 0


def test_what_is_not_empty_is_left_alone(full: Ledger, tmp_path: Path) -> None:
    """Unless it is said that it may go."""
    path = back_up(full, tmp_path)
    with full.write() as session:
        session.add(User(username="since"))
    before = told(full)
    with pytest.raises(restoring.NotEmptyError, match="user"):
        restore(full, path)
    assert told(full) == before
    restore(full, path, replace=True)
    with full.read() as session:
        assert session.exec(select(User).where(User.username == "since")).first() is None


def test_a_ledger_that_only_ran_is_empty(ledger: Ledger, tmp_path: Path) -> None:
    """A worker that was there once left a row."""
    path = back_up(ledger, tmp_path)
    with ledger.write() as session:
        session.add(Worker(name="w", queues="", slots=1, started_at=0.0, seen_at=NOW - 60))
    restore(ledger, path)


def test_nothing_is_restored_under_running_workers(ledger: Ledger, tmp_path: Path) -> None:
    """They would go on with what they have read."""
    path = back_up(ledger, tmp_path)
    with ledger.write() as session:
        workers.register(
            session, Worker(name="w", queues="", slots=1, started_at=NOW, seen_at=NOW - 3)
        )
    with pytest.raises(BackupError, match="stop everything"):
        restore(ledger, path, replace=True)


@pytest.mark.parametrize("at", [0, 500, 1200])
def test_all_of_it_or_nothing(ledger: Ledger, tmp_path: Path, at: int) -> None:
    """Killed anywhere on the way in: the ledger is as it was."""
    with ledger.write() as session:
        session.add_all([User(username=f"u{number}") for number in range(1300)])
    path = back_up(ledger, tmp_path)
    with ledger.write() as session:
        session.add(User(username="since"))
    before = told(ledger)

    def stop(done: int, _all: int) -> None:
        if done > at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(ledger, path, replace=True, progress=stop)
    assert told(ledger) == before


def test_callbacks_that_arrive_meanwhile(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    """Each backup is what the ledger was at one instant: callbacks in order, none without its like.

    Each write stores a callback and a person of the same number.
    """
    stop, stored = threading.Event(), []

    def arrive() -> None:
        while not stop.is_set():
            number = len(stored)
            new = inbox.NewEvent(
                kind=EventKind.AUTOFETCH, payload={"number": number}, received_at=NOW + number
            )
            with ledger.write() as session:
                inbox.store(session, [new])
                session.add(User(username=f"u{number}"))
            stored.append(new.id)

    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        while len(stored) < 20:
            pass
        paths = [back_up(ledger, tmp_path) for _ in range(5)]
    finally:
        stop.set()
        thread.join(20)
    counts = []
    for path in paths:
        restore(other, path, empty=True)
        with other.read() as session:
            events = [row.payload["number"] for row in session.exec(select(Event))]
            names = {row.username for row in session.exec(select(User))}
        assert sorted(events) == list(range(len(events)))
        assert names == {f"u{number}" for number in events}
        counts.append(len(events))
    assert counts == sorted(counts)
    assert counts[-1] >= 20


def old_backup(path: Path, revision: str) -> Path:
    """A backup that an older version could have made, with a person, a goal and a feed."""
    flags = {"frozen": False, "won": False, "lost": False}
    times = {"created_at": 1.0}
    feed = {"params": {}, "options": {}, "cursor": {}, "every": 60.0, "lane": 1, "asked": 0}
    counts = dict.fromkeys(("attempts", "deferrals", "epoch"), 0)
    lease = {"due_at": 1.0, "lease_until": 0.0, "doubtful": False, "state": "active"}
    tables = {
        "user": [
            {"id": 4, "username": "alice", "token_kind": "oauth", "token_version": 1,
             "state": "active", **times}
        ],
        "source": [
            {"id": 5, "user_id": 4, "name": "s", "provider": "p", "settings": {"a": 1},
             "token_version": 0, "refresh_until": 0.0, "state": "active", **times}
        ],
        "goal": [
            {"id": 6, "user_id": 4, "slug": "g", "declared_slug": "g", "deadline": 0, **flags,
             **times}
        ],
        "feed": [
            {"id": 7, "goal_id": 6, "source_id": 5, "label": "", "metric": "m", **feed, **counts,
             **lease, **times}
        ],
        "datapoint": [
            {"id": 8, "goal_id": 6, "feed_id": 7, "requestid": "wg-1", "daystamp": "20261101",
             "value": 1.5, "comment": "", "content_hash": "h", "landed_hash": "h",
             "state": "landed", "attempts": 1, "due_at": 0.0, **times}
        ],
        "day": [{"feed_id": 7, "daystamp": "20261101", "starts_at": 1.0, "ends_at": 2.0}],
    }  # fmt: skip
    with backup_file.writing(path) as file:
        for name, rows in tables.items():
            file.table(name, rows)
        file.manifest(
            Manifest(
                waggle="0",
                schema=revision,
                engine="sqlite",
                created_at="then",
                tables=file.tables,
            )
        )
    return path


def test_an_older_backup_is_brought_to_this_version(ledger: Ledger, tmp_path: Path) -> None:
    """Its rows go through the migrations, none is lost, and ids go on."""
    path = old_backup(tmp_path / "old.zip", "0001")
    done = restore(ledger, path, empty=True)
    assert done.migrated
    with ledger.read() as session:
        assert session.exec(select(Datapoint)).one().landed_value == 1.5
        assert session.exec(select(Feed)).one().restored
    assert told(ledger)["day"][0]["feed_id"] == 7
    assert schema.migrate(ledger) is None
    with ledger.write() as session:
        made = User(username="new")
        session.add(made)
        session.flush()
        assert made.id == 5


def test_a_failed_migration_leaves_everything(ledger: Ledger, tmp_path: Path) -> None:
    """An older backup with a row that breaks a rule: the tables and rows of before are there."""
    path = tmp_path / "old.zip"
    with backup_file.writing(path) as file:
        file.table("goal", [{"id": 1, "user_id": 9, "slug": "g", "declared_slug": "g"}])
        file.manifest(
            Manifest(waggle="0", schema="0001", engine="sqlite", created_at="t", tables=file.tables)
        )
    with ledger.write() as session:
        session.add(User(username="here"))
    before = told(ledger)
    with pytest.raises(BackupError, match="goal"):
        restore(ledger, path, replace=True)
    assert told(ledger) == before
    assert schema.migrate(ledger) is None


def test_a_newer_backup_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    """It says which Waggle made it."""
    with pytest.raises(schema.SchemaError, match="newer Waggle"):
        schema.check("9999", "the backup")


def test_a_column_that_nobody_knows_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    """It is not dropped silently."""
    path = tmp_path / "b.zip"
    with backup_file.writing(path) as file:
        file.table("user", [{"id": 1, "username": "a", "shoe_size": 44}])
        file.manifest(
            Manifest(
                waggle="0", schema=schema.HEAD, engine="sqlite", created_at="t", tables=file.tables
            )
        )
    with pytest.raises(BackupError, match="shoe_size"):
        restore(ledger, path)


def test_secrets_of_another_key_come_under_this_homes_first(full: Ledger, tmp_path: Path) -> None:
    """The new home has a key of its own, and reads the old one's as well."""
    path = back_up(full, tmp_path)
    done = restore(full, path, replace=True, keys=[OTHER], others=[KEY])
    assert done.rotated == 10
    with full.read() as session:
        user = session.get_one(User, 1)
        assert Vault([OTHER]).decrypt(user.token_cipher) == "canary token_cipher 1"
        assert user.token_hash == Vault([OTHER]).fingerprint("canary token_cipher 1")


def test_without_the_key_nothing_is_restored(full: Ledger, tmp_path: Path) -> None:
    """Whose secrets these are is told, and the ledger is as it was."""
    path = back_up(full, tmp_path)
    before = told(full)
    with pytest.raises(restoring.UnreadableError) as error:
        restore(full, path, replace=True, keys=[OTHER])
    assert len(error.value.whose) == 6
    assert told(full) == before


def test_without_secrets_people_connect_again(full: Ledger, tmp_path: Path) -> None:
    """What no key reads is gone: nobody is asked with it, and its owner is told."""
    path = back_up(full, tmp_path)
    done = restore(full, path, replace=True, keys=[OTHER], without_secrets=True)
    assert len(done.emptied) == 6
    with full.read() as session:
        for user in session.exec(select(User)):
            assert (user.token_cipher, user.token_hash, user.hook_cipher) == (None, None, None)
            assert user.state == UserState.REAUTHORIZE
        for source in session.exec(select(Source)):
            assert (source.credentials_cipher, source.session_cipher) == (None, None)
            assert source.state == SourceState.REAUTHORIZE
        assert session.exec(select(Channel)).all() == []


def test_the_keys_are_in_it_only_if_they_are_asked_for(full: Ledger, tmp_path: Path) -> None:
    """No byte of a key is in a backup without keys, and no plain secret in any."""
    keys = {"WAGGLE_SECRET_KEYS": KEY}
    with backup_file.reading(back_up(full, tmp_path, keys=keys)) as backup:
        assert backup.keys() == keys
    with backup_file.reading(back_up(full, tmp_path)) as backup:
        assert backup.keys() == {}
        everything_in_it = json.dumps([list(backup.rows(name)) for name in backup.manifest.tables])
    assert KEY not in everything_in_it
    assert "canary token_cipher" not in everything_in_it
    assert "canary-user-username-1" in everything_in_it
