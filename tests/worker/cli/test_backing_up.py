"""Promises of `waggle backup`: one file, for its owner, and plain words about the keys."""

import json
import stat
import zipfile


def test_a_backup_says_what_is_in_it(applied, folder):
    """People, feeds, size, what is left out, and that the keys are not in it."""
    told = applied("backup", "b.zip").stdout
    assert "1 people, 1 sources, 2 feeds" in told
    assert "left out: worker" in told
    assert "The keys are NOT in it" in told
    assert "WAGGLE_SECRET_KEYS" in told
    assert stat.S_IMODE((folder / "b.zip").stat().st_mode) == 0o600
    found = json.loads(zipfile.ZipFile(folder / "b.zip").read("manifest.json"))
    assert found["tables"]["feed"]["rows"] == 2


def test_keys_are_in_it_when_they_are_asked_for(applied, folder):
    """And that is said in words; without being asked none is."""
    key = applied.env["WAGGLE_SECRET_KEYS"]
    assert "The keys are in it" in applied("backup", "--with-keys", "b.zip").stdout
    found = json.loads(zipfile.ZipFile(folder / "b.zip").read("keys.json"))
    assert found["WAGGLE_SECRET_KEYS"] == key
    applied("backup", "c.zip")
    with zipfile.ZipFile(folder / "c.zip") as archive:
        assert all(key.encode() not in archive.read(name) for name in archive.namelist())


def test_json_names_the_file_and_the_rows(applied, folder):
    """The name is made by the time where none is given."""
    found = applied.json("backup")
    assert (folder / found["file"]).stat().st_size == found["bytes"]
    assert (found["keys"], found["rows"]["user"]) == (False, 1)


def test_no_file_is_written_over(applied):
    """Exit status 2, and what to do."""
    applied("backup", "b.zip")
    assert "say another name" in applied.refusal("backup", "b.zip")
