"""A backup as a file: a ZIP of JSON lines, the same for both databases, which anybody can open.

    manifest.json        what is in it, of when, by which version, with a checksum of each table
    tables/user.jsonl    one row a line, a column by its name
    …
    keys.json            the keys that read its secrets, if they were asked for

It is written beside its name and gets it when all of it is on the disk: there is never half a file.
Only its owner may read it.
"""

import contextlib
import hashlib
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

FORMAT = "waggle-backup"
VERSION = 1
MANIFEST = "manifest.json"
KEYS = "keys.json"
MOST_MANIFEST = 1 << 20
# What reading a damaged archive may raise.
BROKEN = (KeyError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError)


class BackupError(Exception):
    """A file that is no backup, is damaged, or can't be written: what, and what to do next."""


@dataclass(frozen=True, slots=True)
class Table:
    """How many rows of a table are in a backup, and the SHA-256 of their lines."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself. `schema`: the revision of the tables; `created_at`: ISO 8601.

    `left_out`: tables that are never in it, each with the reason. `keys_sha256` is None where the
    keys are not in it.
    """

    waggle: str
    schema: str
    engine: str
    created_at: str
    tables: dict[str, Table]
    left_out: dict[str, str] = field(default_factory=dict)
    keys_sha256: str | None = None

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())


class Writer:
    """Writes the parts of a backup; what is not finished by `writing` is not there."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.tables: dict[str, Table] = {}
        self.keys_sha256: str | None = None

    def table(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """All rows of a table."""
        digest, count = hashlib.sha256(), 0
        with self._part(f"tables/{name}.jsonl") as part:
            for row in rows:
                line = json.dumps(dict(row), separators=(",", ":")).encode() + b"\n"
                digest.update(line)
                part.write(line)
                count += 1
        self.tables[name] = Table(count, digest.hexdigest())

    def keys(self, keys: Mapping[str, str]) -> None:
        """The keys, by the names of their settings."""
        text = json.dumps(dict(keys), indent=2).encode() + b"\n"
        self.keys_sha256 = hashlib.sha256(text).hexdigest()
        with self._part(KEYS) as part:
            part.write(text)

    def manifest(self, manifest: Manifest) -> None:
        """What it is all about; the last part."""
        said = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
        with self._part(MANIFEST) as part:
            part.write(json.dumps(said, indent=2).encode() + b"\n")

    def _part(self, name: str) -> IO[bytes]:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        return self._archive.open(info, "w", force_zip64=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A writer for the block; the file has its name once the block has ended well.

    Raises `BackupError` where there is a file of this name already, or none can be made.
    """
    if path.exists():
        message = f"{path} is there already, and is not written over; say another name"
        raise BackupError(message)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w") as archive:
                yield Writer(archive)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        message = (
            f"{path} can not be written: {exc.strerror or exc}; say another place, or make room"
        )
        raise BackupError(message) from exc
    finally:
        draft.unlink(missing_ok=True)


class Reader:
    """A backup that is read. Nothing of it is believed before `verify` has seen all of it."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._archive = archive

    def verify(self) -> Iterator[str]:
        """Compare each part with its checksum; gives the name of each table that is whole."""
        for name, told in self.manifest.tables.items():
            digest, count = hashlib.sha256(), 0
            for line in self._lines(name):
                digest.update(line)
                count += 1
            if (count, digest.hexdigest()) != (told.rows, told.sha256):
                raise self._damaged(f"the table {name} is not as it was written")
            yield name
        told_of_keys = self.manifest.keys_sha256
        if told_of_keys and hashlib.sha256(self._whole(KEYS)).hexdigest() != told_of_keys:
            raise self._damaged("the keys are not as they were written")

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table."""
        for line in self._lines(table):
            yield json.loads(line)

    def keys(self) -> dict[str, str]:
        """The keys by the names of their settings; empty where they are not in it."""
        if self.manifest.keys_sha256 is None:
            return {}
        found: dict[str, str] = json.loads(self._whole(KEYS))
        return found

    def _lines(self, table: str) -> Iterator[bytes]:
        try:
            with self._archive.open(f"tables/{table}.jsonl") as part:
                yield from part
        except BROKEN as exc:
            raise self._damaged(f"the table {table} can not be read") from exc

    def _whole(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except BROKEN as exc:
            raise self._damaged(f"{name} can not be read") from exc

    def _damaged(self, what: str) -> BackupError:
        return BackupError(f"{self.path} is damaged: {what}; take another backup")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """An open backup for the block. Raises `BackupError` for what is none, or not for us."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as exc:
        message = f"{path} can not be read: {exc.strerror or exc}"
        raise BackupError(message) from exc
    except BROKEN as exc:
        message = f"{path} is no backup of Waggle, or only a part of one; take another"
        raise BackupError(message) from exc
    with archive:
        yield Reader(path, archive, _manifest(path, archive))


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    nothing = BackupError(f"{path} is no backup of Waggle: it has no manifest that can be read")
    try:
        large = archive.getinfo(MANIFEST).file_size > MOST_MANIFEST
        said = {} if large else json.loads(archive.read(MANIFEST))
        kind, version = said.pop("format"), said.pop("version")
    except (*BROKEN, TypeError, AttributeError) as exc:
        raise nothing from exc
    if kind != FORMAT:
        raise nothing
    if version != VERSION:
        message = (
            f"{path} is of format {version}, and this version of Waggle reads {VERSION}: install "
            f"Waggle {said.get('waggle')} or newer"
        )
        raise BackupError(message)
    try:
        tables = {str(name): Table(**facts) for name, facts in said.pop("tables").items()}
        return Manifest(tables=tables, **said)
    except (KeyError, TypeError, AttributeError) as exc:
        raise nothing from exc
