"""Copies of an SQLite database that is in use: whole, checked, and in one file.

SQLite's own backup reads one state of the database, whatever is written meanwhile, and holds no
writer up. A copy is made under another name, checked, and then renamed: a file with its final name
is a good one. PostgreSQL has `pg_dump`; nothing here is for it.
"""

import contextlib
import os
import secrets
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

KEPT = 5  # copies from before a migration
KEPT_OF_ONE_REVISION = 2  # a migration that fails again and again leaves the copies of others alone
TIME = "%Y%m%dT%H%M%SZ"
BUSY_SECONDS = 10.0


class CopyError(Exception):
    """There is no copy, and nothing else was changed; says where and why."""


def copy_database(source: Path, target: Path) -> None:
    """Copy the SQLite database in the file `source` to the new file `target`, mode 0600.

    The folder is made (mode 0700) if it is missing. What is committed when the copy begins is in
    it; journals beside it are not needed. Raises `CopyError`, also when `target` is there already
    or when the copy is damaged, and leaves no part of it behind.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here and not by SQLite, which would let others read it.
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(source, draft)
            os.link(draft, target)  # unlike a rename it never replaces anything
        finally:
            _remove(draft)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as exc:
        raise CopyError(f"no copy of {source} could be made as {target}: {_why(exc)}") from exc


def check(path: Path) -> None:
    """Read every page of a database file; raises `CopyError` when it is damaged or none."""
    try:
        with contextlib.closing(_opened(path, "ro")) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as exc:
        raise CopyError(f"{path}: {exc}") from exc
    if found != ("ok",):
        raise CopyError(f"{path} is damaged: {found[0] if found else 'it can not be read'}")


def before_migration(source: Path, folder: Path, *, revision: str, now: datetime) -> Path:
    """A copy of the database as it is at `revision`; older ones are removed. Raises `CopyError`.

    `now` is UTC. The five newest are kept, and of one revision the two newest.
    """
    name = f"before-migration-{revision}-{now.astimezone(UTC).strftime(TIME)}.db"
    target = folder / name
    if target.exists():  # two within one second
        target = target.with_stem(f"{target.stem}-{secrets.token_hex(2)}")
    copy_database(source, target)
    for old in _too_many(folder):
        _remove(old)
    return target


def made_before_migrations(folder: Path) -> list[Path]:
    """The copies that `before_migration` has left in this folder, newest first."""
    found = folder.glob("before-migration-*-*.db")
    return sorted(found, key=lambda path: (_parts(path)[1], path.name), reverse=True)


def _too_many(folder: Path) -> list[Path]:
    kept: list[Path] = []
    dropped = []
    for path in made_before_migrations(folder):
        alike = sum(_parts(path)[0] == _parts(other)[0] for other in kept)
        if len(kept) < KEPT and alike < KEPT_OF_ONE_REVISION:
            kept.append(path)
        else:
            dropped.append(path)
    return dropped


def _parts(path: Path) -> tuple[str, str]:
    """Revision and time in the name of a copy."""
    revision, _, time = path.stem.removeprefix("before-migration-").partition("-")
    return revision, time


def _copy(source: Path, draft: Path) -> None:
    with (
        contextlib.closing(_opened(source, "ro")) as old,
        contextlib.closing(_opened(draft, "rw")) as new,
    ):
        old.backup(new)
        # The copy would be in WAL mode as its source is, and then be more than one file.
        new.execute("PRAGMA journal_mode=DELETE")
    check(draft)


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _remove(path: Path) -> None:
    for ending in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(exc: Exception) -> str:
    return (exc.strerror or str(exc)) if isinstance(exc, OSError) else str(exc)
