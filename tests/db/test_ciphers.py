"""The list of columns with secrets is the models', and the models' secrets are in it."""

from db import ciphers
from db.metadata import METADATA
from db.models import Source, User
from db.models_pages import Channel

# Hashes that are no keyed hashes of a stored secret: contents, and links that are used once.
OTHER_HASHES = {
    ("datapoint", "content_hash"),
    ("datapoint", "landed_hash"),
    ("datapoint", "approved_hash"),
    ("datapoint", "dropped_hash"),
    ("login_link", "secret_hash"),
}


def test_no_column_of_a_secret_is_forgotten() -> None:
    """A new `*_cipher` or `*_hash` column fails here until somebody says what it is."""
    there = {
        (table.name, column.name)
        for table in METADATA.sorted_tables
        for column in table.columns
        if column.name.endswith(("_cipher", "_hash"))
    }
    listed = {
        (table.name, name)
        for table in METADATA.sorted_tables
        for name in ciphers.columns(table.name)
    }
    assert there == listed | OTHER_HASHES


def test_people_are_told_whose_a_secret_is() -> None:
    """By the names that they know, and by no secret."""
    assert ciphers.whose(User(username="alice")) == "user alice"
    assert ciphers.whose(Source(user_id=1, name="plant", provider="p")) == "source plant"
    channel = Channel(id=3, user_id=1, name="email", url_cipher="c", url_hash="h")
    assert ciphers.whose(channel) == "channel 3 (email)"
