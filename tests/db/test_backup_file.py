"""A backup as a file: whole or not there, for its owner only, and believed when it is whole."""

import contextlib
import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from db import backup_file
from db.backup_file import BackupError, Manifest

ROWS = [{"id": number, "name": f"person {number * number}"} for number in range(500)]


def write(path: Path, *, keys: bool = True, **more: object) -> Path:
    """A backup of one table."""
    with backup_file.writing(path) as file:
        file.table("user", ROWS)
        if keys:
            file.keys({"WAGGLE_SECRET_KEYS": "k"})
        facts = {"waggle": "1", "schema": "0007", "engine": "sqlite", "created_at": "now"}
        file.manifest(Manifest(**(facts | more), tables=file.tables, keys_sha256=file.keys_sha256))
    return path


def verify(path: Path) -> None:
    """Believe it, or raise."""
    with backup_file.reading(path) as backup:
        assert list(backup.verify()) == ["user"]
        assert list(backup.rows("user")) == ROWS


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Rows, keys and the manifest; only the owner may read the file."""
    path = write(tmp_path / "b.zip")
    verify(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with backup_file.reading(path) as backup:
        assert backup.keys() == {"WAGGLE_SECRET_KEYS": "k"}
        assert backup.manifest.rows == len(ROWS)
    with backup_file.reading(write(tmp_path / "c.zip", keys=False)) as backup:
        assert (backup.keys(), backup.manifest.keys_sha256) == ({}, None)


def test_there_is_never_half_a_file(tmp_path: Path) -> None:
    """Whatever goes wrong on the way, no file is left, of this name or another."""

    def rows() -> object:
        yield from ROWS
        raise RuntimeError

    def write_half() -> None:
        with backup_file.writing(tmp_path / "b.zip") as file:
            file.table("user", rows())

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_written_over(tmp_path: Path) -> None:
    """An older backup may be the only good one."""
    path = write(tmp_path / "b.zip")
    before = path.read_bytes()
    with pytest.raises(BackupError, match="there already"):
        write(path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["b.zip"]


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(BackupError, match="nowhere"):
        write(tmp_path / "nowhere" / "b.zip")


def test_damage_is_found(tmp_path: Path) -> None:
    """A bit that fell over: it is told with the name of the file, or it was in what says nothing.

    Most of a file says something: a date within the archive does not.
    """
    path = write(tmp_path / "b.zip")
    whole = path.read_bytes()
    harmless, tried = 0, range(0, len(whole), 11)
    for at in tried:
        broken = bytearray(whole)
        broken[at] ^= 0x10
        path.write_bytes(bytes(broken))
        with contextlib.suppress(BackupError):
            verify(path)
            harmless += 1
    assert harmless < len(tried) / 5


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_part_of_a_file_is_none(tmp_path: Path, share: float) -> None:
    """The copy was interrupted."""
    path = write(tmp_path / "b.zip")
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(BackupError, match=r"no backup|damaged"):
        verify(path)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"format": "other"},
        {"format": backup_file.FORMAT, "version": 1, "tables": {"user": {"rows": 1}}},
        {"format": backup_file.FORMAT, "version": 1, "tables": {}, "more": 1},
        [],
    ],
)
def test_another_archive_is_no_backup(tmp_path: Path, said: object) -> None:
    """Whatever its manifest says."""
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(said))
    with pytest.raises(BackupError, match="no backup of Waggle"), backup_file.reading(path):
        pass


def test_a_newer_format_says_which_version_reads_it(tmp_path: Path) -> None:
    """And is not guessed at."""
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        said = {"format": backup_file.FORMAT, "version": 2, "waggle": "9.9", "other": []}
        archive.writestr("manifest.json", json.dumps(said))
    with pytest.raises(BackupError, match=r"install Waggle 9\.9"), backup_file.reading(path):
        pass


def test_rows_that_were_exchanged_are_found(tmp_path: Path) -> None:
    """The archive is whole, and the table is not the one of the manifest."""
    path = write(tmp_path / "b.zip")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["tables/user.jsonl"] = parts["tables/user.jsonl"].replace(b"person 7", b"person 8")
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    with pytest.raises(BackupError, match="user is not as it was written"):
        verify(path)
